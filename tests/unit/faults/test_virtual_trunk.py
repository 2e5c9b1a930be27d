"""Worlds that share their calm: each branch is what its scenario alone would be, and nothing of it stays behind."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import pytest

from faults.drills.check.sharing import LEAST_S, shared_calms
from faults.drills.check.workers import Workers
from faults.drills.virtual.errors import VirtualError
from faults.drills.virtual.record import record
from faults.drills.virtual.scenario import Scenario
from faults.drills.virtual.trunk import can_branch, record_branch
from faults.drills.wire import TrafficSettings
from tests.levels import thorough
from tests.unit.faults.virtual_worlds import CALM_S, fingerprint, lit, small


@dataclass(frozen=True)
class Told:
    """What came of a branch in a worker."""

    pid: int
    branched: bool
    children: tuple[int, ...]
    found: str


@dataclass(frozen=True)
class Asked:
    """A branch to record in a worker; ``killed``: its trunk is killed beforehand."""

    scenario: Scenario
    artifacts: Path
    killed: bool = False


def branch(asked: Asked) -> Told:
    """Record a branch in a worker; return its fingerprint, or why there is none."""
    if asked.killed:
        for child in psutil.Process().children():
            child.send_signal(signal.SIGKILL)
    alone = can_branch()
    try:
        found = fingerprint(record_branch(asked.scenario, CALM_S, artifacts=asked.artifacts))
    except VirtualError as error:
        found = str(error)
    children = tuple(one.pid for one in psutil.Process().children(recursive=True))
    return Told(os.getpid(), alone, children, found)


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    """Start processes whose temporary files lie in a folder of the test's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(tmp_path_factory.mktemp("scratch")))
        with Workers.started(2) as started:
            yield started


def test_a_branch_has_the_samples_of_its_scenario_alone(workers: Workers, trained: Path) -> None:
    """Bit for bit, whatever burns after the calm, whether or not the calm goes on, one branch after the other."""
    scenarios = [
        small(lit("error", {"mode": "exception"}, probability=0.5)),
        small(lit("model_load_failure", {"reason": "damaged_file", "when": "reload"}), lit("crash", at_s=5.0)),
        small(lit("hang", until_s=6.0), lit("traffic_spike", {"factor": 3.0}), recovery_s=5.0),
        replace(small(), calm_s=30.0, burn_s=0.0, recovery_s=0.0),
    ]
    told = list(workers.each(branch, [Asked(one, trained) for one in scenarios]))
    assert all(one.branched for one in told)
    assert sorted(one.found for one in told) == sorted(fingerprint(record(one, artifacts=trained)) for one in scenarios)
    assert {len(one.children) for one in told} == {1}, "a trunk each, and no branch of it any more"


def test_what_cannot_be_recorded_is_said_in_the_same_words(workers: Workers, trained: Path) -> None:
    """A fault that is not lit ends its branch alone; a calm that cannot be fails all that begin with it."""
    unlit = small(lit("error", {"mode": "nonsense"}))
    nowhere = small(lit("error"), dialect="nobody-speaks-it")
    told = list(workers.each(branch, [Asked(one, trained) for one in (unlit, nowhere)]))
    words = []
    for one in (unlit, nowhere):
        with pytest.raises(VirtualError) as caught:
            record(one, artifacts=trained)
        words.append(str(caught.value))
    assert sorted(one.found for one in told) == sorted(words)


@thorough
def test_a_trunk_that_is_killed_costs_time_and_nothing_else(workers: Workers, trained: Path) -> None:
    """The branch is recorded all the same, with its calm."""
    scenario = small(lit("latency", {"delay_ms": 300}))
    told = list(workers.each(branch, [Asked(scenario, trained), Asked(scenario, trained, killed=True)]))
    assert {one.found for one in told} == {fingerprint(record(scenario, artifacts=trained))}


@thorough
def test_no_process_and_no_file_outlives_the_workers(tmp_path: Path, trained: Path) -> None:
    """Trunks go with the processes that asked for them, and keep no folder meanwhile."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(tmp_path))
        with Workers.started(2) as started:
            told = list(started.each(branch, [Asked(small(lit("hang")), trained) for _ in range(2)]))
            assert not list(tmp_path.glob("firedrill-virtual-*"))
    pids = {pid for one in told for pid in (one.pid, *one.children)}
    assert _within(20.0, lambda: all(map(_gone, pids)))


def test_a_process_with_threads_does_not_fork(trained: Path) -> None:
    """There every scenario is recorded by itself."""
    scenario = small(lit("latency", {"delay_ms": 300}), recovery_s=2.0)
    before = {one.pid for one in psutil.Process().children()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("faults.drills.virtual.trunk.can_branch", lambda: False)
        alone = record_branch(scenario, CALM_S, artifacts=trained)
    assert fingerprint(alone) == fingerprint(record(scenario, artifacts=trained))
    assert {one.pid for one in psutil.Process().children()} <= before


def test_scenarios_with_a_common_beginning_come_together() -> None:
    """Seed, traffic and series have to be the same; what is common is the shortest calm, from a minute on."""
    base = Scenario("", 1, 4 * LEAST_S, 60.0)
    longer, other = replace(base, calm_s=5 * LEAST_S), replace(base, seed=2)
    rarer = replace(base, traffic=TrafficSettings(rate=1.0))
    assert shared_calms([base, other, longer, rarer]) == [
        (base, 4 * LEAST_S),
        (longer, 4 * LEAST_S),
        (other, 0.0),
        (rarer, 0.0),
    ]
    short = replace(base, calm_s=LEAST_S / 2)
    assert [each for _, each in shared_calms([short, short])] == [0.0, 0.0]


def _gone(pid: int) -> bool:
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    return True


def _within(seconds: float, holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
