"""Environments of the tests' own, for programs that must not meet Firedrill's libraries; built once, kept in the cache.

``PYTHONPATH`` has to hold the checkout: ``from tests.environments import python_with``.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from stack.home import cache_dir
from stack.locks import FileLock

BUILD_TIMEOUT_S = 600.0


def python_with(*requirements: str) -> Path:
    """Return the Python of an environment that has ``requirements``; raise ``RuntimeError`` where it cannot be built.

    Another set of requirements, or another Python, has another environment. Two tests that want one take turns.
    """
    wanted = "\n".join((sys.version, *requirements))
    folder = cache_dir() / "tests" / hashlib.sha256(wanted.encode()).hexdigest()[:12]
    python, complete = folder / "bin" / "python", folder / "complete"
    lock = FileLock(folder.parent / f"{folder.name}.lock")
    if not lock.acquire(BUILD_TIMEOUT_S):
        raise RuntimeError(f"{folder} is still being built by somebody else")
    try:
        if not complete.is_file():
            shutil.rmtree(folder, ignore_errors=True)
            _run([sys.executable, "-m", "venv", str(folder)])
            _run([str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet", *requirements])
            complete.touch()
    finally:
        lock.release()
    return python


def node_with(*packages: str) -> Path:
    """Return a folder whose ``node_modules`` has npm's ``packages``; raise ``RuntimeError`` where it cannot be made."""
    folder = cache_dir() / "tests" / hashlib.sha256("\n".join(("node", *packages)).encode()).hexdigest()[:12]
    complete = folder / "complete"
    lock = FileLock(folder.parent / f"{folder.name}.lock")
    if not lock.acquire(BUILD_TIMEOUT_S):
        raise RuntimeError(f"{folder} is still being built by somebody else")
    try:
        if not complete.is_file():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            (folder / "package.json").write_text('{"private": true}\n', encoding="utf-8")
            _run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", *packages], folder)
            complete.touch()
    finally:
        lock.release()
    return folder


def _run(command: list[str], folder: Path | None = None) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=BUILD_TIMEOUT_S, cwd=folder)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: exit code {done.returncode}: {done.stderr[-2000:]}")
