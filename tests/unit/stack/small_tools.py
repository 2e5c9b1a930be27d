"""What the tests of supervisor and native runtime share: a home, free ports, and looking at processes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from stack import native
from stack.endpoints import Endpoints
from stack.home import Home
from stack.ports import is_free
from stack.status import StackStatus

ROOT = Path(__file__).resolve().parents[3]
HERE = Path(__file__).resolve().parent
FOREGROUND = """
import sys
from pathlib import Path
from stack import native
from stack.home import Home

home, offset, table, detach = Home(Path(sys.argv[1])), int(sys.argv[2]), sys.argv[3], sys.argv[4] == "detach"
options = native.Options(home, offset=offset, table=table, prepare=lambda plan: None)
status = native.up(options, detach=detach, on_event=lambda event: print(event.kind, event.component, flush=True))
print("ended", status.state)
"""
"""A program that brings a stack up as the command line does."""


@contextmanager
def small_home(folder: Path) -> Iterator[Home]:
    """Give a home of its own, taken down at the end whatever the test did."""
    home = Home(folder / "home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(HERE)]))
        try:
            yield home
        finally:
            native.down(home)


def until(check: Callable[[], object], timeout_s: float = 10.0) -> float:
    """Wait until ``check`` holds and return how long that took; fail the test at the deadline."""
    started = time.monotonic()
    while not check():
        assert time.monotonic() - started < timeout_s, "deadline passed"
        time.sleep(0.02)
    return time.monotonic() - started


def options(home: Home, offset: int, table: str = "COMPONENTS") -> native.Options:
    """Return what to start."""
    return native.Options(home, offset=offset, table=f"small_stack:{table}", prepare=lambda _plan: None)


def pids(status: StackStatus) -> dict[str, int]:
    """Return the process of each component that has one."""
    return {component.name: component.pid for component in status.components if component.pid is not None}


def gone(pid: int) -> bool:
    """Tell whether the process has ended (a zombie in a container without an init has)."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def ports_free(offset: int) -> bool:
    """Tell whether the small stack's ports are free."""
    return all(is_free(Endpoints(offset).port(name)) for name in ("service", "conductor", "panel"))
