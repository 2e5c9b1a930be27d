"""The benchmark's processes: where they run, what they cost, and that they end.

A server has one core for itself, the load and the sink another, where the system can be told so: otherwise the load
takes from the server what it is there to measure.
"""

from __future__ import annotations

import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from panel.commands.console import CommandError
from stack.endpoints import HOST

READY_WITHIN_S = 90.0
ENDS_WITHIN_S = 15.0
LAST_LINES = 5


class ServerFailed(CommandError):  # noqa: N818 - reads as a fact where it is raised
    """A server of the benchmark did not start, or did not answer as it should."""

    def __init__(self, name: str, reason: str, log: Path) -> None:
        said = log.read_text("utf-8", errors="replace").splitlines()[-LAST_LINES:] if log.is_file() else []
        super().__init__("\n  ".join((f"the benchmark's {name} {reason}", *said)))


@dataclass(frozen=True)
class Cores:
    """The cores (numbers of the system) that servers and load run on; ``None`` where the system decides."""

    server: int | None
    load: int | None

    @classmethod
    def of_this_machine(cls) -> Cores:
        """Return the first and the last core that this process may use, or nothing where there is no choice."""
        if not hasattr(os, "sched_setaffinity"):
            return cls(None, None)
        allowed = sorted(os.sched_getaffinity(0))
        return cls(allowed[0], allowed[-1]) if len(allowed) > 1 else cls(None, None)


@contextmanager
def on_core(core: int | None) -> Iterator[None]:
    """Let what is started inside run on ``core`` alone."""
    if core is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@dataclass(frozen=True)
class Server:
    """A running server: its name, its port on loopback, where its output goes."""

    name: str
    port: int
    log: Path
    process: psutil.Popen

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"http://{HOST}:{self.port}"

    def cpu_s(self) -> float:
        """Return the processor time that it and its children have used, in seconds (steps of 10 ms on Linux)."""
        times = [process.cpu_times() for process in self._tree()]
        return sum(each.user + each.system for each in times)

    def peak_bytes(self) -> int:
        """Return the most memory that it and its children have held, each at its own time, in bytes (RSS)."""
        return sum(map(_peak_bytes, self._tree()))

    def get(self, path: str, accept: str = "*/*") -> bytes:
        """Return the body at ``path``; raise ``ServerFailed``."""
        request = urllib.request.Request(f"{self.url}{path}", headers={"Accept": accept})
        try:
            with urllib.request.urlopen(request, timeout=30.0) as answer:
                body: bytes = answer.read()
        except OSError as error:
            raise ServerFailed(self.name, f"did not answer at {path}: {error}", self.log) from error
        return body

    def _tree(self) -> list[psutil.Process]:
        try:
            return [self.process, *self.process.children(recursive=True)]
        except psutil.NoSuchProcess:
            raise ServerFailed(self.name, "has ended", self.log) from None


@contextmanager
def serving(
    name: str,
    command: Sequence[str],
    *,
    port: int,
    ready: str,
    core: int | None,
    folder: Path,
    environment: Mapping[str, str],
) -> Iterator[Server]:
    """Run a server whose ``ready`` path answers 200 once it serves; end it. Raise ``ServerFailed``.

    It runs in ``folder``, where its output goes too. Its environment is this process's, without settings of the
    service and of OpenTelemetry, under ``environment``.
    """
    log = folder / f"{name.replace(' ', '-')}.log"
    with log.open("wb") as stream, on_core(core):
        process = psutil.Popen(
            list(command),
            stdout=stream,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            cwd=folder,
            env={**_neutral_environment(), **environment},
        )
    server = Server(name, port, log, process)
    try:
        _await(server, ready)
        yield server
    finally:
        _end(process)


def free_port() -> int:
    """Return a port of the loopback address that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    return port


def _await(server: Server, path: str) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while True:
        if server.process.poll() is not None:
            raise ServerFailed(server.name, f"ended with exit code {server.process.returncode}", server.log)
        try:
            with urllib.request.urlopen(f"{server.url}{path}", timeout=5.0):
                return
        except (urllib.error.URLError, OSError):
            if time.monotonic() > deadline:
                raise ServerFailed(server.name, f"was not ready within {READY_WITHIN_S:.0f} s", server.log) from None
        time.sleep(0.05)


def _end(process: psutil.Popen) -> None:
    """End a process and its children: asked first, killed where that does not help."""
    try:
        tree = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        tree = [process]
    for each, act in ((process, "terminate"), *((each, "kill") for each in tree)):
        try:
            if act == "kill" and each.is_running():
                each.kill()
            elif act == "terminate":
                each.terminate()
                psutil.wait_procs(tree, timeout=ENDS_WITHIN_S)
        except psutil.NoSuchProcess:
            continue
    process.wait(ENDS_WITHIN_S)


def _neutral_environment() -> dict[str, str]:
    """Return this process's environment without what would set up a server otherwise than the benchmark means to."""
    kept = (
        "PATH",
        "HOME",
        "LANG",
        "LC_ALL",
        "TMPDIR",
        "TEMP",
        "TMP",
        "SYSTEMROOT",
        "XDG_CACHE_HOME",
        "FIREDRILL_CACHE",
    )
    return {name: os.environ[name] for name in kept if name in os.environ}


def _peak_bytes(process: psutil.Process) -> int:
    """Return the high-water mark of a process's RSS in bytes; its RSS now where the system keeps none."""
    try:
        for line in Path(f"/proc/{process.pid}/status").read_text("utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    memory = process.memory_info()
    return int(getattr(memory, "peak_wset", memory.rss))
