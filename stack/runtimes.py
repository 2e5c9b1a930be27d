"""The two runtimes behind one set of verbs: which one ``up`` takes, and which one the other commands find running.

It starts nothing itself. A home runs in one runtime at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from stack import docker_logs, docker_stack, docker_status, native
from stack.docker_engine import answers
from stack.docker_record import load_record
from stack.endpoints import Endpoints
from stack.errors import StackError
from stack.home import Home, endpoints_from_environment
from stack.locks import FileLock, lock_path
from stack.logbook import LogLine
from stack.logbook import logs as native_logs
from stack.state import load_state
from stack.status import StackStatus
from stack.status import read_status as read_native

Runtime = Literal["native", "docker"]
Choice = Literal["native", "docker", "auto"]
DEFAULT: Choice = "native"


class OtherRuntime(StackError):  # noqa: N818 - reads as a fact where it is raised
    """This home's stack is up in the other runtime."""

    def __init__(self, home: Home, running: Runtime) -> None:
        super().__init__(f"the stack in {home.root} is up in the {running} runtime; stop it first by `firedrill down`")


class NotInContainers(StackError):  # noqa: N818 - as above
    """An option of ``up`` that only processes of this machine have."""

    def __init__(self, option: str, instead: str) -> None:
        super().__init__(f"{option} is not available with --runtime docker; {instead}")


def choose(wanted: Choice) -> Runtime:
    """Return the runtime to start: for ``auto`` Docker where an engine answers, else the native one."""
    if wanted == "auto":
        return "docker" if answers() else "native"
    return wanted


def running(home: Home) -> Runtime | None:
    """Return in which runtime this home's stack was started and not stopped, ``None`` where it was not."""
    if load_record(home) is not None:
        return "docker"
    if load_state(home.state_file) is not None or FileLock(lock_path(home)).is_held():
        return "native"
    return None


def forbid_other(home: Home, wanted: Runtime) -> None:
    """Raise ``OtherRuntime`` where the home's stack is up in the runtime that is not ``wanted``."""
    now = running(home)
    if now not in {None, wanted} and read_status(home).state != "down":
        raise OtherRuntime(home, "docker" if wanted == "native" else "native")


def read_status(home: Home) -> StackStatus:
    """Return what runs in ``home``, in whichever runtime; inside a container, what the parts of its stack answer."""
    if docker_status.inside_container():
        return docker_status.read_inside()
    record = load_record(home)
    return docker_status.read_engine(record) if record is not None else read_native(home)


def find_endpoints(home: Home) -> Endpoints | None:
    """Return where the parts of the running stack are reached from here, ``None`` where none is running."""
    if docker_status.inside_container():
        return endpoints_from_environment()
    record, state = load_record(home), load_state(home.state_file)
    if record is not None:
        return Endpoints(record.offset)
    return Endpoints(state.offset) if state is not None else None


def down(home: Home) -> native.Stopped:
    """Stop this home's stack in whichever runtime it is. Harmless where nothing runs."""
    if load_record(home) is None:
        return native.down(home)
    stopped = docker_stack.down(home)
    return native.Stopped(was_up=bool(stopped), components=stopped)


def logs(home: Home, component: str | None, *, lines: int, follow: bool) -> Iterator[LogLine]:
    """Yield the log of this home's stack, in whichever runtime it is."""
    record = load_record(home)
    if record is not None:
        return docker_logs.logs(record, component, lines=lines, follow=follow)
    return native_logs(home, component, lines=lines, follow=follow)
