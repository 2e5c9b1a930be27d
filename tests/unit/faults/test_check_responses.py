"""What an alert did in a scenario: detection, reset, flaps and the nearest value, over phases and seeds."""

from __future__ import annotations

import math

import pytest

from faults.drills.check.responses import errors_of, response_of
from faults.drills.check.result import Range
from stack.rules.file import AlertingRule
from tests.unit.faults.made_tries import REF, RULE, made_try


def test_detection_and_reset_are_ranges_over_phases_and_seeds() -> None:
    """Each phase is a try; the range is what a person would see, whenever Prometheus happens to look."""
    one = made_try([(10.0, 310.0, 700.0)], [(20.0, 320.0, 720.0)])
    other = made_try([(5.0, 305.0, 690.0)], [], seed=2)
    found = response_of([one, other], REF)
    assert (found.fired, found.tries) == (3, 4)
    assert found.detection_s == Range(least=305.0, most=320.0)
    assert found.reset_s == Range(least=90.0, most=120.0)
    assert found.told_s == Range(least=335.0, most=350.0), "Alertmanager's own group_wait later"
    assert found.resolved is True
    assert not found.flaps
    assert found.why == "`x` had no value at any time", "of the try in which it did not"


def test_what_was_active_before_the_fault_is_no_detection() -> None:
    """Pending counts as active: the fault did not begin it."""
    for before in ([(-100.0, -50.0, 700.0)], [(-100.0, 200.0, 700.0)]):
        found = response_of([made_try(before)], REF)
        assert found.already
        assert not found.fired
        assert "active before" in found.why
    over = response_of([made_try([(-100.0, -50.0, -10.0), (10.0, 310.0, 700.0)])], REF)
    assert not over.already
    assert over.fired == 1


def test_what_fires_again_flaps_and_what_lasts_has_not_resolved() -> None:
    """One life more of the same alert is one flap; an alert that still fires at the end has no reset time."""
    found = response_of([made_try([(0.0, 300.0, 400.0), (410.0, 710.0, None)])], REF)
    assert found.flaps == 1
    assert found.resolved is False
    assert found.reset_s is None
    early = response_of([made_try([(0.0, 300.0, 400.0)])], REF)
    assert early.reset_s == Range(least=0.0, most=0.0), "it had resolved before the fault ended"


@pytest.mark.parametrize(
    ("expr", "values", "nearest", "why"),
    [
        (
            "x > 5",
            [(-60.0, 9.0), (30.0, 3.5), (60.0, math.nan), (90.0, 2.0)],
            3.5,
            "came to 3.5 at best, which is not > 5",
        ),
        ("x < 5", [(30.0, 7.0), (90.0, 6.0)], 6.0, "came to 6 at best, which is not < 5"),
        ("x == 5", [(30.0, 9.0), (90.0, 4.0)], 4.0, "came to 4 at best, which is not == 5"),
    ],
)
def test_the_nearest_value_is_told_with_its_threshold(
    expr: str, values: list[tuple[float, float]], nearest: float, why: str
) -> None:
    """Only what was after the fault counts, and NaN is nowhere near anything."""
    found = response_of([made_try([], values=values, rule=AlertingRule("A", expr))], REF)
    assert found.closest is not None
    assert (found.closest.value, found.closest.threshold, found.closest.expr) == (nearest, 5.0, "x")
    assert found.closest.at_s == next(at for at, value in values if value == nearest)
    assert why in found.why


def test_why_it_did_not_fire_is_told_by_what_held_it_back() -> None:
    """A `for` that did not pass, a side without a value, an expression that failed: each in its own words."""
    pending = response_of([made_try([(0.0, None, 120.0)], values=[(30.0, 9.0)])], REF)
    assert pending.why == "it was true for 2 min 00 s at most, and `for` asks for 5 min 00 s"
    late = response_of([made_try([(1100.0, None, None)], values=[(30.0, 9.0)])], REF)
    assert "still pending at the end" in late.why
    nothing = response_of([made_try([])], REF)
    assert nothing.why == "`x` had no value at any time"
    bare = response_of([made_try([], rule=AlertingRule("A", "absent(x)"))], REF)
    assert bare.why == "its expression had no result at any time"
    failed = [made_try([], error="query timed out")]
    assert response_of(failed, REF).why == "the engine could not evaluate it: query timed out"
    assert errors_of(failed, REF) == "query timed out"


def test_the_steady_state_counts_from_its_start() -> None:
    """Whatever fires in it fires without a fault, at whatever time."""
    found = response_of([made_try([(-600.0, -300.0, None)], lit=False, scenario="steady state")], REF)
    assert found.fired == 1
    assert found.detection_s == Range(least=300.0, most=300.0)
    assert not found.already
    assert RULE.for_s == 300.0
