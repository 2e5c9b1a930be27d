"""Status where little or nothing runs: the supervisor's own record is not taken for the truth."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import psutil
import pytest

from stack import native
from stack.components import COMPONENTS
from stack.home import Home
from stack.locks import FileLock, lock_path
from stack.state import ProcessIdentity, StackState, UnitState, load_state
from stack.status import read_status


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Return an empty home."""
    return Home(tmp_path)


def recorded(home: Home, *, phase: str = "ready", pid: int = 2**22 + 1) -> StackState:
    """Write a state file of a stack with one component, the service, and return what it says."""
    home.run.mkdir(parents=True, exist_ok=True)
    gone = ProcessIdentity(pid=pid, created_at=1.0)
    unit = UnitState.model_validate(
        {"name": "service", "phase": phase, "identity": gone, "detail": "was ended by SIGKILL"}
    )
    state = StackState(
        supervisor=gone,
        phase="up",
        started_at=1.0,
        offset=100,
        pace="production",
        traffic=False,
        table="stack.components:COMPONENTS",
        units=[unit],
    )
    state.save(home.state_file)
    return state


def test_an_empty_home_is_down(home: Home) -> None:
    """Where nothing was ever started, what a stack has without options is listed as stopped, with its address."""
    status = read_status(home)
    assert status.state == "down"
    options = {"jaeger", "grafana", "own-alertmanager", "own-prometheus"}
    assert [c.name for c in status.components] == [c.name for c in COMPONENTS if c.name not in options]
    assert {c.state for c in status.components} == {"stopped"}
    assert all(c.url.startswith("http://127.0.0.1:") for c in status.components)
    assert asdict(status)["components"][0]["ports"] == {"service": 8000, "control": 8600}


def test_a_stack_that_is_being_prepared_is_starting(home: Home) -> None:
    """While ``up`` fetches programs there is a lock and no record yet; a second ``up`` is refused meanwhile."""
    lock = FileLock(lock_path(home))
    assert lock.acquire()
    status = read_status(home)
    assert (status.state, status.detail) == ("starting", "`firedrill up` is preparing")
    with pytest.raises(native.AlreadyUp, match="is already being started"):
        native.up(native.Options(home), detach=True)
    lock.release()
    assert read_status(home).state == "down"


def test_a_record_without_a_supervisor_is_down(home: Home) -> None:
    """A state file that a killed supervisor left says nothing about now."""
    recorded(home)
    status = read_status(home)
    assert status.state == "down"
    assert status.supervisor_pid is None
    assert status.components[0].state == "stopped"
    assert status.offset == 100


@pytest.mark.parametrize("phase", ["ready", "restarting", "gave up"])
def test_a_component_without_a_process_is_down(home: Home, phase: str) -> None:
    """Whatever the record says, a component whose process is gone is down and the stack degraded."""
    recorded(home, phase=phase)
    lock = FileLock(lock_path(home))
    assert lock.acquire()
    status = read_status(home, timeout_s=0.2)
    lock.release()
    assert status.state == "degraded"
    assert status.components[0].state == "down"
    assert status.components[0].memory_bytes is None
    assert status.detail


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"supervisor": 1}', b"\xff\xfe"])
def test_a_damaged_record_is_no_record(home: Home, content: bytes) -> None:
    """A state file that is none is taken as absent."""
    home.run.mkdir(parents=True)
    home.state_file.write_bytes(content)
    assert load_state(home.state_file) is None
    assert read_status(home).state == "down"


def test_a_process_is_ours_by_id_and_birth() -> None:
    """The same id with another time of birth is a stranger."""
    own = ProcessIdentity.own()
    assert own.process() == psutil.Process()
    assert own.model_copy(update={"created_at": own.created_at - 60.0}).process() is None
    assert ProcessIdentity.of(2**22 + 1) is None
