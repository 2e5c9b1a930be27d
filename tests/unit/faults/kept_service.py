"""A real process that stands for the service, written down as the supervisor does; the test starts it again itself."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import psutil

from stack.home import Home
from stack.state import ProcessIdentity, StackState, UnitState

PATIENCE_S = 20.0
IDLE = "import time; time.sleep(600)"
PARENT = """
import subprocess, sys, time
children = [subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", f"--replica={index}:1"])
            for index in range(2)]
time.sleep(600)
"""


def until(holds: Callable[[], object], what: str, within_s: float = PATIENCE_S) -> None:
    """Wait until ``holds``, or fail saying ``what`` did not come about."""
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, f"not within {within_s:g} s: {what}"
        time.sleep(0.02)


async def reached(holds: Callable[[], object], what: str, within_s: float = PATIENCE_S) -> None:
    """Do as ``until`` does, on an event loop."""
    deadline = time.monotonic() + within_s
    while True:
        if holds():
            return
        assert time.monotonic() < deadline, f"not within {within_s:g} s: {what}"
        await asyncio.sleep(0.02)


def stopped(pid: int) -> bool:
    """Return whether a process was stopped by a signal."""
    return psutil.Process(pid).status() == psutil.STATUS_STOPPED


class KeptService:
    """The process, and the state file that names it."""

    def __init__(self, home: Home, workers: int = 1) -> None:
        self.home, self._workers = home, workers
        self._processes: list[subprocess.Popen[bytes]] = []

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The newest process."""
        return self._processes[-1]

    @property
    def pid(self) -> int:
        """Its id."""
        return self.process.pid

    def start(self) -> None:
        """Start it (again) and write it down."""
        program = IDLE if self._workers == 1 else PARENT
        self._processes.append(subprocess.Popen([sys.executable, "-c", program]))
        own = ProcessIdentity.own()
        unit = UnitState(name="service", phase="ready", identity=ProcessIdentity.of(self.pid))
        self.home.run.mkdir(parents=True, exist_ok=True)
        StackState(
            supervisor=own,
            phase="up",
            started_at=time.time(),
            offset=0,
            pace="workshop",
            traffic=True,
            workers=self._workers,
            table="",
            units=[unit],
        ).save(self.home.state_file)

    def children(self) -> list[psutil.Process]:
        """Return its replicas, once both are there."""
        until(lambda: len(psutil.Process(self.pid).children()) == self._workers, "the replicas")
        return psutil.Process(self.pid).children()

    def end(self) -> None:
        """End all of it."""
        for process in self._processes:
            with contextlib.suppress(psutil.Error):
                for child in psutil.Process(process.pid).children():
                    child.kill()
            process.kill()
            process.wait()


@contextlib.contextmanager
def kept_service(home: Home, workers: int = 1) -> Iterator[KeptService]:
    """Run one until left."""
    service = KeptService(home, workers)
    service.start()
    try:
        yield service
    finally:
        service.end()
