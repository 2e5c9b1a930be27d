"""The project itself, as a bundle takes it along: its packages and what lies beside them. Nothing made here goes in."""

from __future__ import annotations

import shutil
from pathlib import Path

from stack.kit.errors import NoCheckout

NEEDED = ("firedrill", "requirements.txt", "pyproject.toml", "panel", "service", "faults", "stack")
WANTED = (
    *("requirements-test.txt", "requirements-mlflow.txt", "README.md", "CHANGELOG.md", "LICENSE", "docs", "examples"),
    *("tests", "Dockerfile", "docker-compose.yml", "docker-compose.socket.yml", "firedrill.ps1"),
)
_MADE = shutil.ignore_patterns("__pycache__", "*.pyc", ".*_cache", ".hypothesis", ".firedrill", ".venv", "*.egg-info")


def copy(root: Path, target: Path) -> None:
    """Copy the project in ``root`` to ``target``, in place of an earlier copy. Raises ``NoCheckout``."""
    missing = [name for name in NEEDED if not (root / name).exists()]
    if missing:
        raise NoCheckout(root, missing)
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for name in (*NEEDED, *WANTED):
        source = root / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=_MADE)
        elif source.is_file():
            shutil.copy2(source, target / name)
