"""Environments of the benchmark's own, so that what it compares with never touches Firedrill's.

One folder each in the shared cache, named by what is asked for: it is built once and again when that changes.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from panel.commands.console import CommandError
from stack.home import cache_dir, is_offline

FOLDER = Path(__file__).parent
COMPLETE = "complete"
BUILD_TIMEOUT_S = 900.0
_NAME = re.compile(r"[A-Za-z0-9._-]+")


class EnvironmentNotBuilt(CommandError):  # noqa: N818 - reads as a fact where it is raised
    """What the benchmark compares with cannot be installed here."""

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        super().__init__(f"the benchmark's environment {name!r} was not built: {reason}")


@dataclass(frozen=True)
class Environment:
    """What to install: a requirements file beside this module. What this process has too is installed alike."""

    name: str

    @property
    def requirements(self) -> Path:
        """The requirements file."""
        return FOLDER / f"requirements-{self.name}.txt"

    def constraints(self) -> str:
        """Return the versions that this process has of what is asked for, as a constraints file."""
        lines = [f"{name}=={version}" for name, version in _installed(_names(self.requirements.read_text("utf-8")))]
        return "".join(f"{line}\n" for line in lines)

    def folder(self) -> Path:
        """Return where it belongs: another folder for other requirements or another Python."""
        wanted = "\n".join((sys.version, self.requirements.read_text("utf-8"), self.constraints()))
        return cache_dir() / "bench" / f"{self.name}-{hashlib.sha256(wanted.encode()).hexdigest()[:12]}"


COMMON = Environment("common")
MLSERVER = Environment("mlserver")


def python_of(environment: Environment, say: Callable[[str], None]) -> Path:
    """Return the Python of ``environment``, built where it is not yet; raise ``EnvironmentNotBuilt``."""
    folder = environment.folder()
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if (folder / COMPLETE).is_file():
        return python
    if is_offline():
        raise EnvironmentNotBuilt(environment.name, "FIREDRILL_OFFLINE forbids fetching")
    say(f"installing what the benchmark compares with ({environment.name}); once")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    constraints = folder / "constraints.txt"
    _run(environment, [sys.executable, "-m", "venv", str(folder)])
    constraints.write_text(environment.constraints(), encoding="utf-8")
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    _run(environment, [*pip, "--requirement", str(environment.requirements), "--constraint", str(constraints)])
    (folder / COMPLETE).touch()
    return python


def _run(environment: Environment, command: list[str]) -> None:
    """Run one step of a build; raise ``EnvironmentNotBuilt`` with the end of what it said."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=BUILD_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise EnvironmentNotBuilt(environment.name, f"it took more than {BUILD_TIMEOUT_S:.0f} s") from None
    if done.returncode != 0:
        said = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        raise EnvironmentNotBuilt(environment.name, "; ".join(said[-3:]) or f"exit code {done.returncode}")


def _names(requirements: str) -> list[str]:
    """Return the names of the distributions in a requirements file."""
    lines = (line.split("#")[0].strip() for line in requirements.splitlines())
    return [found.group() for line in lines if (found := _NAME.match(line))]


def _installed(names: Iterable[str]) -> Iterable[tuple[str, str]]:
    """Yield name and version of those that this process has."""
    for name in names:
        try:
            yield name, importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
