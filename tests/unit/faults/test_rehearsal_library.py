"""The library on a virtual clock: every drill passes, and says what it says live."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.drills.judge.judge import Judge
from faults.drills.rehearsal.agreement import DrillAgreement, NotComparable, agreement
from faults.drills.rehearsal.ground import shipped_ground
from faults.drills.rehearsal.run import Rehearsal
from faults.drills.spec import load_library
from faults.drills.wire import DrillRun
from stack.pace import PRODUCTION, WORKSHOP
from tests.levels import on_request, thorough
from tests.unit.faults.live_runs import live_runs

LONG = ("budget-creep", "budget-drain")
"""Drills of minutes at 50 requests/s and more: half of what all the others take together."""
pytestmark = pytest.mark.xdist_group("rehearsal")


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    """Give one judge for all drills."""
    with Judge.started(lookback_s=shipped_ground(WORKSHOP).look_back_s) as one:
        yield one


@pytest.fixture(scope="module")
def quick(judge: Judge, trained: Path) -> Rehearsal:
    """Give a rehearsal of one phase, which takes a second a drill."""
    ground = shipped_ground(WORKSHOP)
    return Rehearsal(ground, judge, trained, scrape_phases=1, evaluation_phases=1, explained=False)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=on_request) if name in LONG else name for name in sorted(load_library())]
)
def test_every_drill_of_the_library_passes_virtually(name: str, quick: Rehearsal) -> None:
    """Each drill lights its faults, and the alerts that it expects ring, are told of and end; no other does."""
    drill = load_library()[name]
    live = live_runs().get(name)
    burned_s = None if live is None or live.fault_at is None else (live.rollback_at or 0.0) - live.fault_at + 3.0
    run = quick.perform(drill, burn_s=burned_s).run
    assert run.verdict == "passed", run.reason
    assert run.virtual
    assert run.phase == "done"
    assert [one.alert for one in run.outcomes if one.expected] == [one.alert for one in drill.expect]


@pytest.mark.parametrize(
    "name", [pytest.param("error-burst", marks=on_request), pytest.param("model-missing", marks=thorough)]
)
def test_a_live_run_agrees_with_ten_virtual_ones(name: str, judge: Judge, trained: Path) -> None:
    """Every stage of a run that was measured on a stack lies within the virtual range, a scrape and an evaluation."""
    rehearsal = Rehearsal(shipped_ground(WORKSHOP), judge, trained, evaluation_phases=2, explained=False)
    found = agreement(live_runs()[name], load_library()[name], rehearsal)
    assert (found.seeds, found.tries) == (10, 60)
    # put out when the live one was, some end before their group_wait is over, of which nothing is sent; no other fails
    assert found.virtual_passed == min(one.reached for one in found.stages) > 0
    outside = [one for one in found.stages if one.agrees is not True]
    assert not outside, outside
    assert len(found.stages) == 8 * len(found.alerts)
    assert all((one.width_s or 0.0) <= 4 * WORKSHOP.interval_s for one in found.stages)


def test_a_live_run_that_tells_another_story_does_not_agree(quick: Rehearsal) -> None:
    """An alert that fired live long after any virtual one is a disagreement, in that stage and no other."""
    live = live_runs()["model-missing"].model_copy(deep=True)
    assert live.outcomes[0].stages.firing is not None
    live.outcomes[0].stages.firing += 30.0
    found = agreement(live, load_library()["model-missing"], quick, seeds=1)
    assert not found.agrees
    assert [one.stage for one in found.stages if one.agrees is False] == ["firing"]


def test_a_stage_that_only_the_virtual_run_reached_does_not_agree(quick: Rehearsal) -> None:
    """A delivery that never came live, and always would have virtually, is a disagreement."""
    live = live_runs()["model-missing"].model_copy(deep=True)
    live.outcomes[0].stages.delivered = None
    found = agreement(live, load_library()["model-missing"], quick, seeds=1)
    assert [one.stage for one in found.stages if one.agrees is False] == ["delivered"]


def test_a_window_that_held_another_drill_is_no_disagreement(quick: Rehearsal) -> None:
    """Where a drill ended so shortly before that the alert's window held it, a stage outside says nothing, and why."""
    live = live_runs()["error-burst"].model_copy(deep=True)
    assert live.outcomes[0].stages.firing is not None
    assert live.fault_at is not None
    live.outcomes[0].stages.firing += 30.0
    other = live_runs()["no-traffic"].model_copy(update={"ended_at": live.fault_at - 5.0})
    found = agreement(live, load_library()["error-burst"], quick, seeds=1, others=[other, live])
    (firing,) = (one for one in found.alerts[0].stages if one.stage == "firing")
    assert firing.agrees is None
    assert firing.remark.startswith("its window of 20 s still held no-traffic")
    assert found.excused == 1
    long_ago = other.model_copy(update={"ended_at": live.fault_at - 25.0})
    assert not agreement(live, load_library()["error-burst"], quick, seeds=1, others=[long_ago]).agrees


def test_a_group_that_was_there_before_tells_at_once(quick: Rehearsal) -> None:
    """Live, an earlier drill's group told of the alert when it fired; virtual runs were put out before they could."""
    live = live_runs()["model-missing"].model_copy(deep=True)
    outcome = live.outcomes[0]
    stages, checks = outcome.stages, {one.stage: one for one in outcome.checks}
    assert stages.received is not None
    assert live.rollback_at is not None
    sooner_s = live.rollback_at - stages.received - 0.01
    live.rollback_at -= sooner_s
    stages.delivered = live.rollback_at
    assert stages.resolved is not None
    assert stages.resolution_delivered is not None
    stages.resolved, stages.resolution_delivered = stages.resolved - sooner_s, stages.resolution_delivered - sooner_s
    drill = load_library()["model-missing"]
    waited = {one.stage for one in agreement(live, drill, quick, seeds=3).stages if one.agrees is False}
    assert waited >= {"delivered"}
    checks["delivered"].earliest_s = checks["received"].measured_s
    found = agreement(live, drill, quick, seeds=3)
    assert found.agrees, [one for one in found.stages if one.agrees is False]
    told = {one.stage: one.remark for one in found.alerts[0].stages}
    assert "from an earlier drill" in told["delivered"]
    assert "no virtual run has a group from before" in told["resolution_delivered"]
    assert found.excused == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"verdict": "aborted"}, "it ended aborted"), ({"pace": PRODUCTION.name}, "it ran at production pace")],
)
def test_a_run_that_says_nothing_is_refused(change: dict[str, str], reason: str, quick: Rehearsal) -> None:
    """An aborted run, or one at another pace, is no witness, and the error says so."""
    live = live_runs()["model-missing"].model_copy(update=change)
    with pytest.raises(NotComparable, match=reason):
        agreement(live, load_library()["model-missing"], quick, seeds=1)


def test_an_agreement_is_plain_data(quick: Rehearsal) -> None:
    """What was found survives being written and read."""
    found = agreement(live_runs()["model-missing"], load_library()["model-missing"], quick, seeds=1)
    assert DrillAgreement.model_validate_json(found.model_dump_json()) == found
    assert isinstance(live_runs()["model-missing"], DrillRun)
