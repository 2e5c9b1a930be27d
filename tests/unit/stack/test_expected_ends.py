"""A component that is killed on purpose is started again as often as it takes; without notice it is given up."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_tools import options, pids, small_home, until

from stack import native
from stack.expected import ends_are_expected, expect_ends
from stack.home import Home
from stack.status import read_status
from stack.units import RestartPolicy
from tests.levels import thorough
from tests.ports import free_endpoints


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """Give a home that is taken down at the end."""
    with small_home(tmp_path) as place:
        yield place


def _kill(home: Home, name: str) -> None:
    """End a component, and wait for the process that takes its place."""
    pid = pids(read_status(home))[name]
    os.kill(pid, signal.SIGKILL)
    until(lambda: pids(read_status(home)).get(name, pid) != pid, 20.0)


@thorough
def test_expected_ends_are_no_reason_to_give_up(home: Home) -> None:
    """Killed more often in a row than the supervisor has patience for, it comes back all the same."""
    native.up(options(home, free_endpoints().offset), detach=True)
    expect_ends(home, "side", time.time() + 120.0)
    kills = RestartPolicy().attempts + 2
    for _ in range(kills):
        _kill(home, "side")
    until(lambda: read_status(home).state == "up", 20.0)
    side = next(component for component in read_status(home).components if component.name == "side")
    assert side.restarts == kills


def test_an_announcement_ends_by_itself(tmp_path: Path) -> None:
    """What was announced by somebody who is gone is worth nothing after its time, and is of one component only."""
    home = Home(tmp_path)
    assert not ends_are_expected(home, "service")
    expect_ends(home, "service", time.time() + 60.0)
    assert ends_are_expected(home, "service")
    assert not ends_are_expected(home, "traffic")
    expect_ends(home, "service", time.time() - 1.0)
    assert not ends_are_expected(home, "service")
    (home.run / "expected" / "service").write_text("tomorrow")
    assert not ends_are_expected(home, "service")
