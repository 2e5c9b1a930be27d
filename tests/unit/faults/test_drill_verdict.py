"""Verdicts: each way in which an alert can disappoint has its word and its reason, and nothing else passes."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faults.drills.verdict import Bounds, judge, sum_up
from faults.drills.wire import AlertOutcome, AlertVerdict, StageTimes

BOUNDS = Bounds(firing_within_s=30.0, delivered_within_s=10.0, resolved_within_s=25.0)
GOOD = StageTimes(
    condition_true=101.0,
    pending=102.0,
    firing=122.0,
    received=122.1,
    delivered=124.0,
    resolved=145.0,
    resolution_delivered=147.0,
)
FAULT_AT, ROLLBACK_AT = 100.0, 125.0


@pytest.mark.parametrize(
    ("changes", "verdict", "said"),
    [
        ({}, "as expected", "fired 22.0 s after the fault, resolved 20.0 s after the rollback"),
        ({"firing": None}, "missed", "did not fire within 30 s of the fault; the sky is blue"),
        ({"firing": 131.0}, "late", "fired 31.0 s after the fault, later than 30 s"),
        ({"delivered": None}, "not delivered", "Alertmanager received it"),
        ({"delivered": None, "received": None}, "not delivered", "Alertmanager did not receive it"),
        ({"delivered": 133.0}, "late", "delivered 11.0 s after it fired"),
        ({"resolved": None}, "not resolved", "was still firing 25 s after the rollback"),
        ({"resolved": 151.0}, "late", "resolved 26.0 s after the rollback, later than 25 s"),
        ({"resolved": 124.5, "resolution_delivered": 126.0}, "as expected", "resolved before the rollback"),
        ({"resolution_delivered": None}, "not delivered", "the webhook was not told of its end"),
        ({"resolution_delivered": 156.0}, "late", "its end was delivered 11.0 s after it resolved"),
    ],
)
def test_each_shortcoming_has_its_verdict(changes: dict[str, float | None], verdict: str, said: str) -> None:
    """One stage missing or late in a life that is otherwise good."""
    stages = GOOD.model_copy(update=changes)
    judgement = judge(stages, BOUNDS, fault_at=FAULT_AT, rollback_at=ROLLBACK_AT, waited_for="the sky is blue")
    assert (judgement.verdict, said in judgement.detail) == (verdict, True), judgement


_times = st.none() | st.floats(0, 300)


@given(st.builds(StageTimes, firing=_times, delivered=_times, resolved=_times, resolution_delivered=_times))
def test_only_a_whole_life_within_its_bounds_is_as_expected(stages: StageTimes) -> None:
    """The good verdict means: fired, delivered, resolved and delivered again, each in time."""
    judgement = judge(stages, BOUNDS, fault_at=FAULT_AT, rollback_at=ROLLBACK_AT, waited_for="")
    firing, delivered, resolved, told = stages.firing, stages.delivered, stages.resolved, stages.resolution_delivered
    good = (
        firing is not None
        and delivered is not None
        and resolved is not None
        and told is not None
        and firing - FAULT_AT <= 30.0
        and delivered - firing <= 10.0
        and resolved - ROLLBACK_AT <= 25.0
        and told - resolved <= 10.0
    )
    assert (judgement.verdict == "as expected") == good


def outcome(verdict: AlertVerdict | None, *, expected: bool) -> AlertOutcome:
    """Return an outcome."""
    return AlertOutcome(alert="A", expected=expected, verdict=verdict, detail="so it was")


def test_a_drill_passes_only_if_every_expectation_is_met_and_nothing_unexpected_fired() -> None:
    """Every pair of outcomes: allowed and already firing strangers do not matter, all else does."""
    mine_all: tuple[AlertVerdict | None, ...] = ("as expected", "missed", "late", None)
    other_all: tuple[AlertVerdict, ...] = ("as expected", "unexpected", "already firing")
    for mine, other in itertools.product(mine_all, other_all):
        verdict, reason = sum_up([outcome(mine, expected=True), outcome(other, expected=False)])
        good = mine == "as expected" and other != "unexpected"
        assert (verdict == "passed") == good
        assert good or "A: " in reason


def test_a_drill_that_expects_nothing_does_not_pass() -> None:
    """No outcome is no proof."""
    assert sum_up([])[0] == "failed"
