"""A Docker engine for the tests: the one that answers, else Debian's, installed and run for as long as they last.

It is never installed unasked: only where ``firedrill test`` was told to (``--with-docker``, or ``CI=true``). What it
stores lies in Firedrill's cache, so that a second run finds the images again.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from stack.docker_engine import answers
from stack.errors import StackError
from stack.home import cache_dir

READY_WITHIN_S = 60.0
STOP_WITHIN_S = 30.0
INSTALL_TIMEOUT_S = 600.0
LAST_WORDS = 8


class NoEngine(StackError):  # noqa: N818 - reads as a fact where it is raised
    """There is no Docker engine, and none can be had here."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the Docker tests need an engine: {reason}; start Docker, or set DOCKER_HOST")


@contextmanager
def engine(say: Callable[[str], None]) -> Iterator[Mapping[str, str]]:
    """Yield what the environment needs so that an engine answers; raise ``NoEngine``."""
    if answers():
        yield {}
        return
    program = shutil.which("dockerd") or _install(say)
    with tempfile.TemporaryDirectory(prefix="firedrill-engine-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        socket = f"unix://{folder / 'docker.sock'}"
        say("starting dockerd")
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [
                    program,
                    f"--data-root={cache_dir() / 'engine'}",
                    f"--exec-root={folder / 'exec'}",
                    f"--pidfile={folder / 'pid'}",
                    f"--host={socket}",
                ],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for the tests; the engine is stopped after them
            )
        try:
            _await(process, socket, folder / "log")
            yield {"DOCKER_HOST": socket}
        finally:
            _stop(process)


def _install(say: Callable[[str], None]) -> str:
    """Install Debian's engine; return its program."""
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        raise NoEngine("none answers, and only root on Debian or Ubuntu can be given one")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "update", "--quiet"],
        ["apt-get", "install", "--yes", "--quiet", "-o", "DPkg::Lock::Timeout=300", "docker.io", "iptables"],
    ):
        say(" ".join(command))
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=INSTALL_TIMEOUT_S
        )
        if done.returncode != 0:
            raise NoEngine(f"{' '.join(command)} failed: {done.stderr.strip()[-500:]}")
    program = shutil.which("dockerd")
    if program is None:
        raise NoEngine("the package docker.io brought no dockerd")
    return program


def _await(process: subprocess.Popen[bytes], socket: str, log: Path) -> None:
    """Wait until the engine answers; raise ``NoEngine`` with its last words, the kernel's where that refused."""
    before = os.environ.get("DOCKER_HOST")
    os.environ["DOCKER_HOST"] = socket
    deadline = time.monotonic() + READY_WITHIN_S
    try:
        while not answers():
            ended = process.poll() is not None
            if ended or time.monotonic() >= deadline:
                words = log.read_text(errors="replace").splitlines()[-LAST_WORDS:]
                what = "ended" if ended else f"did not answer within {READY_WITHIN_S:g} s"
                raise NoEngine(f"dockerd {what}; it said:\n    " + "\n    ".join(words))
            time.sleep(0.1)
    finally:
        if before is None:
            del os.environ["DOCKER_HOST"]
        else:
            os.environ["DOCKER_HOST"] = before


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the engine, and with it the containers that a killed test left."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
