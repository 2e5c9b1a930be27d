"""The supervisor over small real processes: restarts what dies, gives up what keeps dying, leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from small_tools import ROOT, gone, options, pids, ports_free, small_home, until

from stack import native
from stack.child import LONGEST_LINE
from stack.endpoints import Endpoints
from stack.home import Home
from stack.logbook import logs
from stack.state import load_state
from stack.status import read_status
from stack.supervisor import StackNotReady
from stack.units import RestartPolicy
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


def ask(offset: int, port: str, path: str) -> None:
    """Ask a child for something."""
    urllib.request.urlopen(Endpoints(offset).url(port, path), timeout=5).close()


def component_state(home: Home, name: str) -> str:
    """Return the live state of one component."""
    return next(component.state for component in read_status(home).components if component.name == name)


@thorough
def test_components_that_ignore_sigterm_are_killed_in_time(home: Home, offset: int) -> None:
    """Children that do not listen to SIGTERM do not keep ``down`` from ending within 5 s."""
    started = native.up(options(home, offset, "DEAF"), detach=True)
    began = time.monotonic()
    native.down(home)
    assert time.monotonic() - began < 5.0
    assert all(gone(pid) for pid in pids(started).values())


def test_a_component_that_dies_is_restarted_and_counted(home: Home, offset: int) -> None:
    """A killed child and one that ends itself come back under a new process id, with the restart counted and logged."""
    before = pids(native.up(options(home, offset), detach=True))
    os.kill(before["base"], signal.SIGKILL)
    until(lambda: pids(read_status(home)).get("base", before["base"]) != before["base"])
    until(lambda: read_status(home).state == "up")
    ask(offset, "panel", "/die")
    until(lambda: pids(read_status(home)).get("side", before["side"]) != before["side"])
    until(lambda: read_status(home).state == "up")
    after = read_status(home)
    assert {c.name: c.restarts for c in after.components} == {"base": 1, "top": 0, "side": 1}
    assert pids(after)["top"] == before["top"]
    text = "\n".join(map(str, logs(home)))
    assert "base: was ended by SIGKILL" in text
    assert "side: ended with exit code 3" in text
    assert "side         | asked to die" in text


def test_a_grandchild_ends_with_its_component(home: Home, offset: int) -> None:
    """What a component started is gone when the component is."""
    status = native.up(options(home, offset), detach=True)
    ask(offset, "panel", "/fork")
    side = psutil.Process(pids(status)["side"])
    until(side.children)
    grandchild = side.children()[0].pid
    side.kill()
    until(lambda: gone(grandchild))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends the children of a killed parent")
def test_nothing_survives_a_killed_supervisor(home: Home, offset: int) -> None:
    """Within 5 s of ``kill -9`` of the supervisor all processes are gone and the ports are free; ``up`` then works."""
    before = native.up(options(home, offset), detach=True)
    assert before.supervisor_pid is not None
    os.kill(before.supervisor_pid, signal.SIGKILL)
    took = until(lambda: all(gone(pid) for pid in pids(before).values()) and ports_free(offset), 5.0)
    assert took < 5.0
    until(lambda: read_status(home).state == "down", 1.0)
    assert native.up(options(home, offset), detach=True).state == "up"


@pytest.mark.parametrize(
    ("table", "reason", "words"),
    [
        ("SICK", "not ready within 3 s: /health answers 503, not 200", "top speaking"),
        ("BROKEN", "ended with exit code 7", "the moon is in the wrong house"),
    ],
)
def test_a_component_that_does_not_become_ready_takes_the_start_back(
    home: Home, offset: int, table: str, reason: str, words: str
) -> None:
    """``up`` says which component failed, why, and what it printed; everything that had started is stopped again."""
    with pytest.raises(StackNotReady) as caught:
        native.up(options(home, offset, table), detach=True)
    assert caught.value.component == "top"
    assert reason in caught.value.reason
    assert words in str(caught.value)
    assert ports_free(offset)
    assert read_status(home).state == "down"


@thorough
def test_a_component_that_keeps_dying_is_left_alone_and_the_rest_goes_on(home: Home, offset: int) -> None:
    """After five quick ends the supervisor gives a component up, says so, and keeps the others."""
    native.up(options(home, offset, "BRIEF"), detach=True)
    policy = RestartPolicy()
    patience_s = sum(policy.delay_s(n) for n in range(1, policy.attempts)) + policy.attempts * 2.0

    def given_up() -> bool:
        state = load_state(home.state_file)
        return state is not None and state.units[1].phase == "gave up"

    until(given_up, patience_s)
    status = read_status(home)
    assert status.state == "degraded"
    assert "top" in status.detail.lower()
    assert component_state(home, "base") == "ready"
    assert any("gave up: top" in line.text for line in logs(home, "supervisor"))


def test_a_component_that_hangs_shows_as_down(home: Home, offset: int) -> None:
    """A stopped process is neither ready nor restarted: status says that it does not answer."""
    status = native.up(options(home, offset), detach=True)
    os.kill(pids(status)["base"], signal.SIGSTOP)
    try:
        hung = read_status(home, timeout_s=0.3)
        assert hung.state == "degraded"
        assert hung.components[0].state == "down"
        assert hung.components[0].detail == "no answer within 0.3 s"
    finally:
        os.kill(pids(status)["base"], signal.SIGCONT)
    until(lambda: read_status(home).state == "up")


def test_children_are_told_where_they_belong(home: Home, offset: int) -> None:
    """Every child gets home, offset and pace in its environment, and its lines reach the log under its name."""
    native.up(options(home, offset), detach=True)
    said = [line.text for line in logs(home, "base")]
    assert said == [f"base speaking from {ROOT} at pace workshop"]


def test_a_very_long_line_is_cut(home: Home, tmp_path: Path) -> None:
    """A line beyond 64 KiB without an end costs bounded memory and loses nothing."""
    script = tmp_path / "long.py"
    script.write_text(
        "import asyncio, signal, sys\n"
        "from pathlib import Path\n"
        "from stack.child import Child\n"
        "async def main():\n"
        "    lines = []\n"
        "    argv = [sys.executable, '-c', \"print('x' * 200000)\"]\n"
        "    child = Child(argv, environment={}, directory=Path('/'), on_line=lines.append)\n"
        "    asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, child.reap)\n"
        "    child.reap()\n"
        "    await child.exited\n"
        "    print(max(map(len, lines)), sum(map(len, lines)))\n"
        "asyncio.run(main())\n"
    )
    said = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=True, cwd=home.root.parent
    )
    longest, total = map(int, said.stdout.split())
    assert longest == LONGEST_LINE
    assert total == 200_000


def test_the_pause_before_a_restart_doubles_up_to_a_bound() -> None:
    """The first restart follows at once, so to speak; the pauses then double and never exceed 5 s."""
    policy = RestartPolicy()
    pauses = [policy.delay_s(deaths) for deaths in range(9)]
    assert pauses[:4] == [0.2, 0.2, 0.4, 0.8]
    assert max(pauses) == pauses[-1] == 5.0
