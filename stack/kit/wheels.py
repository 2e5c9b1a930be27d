"""All wheels that the requirements need here, fetched by pip into one folder. Nothing is built and nothing installed.

What is there already is not fetched again, so that a run that was cut off goes on.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from stack.kit.errors import WheelsMissing

OnText = Callable[[str], None]
CPU_TORCH = "https://download.pytorch.org/whl/cpu"
"""PyTorch's usual build for Linux brings gigabytes of CUDA; its index of CPU builds is asked first, for torch alone."""
PIP = (sys.executable, "-m", "pip")
QUIET = ("--disable-pip-version-check", "--progress-bar", "off")
SAID = ("Downloading ", "Using cached ", "File was already downloaded ")


def fetch(requirements: Sequence[Path], folder: Path, on_text: OnText) -> None:
    """Fetch every wheel of the ``requirements`` files into ``folder``. Raises ``WheelsMissing``."""
    folder.mkdir(parents=True, exist_ok=True)
    torch = _torch(requirements)
    if torch and sys.platform == "linux" and not list(folder.glob("torch-*.whl")):
        on_text(f"asking for PyTorch's CPU build ({torch})")
        options = ("--no-deps", "--retries", "0", "--timeout", "5", "--index-url", CPU_TORCH)
        _run([*PIP, "download", *QUIET, "--only-binary", ":all:", *options, "-d", str(folder), torch], folder, on_text)
    files = [part for file in requirements for part in ("-r", str(file))]
    command = [*PIP, "download", *QUIET, "--only-binary", ":all:", "--find-links", folder.as_uri(), "-d", str(folder)]
    problem = _run([*command, *files], folder, on_text)
    if problem:
        raise WheelsMissing(problem, folder)


def check(requirements: Sequence[Path], folder: Path) -> None:
    """Have pip work out an installation from ``folder`` alone. Raises ``WheelsMissing`` where something is missing."""
    files = [part for file in requirements for part in ("-r", str(file))]
    offline = ("--dry-run", "--ignore-installed", "--no-index", "--find-links", folder.as_uri())
    problem = _run([*PIP, "--isolated", "install", *QUIET, *offline, *files], folder, lambda _text: None, alone=True)
    if problem:
        raise WheelsMissing(problem, folder)


def _torch(requirements: Sequence[Path]) -> str:
    lines = (line.strip() for file in requirements for line in file.read_text(encoding="utf-8").splitlines())
    return next((line for line in lines if line.startswith("torch==")), "")


def _run(command: Sequence[str], folder: Path, on_text: OnText, *, alone: bool = False) -> str:
    """Run pip and pass on what it fetches; return in words what went wrong, empty where nothing did.

    ``alone``: nothing that this machine's configuration names may help.
    """
    environment = {**os.environ, "PIP_NO_INPUT": "1", **({"PIP_CONFIG_FILE": os.devnull} if alone else {})}
    tail: list[str] = []
    with subprocess.Popen(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=environment,
    ) as pip:
        for line in _lines(pip):
            if line.startswith(SAID):
                on_text(line)
            elif line.startswith("ERROR"):
                tail.append(line.removeprefix("ERROR: "))
    if pip.returncode == 0:
        return ""
    return " ".join(tail)[-600:] or f"pip ended with status {pip.returncode}"


def _lines(pip: subprocess.Popen[str]) -> Iterator[str]:
    for line in pip.stdout or ():
        yield line.strip()
