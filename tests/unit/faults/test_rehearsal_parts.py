"""The pure parts of virtual drills: lengths, pasts, ranges, notifications."""

from __future__ import annotations

import itertools
from typing import Any
from unittest.mock import create_autospec

import pytest

from faults.drills.errors import DrillError
from faults.drills.judge.judgement import AlertLife
from faults.drills.rehearsal.agreement import agreement
from faults.drills.rehearsal.ground import Ground, shipped_ground
from faults.drills.rehearsal.ranges import middle, summed_up
from faults.drills.rehearsal.run import Rehearsal
from faults.drills.rehearsal.scenario import calm_s, longest_burn_s, longest_recovery_s, past_of, scenario_of
from faults.drills.rehearsal.telling import notifications
from faults.drills.spec import load_library
from faults.drills.wire import AlertOutcome, AlertVerdict, DrillRun, StageTimes, Verdict
from stack.pace import PACES, PRODUCTION, WORKSHOP


@pytest.fixture(scope="module")
def ground() -> Ground:
    """Give the shipped rules at workshop pace."""
    return shipped_ground(WORKSHOP)


def run_of(verdict: Verdict, fired_s: float, *, unexpected: str = "", seed: int = 1) -> DrillRun:
    """Return a run whose one expected alert fired so long after the fault."""
    judged: AlertVerdict = "as expected" if verdict == "passed" else "late"
    stages = StageTimes(firing=100.0 + fired_s, resolved=200.0)
    outcomes = [AlertOutcome(alert="A", expected=True, stages=stages, verdict=judged)]
    if unexpected:
        outcomes.append(AlertOutcome(alert=unexpected, expected=False, verdict="unexpected"))
    return DrillRun(
        id="x",
        name="x",
        title="x",
        pace="workshop",
        phase="done",
        verdict=verdict,
        reason=verdict,
        seed=seed,
        queued_at=0.0,
        fault_at=100.0,
        rollback_at=190.0,
        outcomes=outcomes,
    )


@pytest.mark.parametrize("pace", PACES)
def test_a_scenario_is_long_enough_for_its_rules(pace: str) -> None:
    """The calm covers what expected alerts look back, unless the drill brings its past; the rest the drill's bounds."""
    ground = shipped_ground(PACES[pace])
    for name, drill in load_library().items():
        windows = [ground.windows_s[one.alert] for one in drill.expect]
        supplied = 0.0 if drill.history is None else ground.pace.scale(drill.history.covers)
        assert calm_s(drill, ground) >= max((one for one in windows if one > supplied), default=0.0), name
        assert calm_s(drill, ground) >= ground.pace.scale(drill.steady_state.hold), name
        for one in drill.expect:
            assert longest_burn_s(drill, ground, 1) > ground.pace.scale(one.firing_within), name
            assert longest_recovery_s(drill, ground) > ground.pace.scale(one.resolved_within), name
        assert longest_burn_s(drill, ground, 1) >= ground.pace.scale(drill.watch or 0.0), name


def test_seeds_move_the_fault_within_an_interval(ground: Ground) -> None:
    """Ten seeds light the fault at ten shares of a scrape interval, spread over all of it, on top of the same calm."""
    drill = load_library()["error-burst"]
    shares = sorted(
        scenario_of(drill, ground, seed, burn_s=1.0, recovery_s=1.0, metrics=None, scrape_phases=3, traces=False).calm_s
        - calm_s(drill, ground)
        for seed in range(1, 11)
    )
    gaps = [later - before for before, later in itertools.pairwise(shares)]
    assert shares[0] >= 0.0
    assert shares[-1] < ground.pace.interval_s
    assert 0.0 < max(gaps) < 0.2 * ground.pace.interval_s


def test_a_drill_with_a_history_waits_as_long_as_it_did_live(ground: Ground) -> None:
    """Between its history and its fault a live run sent its traffic for a while; the virtual one sends it as long."""
    drill = load_library()["budget-drain"]
    given: dict[str, Any] = {"burn_s": 1.0, "recovery_s": 1.0, "metrics": None, "scrape_phases": 3, "traces": False}
    own = scenario_of(drill, ground, 1, **given)
    as_live = scenario_of(drill, ground, 1, **given, waited_s=27.6)
    assert own.settling_s < 5.0
    assert 28.0 <= as_live.calm_s < 29.0
    assert as_live.settling_s == 28.0


@pytest.mark.parametrize(("name", "waited_s"), [("budget-drain", 30.0), ("error-burst", None)])
def test_an_agreement_waits_from_the_end_of_the_run_before(name: str, waited_s: float | None, ground: Ground) -> None:
    """A run that stood in the queue began when the one before it ended; without a history the wait says nothing."""
    live = run_of("passed", 5.0).model_copy(update={"name": name, "queued_at": 10.0})
    before, after = (live.model_copy(update={"ended_at": at}) for at in (70.0, 300.0))
    rehearsal = create_autospec(Rehearsal, instance=True, ground=ground)
    rehearsal.perform.side_effect = DrillError("asked")
    with pytest.raises(DrillError, match="asked"):
        agreement(live, load_library()[name], rehearsal, others=iter([before, after]))
    assert rehearsal.perform.call_args.kwargs["waited_s"] == waited_s


def test_the_past_ends_before_the_first_scrape(ground: Ground) -> None:
    """A drill's history is one sample an interval, from its beginning to its end, none of it after the start."""
    history = load_library()["budget-creep"].history
    assert history is not None
    past = past_of(history, 1_000_000.0, ground.pace)
    assert len(past) == len(history.series)
    for one, given in zip(past, history.series, strict=True):
        times = [at for at, _ in one.points]
        assert times == sorted(set(times))
        assert 1_000_000.0 - times[0] == pytest.approx(ground.pace.scale(given.since or history.covers), abs=1.0)
        assert 1_000_000.0 - times[-1] == pytest.approx(max(ground.pace.scale(given.until), 1.0), abs=1.0)
    counts = next(one for one in past if one.labels["__name__"] == "job_slo:requests:increase5m")
    assert counts.points[0][1] == 6000 / ground.pace.factor
    assert past_of(None, 1_000_000.0, ground.pace) == ()


def test_a_rising_past_has_the_slope_that_was_asked_for() -> None:
    """`per_second` is a counter from 0 whose rate is just that."""
    history = load_library()["budget-plunge"].history
    assert history is not None
    rising = history.series[1].model_copy(update={"value": None, "per_second": 2.0})
    (one,) = past_of(history.model_copy(update={"series": (rising,)}), 1_000_000.0, PRODUCTION)
    assert one.points[0][1] == 0.0
    (first_at, _), (last_at, last) = one.points[0], one.points[-1]
    assert last == pytest.approx(2.0 * (last_at - first_at))


def test_the_middle_one_of_those_that_went_worst_is_shown() -> None:
    """Where all pass it is the one with the middle times; one that failed is shown before any that passed."""
    runs = [run_of("passed", 9.0), run_of("passed", 5.0), run_of("passed", 7.0)]
    assert middle(runs, among=3) == 2
    assert middle([*runs, run_of("failed", 30.0)], among=4) == 3
    assert middle([*runs, run_of("failed", 30.0)], among=2) in {0, 1}


def test_a_run_passes_only_if_every_phase_does() -> None:
    """A failure in a seed that is not shown is the run's, with the seed and in how many phases it was so."""
    runs = [run_of("passed", 5.0), run_of("passed", 7.0), run_of("failed", 9.0, unexpected="B", seed=2)]
    run = summed_up(runs, 0)
    assert (run.verdict, run.tries) == ("failed", 3)
    assert run.reason == "failed (with seed 2); so in 1 of 3 phases"
    assert [(one.alert, one.verdict) for one in run.outcomes] == [("A", "late"), ("B", "unexpected")]
    (firing, resolved) = run.outcomes[0].ranges
    assert (firing.stage, firing.least_s, firing.most_s, firing.reached) == ("firing", 5.0, 9.0, 3)
    assert (resolved.stage, resolved.least_s, resolved.most_s) == ("resolved", 10.0, 10.0)
    assert summed_up(runs[:2], 1).reason == "passed"


def test_the_webhook_is_told_after_the_groups_timers(ground: Ground) -> None:
    """A firing is told a group_wait later, its end at the next group_interval; what ended before is never told."""
    wait_s, every_s = ground.routing.root.group_wait_s, ground.routing.root.group_interval_s
    told = AlertLife((("severity", "page"),), 100.0, 120.0, 120.0 + wait_s + 0.5 * every_s)
    short = AlertLife((), 100.0, 120.0, 120.0 + wait_s / 2)
    silent = AlertLife((), 100.0, None, 110.0)
    notes = notifications([("Told", told), ("Short", short), ("Silent", silent)], ground.routing)
    assert [(one.alert, one.status, one.at) for one in notes] == [
        ("Told", "firing", 120.0 + wait_s),
        ("Told", "resolved", 120.0 + wait_s + every_s),
    ]
    assert notes[0].labels == {"alertname": "Told", "severity": "page"}
    assert (notes[0].starts_at, notes[1].ends_at) == (120.0, told.ended_at)
