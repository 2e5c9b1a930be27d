"""The benchmark of the faults, short: real processes, figures that follow from the run."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from faults.base import FaultRecord, Target
from faults.drills.journal import Journal
from panel.bench.chaos.aftermath import held_ports, journal_problem, overdue, processes_of, until
from panel.bench.faults import idle, schedule
from stack.endpoints import Endpoints
from stack.home import Home
from tests.ports import free_endpoints

ROOT = Path(__file__).parents[3]


def test_the_idle_cost_is_told_in_parts_that_add_up() -> None:
    """Middleware and seams are the whole, within rounding, and the ratio is that of the two sides."""
    figures = {figure.figure: figure for figure in idle.measure(lambda _: None, rounds=5)}
    whole, middleware, seams, ratio, bare = (figure.value or 0.0 for figure in figures.values())
    assert whole == pytest.approx(middleware + seams, abs=0.02)
    assert bare > 0.0
    assert ratio > 0.5
    assert next(iter(figures.values())).target == 5.0


def test_the_schedule_is_sent_to_a_server_that_does_nothing() -> None:
    """Every scheduled request is accounted for, whatever this machine is busy with."""
    figures = {figure.figure: figure.value for figure in schedule.measure(lambda _: None, seconds=1, rounds=1)}
    late, worst, sent, answered = figures.values()
    assert late == worst
    assert 0.0 <= (late or 0.0) <= 1.0
    assert 0.0 < (answered or 0.0) <= (sent or 0.0) <= 1.0


def record(**changes: object) -> FaultRecord:
    """Return an active fault that ends at 100."""
    plain = FaultRecord(
        id="a",
        kind="error",
        parameters={},
        target=Target(),
        probability=1.0,
        ttl_s=60.0,
        seed=1,
        state="active",
        started_at=40.0,
        ends_at=100.0,
        injections=0,
    )
    return plain.model_copy(update=changes)


def test_only_active_faults_past_their_time_are_overdue() -> None:
    """Not those that ended, nor those whose time is only just over."""
    faults = [record(), record(id="b", state="ended"), record(id="c", ends_at=109.0)]
    assert [one.id for one in overdue(faults, 110.0)] == ["a"]
    assert overdue(faults, 100.5) == []


def test_processes_and_ports_of_a_stack_are_found(tmp_path: Path) -> None:
    """A process with that home and a port that listens are left-overs; this test is none."""
    home, endpoints = Home(tmp_path), free_endpoints()
    program = f"import socket, time; s = socket.create_server(('127.0.0.1', {endpoints.port('panel')})); time.sleep(60)"
    environment = {**os.environ, "FIREDRILL_HOME": str(home.root)}
    assert processes_of(home) == []
    with subprocess.Popen([sys.executable, "-c", program], env=environment) as orphan:
        try:
            assert until(lambda: held_ports(endpoints) == [endpoints.port("panel")], 30.0)
            assert [process.pid for process in processes_of(home)] == [orphan.pid]
        finally:
            orphan.kill()
    assert until(lambda: processes_of(home) == [], 10.0)
    assert held_ports(endpoints) == []
    assert psutil.pid_exists(os.getpid())


def test_a_damaged_journal_is_a_problem(tmp_path: Path) -> None:
    """Sound, moved aside, damaged, missing: only the first is none."""
    home = Home(tmp_path)
    path = home.data / "journal.sqlite"
    assert journal_problem(home)
    journal = Journal(path)
    for number in range(500):
        journal.write("test", "counted", str(number), {"padding": "x" * 200})
    journal.close()
    assert journal_problem(home) == ""
    aside = path.with_name("journal.sqlite.damaged-1")
    aside.touch()
    assert "moved aside" in journal_problem(home)
    aside.unlink()
    raw = bytearray(path.read_bytes())
    raw[8192:40960] = b"\xff" * (40960 - 8192)
    path.write_bytes(bytes(raw))
    assert journal_problem(home)


def test_waiting_ends_with_what_is_waited_for_or_its_time() -> None:
    """True as soon as it is so, false after the time."""
    began = time.monotonic()
    assert until(lambda: True, 60.0)
    assert not until(lambda: False, 0.05)
    assert time.monotonic() - began < 30.0
    assert Endpoints().port("panel")
