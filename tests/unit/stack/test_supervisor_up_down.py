"""``up`` and ``down`` of the native runtime over small real processes, in the foreground and detached."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event as Flag
from threading import Thread

import psutil
import pytest
from small_tools import FOREGROUND, ROOT, gone, options, pids, ports_free, small_home, until

from stack import native
from stack.endpoints import HOST, Endpoints
from stack.events import Event
from stack.home import Home
from stack.locks import FileLock, lock_path
from stack.pace import WORKSHOP
from stack.ports import PortBusy
from stack.state import load_state
from stack.status import read_status
from tests.levels import thorough
from tests.ports import free_endpoints


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """Give a home that is taken down at the end."""
    with small_home(tmp_path) as place:
        yield place


@pytest.fixture
def offset() -> int:
    """Return an offset with free ports."""
    return free_endpoints().offset


def test_up_brings_all_components_up_in_the_order_of_their_needs(home: Home, offset: int) -> None:
    """What is needed is ready before its dependent starts; status then shows every component ready."""
    seen: list[Event] = []
    status = native.up(options(home, offset), detach=True, on_event=seen.append)
    order = [(event.kind, event.component) for event in seen]
    assert order.index(("ready", "base")) < order.index(("starting", "top"))
    assert order[-1] == ("up", "")
    assert status.state == "up"
    assert status == read_status(home) or status.components[0].uptime_s is not None
    assert {c.name: c.state for c in status.components} == {"base": "ready", "top": "ready", "side": "ready"}
    assert all((c.memory_bytes or 0) > 1_000_000 for c in status.components)
    assert status.memory_bytes > sum(c.memory_bytes or 0 for c in status.components)
    assert status.supervisor_pid == psutil.Process(pids(status)["base"]).ppid()
    assert status.pace == WORKSHOP.name
    assert status.offset == offset


def test_down_stops_everything_at_once_and_is_idempotent(home: Home, offset: int) -> None:
    """After ``down`` no process and no port is left, within 5 s; a second ``down`` finds nothing."""
    started = native.up(options(home, offset), detach=True)
    began = time.monotonic()
    stopped = native.down(home)
    assert time.monotonic() - began < 5.0
    assert stopped.was_up
    assert set(stopped.components) == {"base", "top", "side"}
    assert all(gone(pid) for pid in pids(started).values())
    assert ports_free(offset)
    assert native.down(home) == native.Stopped(was_up=False, components=())
    assert read_status(home).state == "down"


def test_down_ends_what_a_killed_supervisor_recorded(home: Home, offset: int) -> None:
    """Where children outlive the supervisor, ``down`` ends those in the state file and no stranger with a reused id."""
    native.up(options(home, offset), detach=True)
    state = load_state(home.state_file)
    native.down(home)
    assert state is not None
    orphan = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        born = psutil.Process(orphan.pid).create_time()
        units = list(state.units)
        ours = units[0].identity
        assert ours is not None
        units[0].identity = ours.model_copy(update={"pid": orphan.pid, "created_at": born})
        units[1].identity = ours.model_copy(update={"pid": stranger.pid, "created_at": born - 3600.0})
        state.model_copy(update={"units": units}).save(home.state_file)
        degraded = read_status(home)
        assert degraded.state == "degraded"
        assert "firedrill down" in degraded.detail
        stopped = native.down(home)
        assert stopped.killed == ("base",)
        assert orphan.wait(5) == -signal.SIGKILL
        assert stranger.poll() is None
    finally:
        for process in (orphan, stranger):
            process.kill()
            process.wait()


@pytest.mark.parametrize(
    "number", [signal.SIGINT, *(pytest.param(one, marks=thorough) for one in (signal.SIGTERM, signal.SIGHUP))]
)
def test_a_signal_ends_a_stack_in_the_foreground(home: Home, offset: int, number: signal.Signals) -> None:
    """Ctrl-C, SIGTERM or a closed terminal stop a stack in the foreground within 5 s, in the order of dependencies."""
    command = [sys.executable, "-c", FOREGROUND, str(home.root), str(offset), "small_stack:COMPONENTS", "stay"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("up"):
                break
        running = pids(read_status(home))
        began = time.monotonic()
        process.send_signal(number)
        rest = process.stdout.read().split("\n")
        assert process.wait(5) == 0
    assert time.monotonic() - began < 5.0
    assert all(gone(pid) for pid in running.values())
    assert ports_free(offset)
    stopped = [line for line in rest if line.startswith("stopped ")]
    order = ["stopped side", "stopped top", "stopped base", "stopped "]
    assert stopped == [line for line in order if line in stopped], "whoever had to be killed is not told of"
    assert stopped[-1] == order[-1]
    assert rest[-2] == "ended down"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends the children of a killed parent")
def test_nothing_survives_a_killed_foreground_supervisor(home: Home, offset: int) -> None:
    """``kill -9`` of ``up`` in the foreground takes its children with it."""
    command = [sys.executable, "-c", FOREGROUND, str(home.root), str(offset), "small_stack:COMPONENTS", "stay"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=ROOT) as process:
        until(lambda: read_status(home).state == "up")
        running = pids(read_status(home))
        process.kill()
        until(lambda: all(gone(pid) for pid in running.values()) and ports_free(offset), 5.0)


def test_a_second_up_says_that_the_stack_is_up(home: Home, offset: int) -> None:
    """``up`` on a home whose stack is up starts nothing and names the supervisor."""
    status = native.up(options(home, offset), detach=True)
    with pytest.raises(native.AlreadyUp, match=f"already up \\(pid {status.supervisor_pid}\\)"):
        native.up(options(home, offset), detach=True)
    assert pids(read_status(home)) == pids(status)


def test_of_two_ups_at_once_one_wins(home: Home, offset: int) -> None:
    """Two processes that call ``up`` in the same moment give one stack and one clear refusal."""
    command = [sys.executable, "-c", FOREGROUND, str(home.root), str(offset), "small_stack:COMPONENTS", "detach"]
    racers = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT) for _ in range(3)
    ]
    said = [racer.communicate(timeout=30) for racer in racers]
    assert sorted(racer.returncode for racer in racers) == [0, 1, 1]
    assert sum("AlreadyUp: the stack in" in error for _, error in said) == 2
    assert read_status(home).state == "up"


def test_a_busy_port_is_named_with_its_holder_before_anything_starts(home: Home, offset: int) -> None:
    """``up`` names port, component, process and command line of the holder, and an offset that works."""
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind((HOST, Endpoints(offset).port("panel")))
        holder.listen()
        seen: list[Event] = []
        with pytest.raises(PortBusy) as caught:
            native.up(options(home, offset), detach=True, on_event=seen.append)
    taken = caught.value.taken
    assert [(t.port, t.component, t.holder.pid) for t in taken] == [(8501 + offset, "side", os.getpid())]
    assert taken[0].holder.command.startswith(psutil.Process().cmdline()[0])
    assert "--port-offset" in str(caught.value)
    assert not [event for event in seen if event.kind == "starting"]
    assert not FileLock(lock_path(home)).is_held()


def test_down_during_a_start_stops_that_start(home: Home, offset: int) -> None:
    """``down`` while ``up`` still waits for a component ends both."""
    raised: list[BaseException] = []
    waiting = Flag()

    def start() -> None:
        try:
            native.up(options(home, offset, "SICK"), detach=True, on_event=lambda _event: waiting.set())
        except native.SupervisorLost as error:
            raised.append(error)

    thread = Thread(target=start)
    thread.start()
    assert waiting.wait(10)
    native.down(home)
    thread.join(10)
    assert len(raised) == 1
    assert "was stopped while the stack was starting" in str(raised[0])
    assert ports_free(offset)


def test_a_home_that_cannot_be_written_to_is_said_to_be_so(tmp_path: Path, offset: int) -> None:
    """``up`` in a place that is no folder names it and what to set, without a traceback of the operating system's."""
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(native.HomeUnusable, match="set FIREDRILL_HOME"):
        native.up(options(Home(tmp_path / "file" / "home"), offset), detach=True)
