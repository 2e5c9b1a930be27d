"""Predicted times of stages: what they are made of, and how a measured life is held against them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faults.drills.prediction import Course, Timing, check_stages, excess_s, may_be_known
from faults.drills.windows import Windows, joined, windows_of
from faults.drills.wire import STAGES, StageCheck, StageTimes
from stack.configuration import RULES_DIR
from stack.rules.read import AlertingRule, RecordingRule, load_rules

WINDOWS = Windows(present_s=20.0, reach_s=20.0, filled_s=0.0, recordings=0)
TIMING = Timing(
    scrape_s=1.0,
    evaluation_s=1.0,
    for_s=20.0,
    keep_firing_for_s=0.0,
    windows=WINDOWS,
    group_wait_s=2.0,
    group_interval_s=4.0,
)
COURSE = Course(fault_at=100.0, rollback_at=130.0, ended_at=200.0)
LIFE = StageTimes(
    condition_true=103.0,
    pending=103.4,
    firing=123.4,
    received=123.41,
    grouped=123.6,
    delivered=125.42,
    resolved=148.4,
    resolution_delivered=149.5,
)


def replaced(timing: Timing = TIMING, **changes: object) -> Timing:
    """Return ``timing`` with changes."""
    return Timing(**{**vars(timing), **changes})


def check(stages: StageTimes, stage: str, timing: Timing = TIMING, course: Course = COURSE) -> StageCheck:
    """Return the check of one stage."""
    return next(one for one in check_stages(stages, timing, course) if one.stage == stage)


@pytest.mark.parametrize(
    ("expr", "present_s", "reach_s", "filled_s"),
    [
        ("up == 0", 0, 0, 0),
        ("rate(a[5m]) / rate(b[10m]) > 0.1", 600, 600, 0),
        ("rate(a[10m]) - rate(a[30m] offset 10m) > 0.1", 600, 2400, 0),
        ("sum(rate(a[5m])) == 0", 300, 300, 300),
        ("sum(rate(a[5m])) == 0 or absent(a)", 300, 300, 0),
        ("min_over_time(a[5m]) / max_over_time(a[5m] offset 30m) > 1.3", 300, 2100, 300),
        ("max by (job) (max_over_time(a[5m])) < 2 and b > 1", 300, 300, 300),
        ("min_over_time(a[5m]) < 2", 300, 300, 0),
        ("a:b:rate5m > 1", 300, 300, 0),
        ("avg_over_time(a:b:rate5m[1h]) > 1", 3900, 3900, 0),
    ],
)
def test_windows_are_read_off_the_expression(expr: str, present_s: float, reach_s: float, filled_s: float) -> None:
    """What it holds of now, how far it looks back at all, and whether every sample has to agree."""
    found = windows_of(expr, [("a:b:rate5m", "rate(x[5m])")])
    assert (found.present_s, found.reach_s, found.filled_s) == (present_s, reach_s, filled_s)
    assert found.recordings == ("a:b" in expr)


def test_of_several_conditions_all_have_to_come_true_and_the_first_to_end_ends_it() -> None:
    """The longest window counts for the beginning, the shortest reach for the end."""
    slow, fast = Windows(60.0, 60.0, 0.0, 2), Windows(5.0, 15.0, 5.0, 1)
    assert joined([slow, fast]) == Windows(60.0, 15.0, 5.0, 2)


def test_every_shipped_alert_has_windows() -> None:
    """No rule of ours is beyond the reading, and none holds more of now than it looks back."""
    files = [load_rules(path) for path in sorted(Path(RULES_DIR).glob("*.yml"))]
    rules = [rule for one in files for group in one.groups for rule in group.rules]
    recordings = [(rule.name, rule.expr) for rule in rules if isinstance(rule, RecordingRule)]
    alerts = [rule for rule in rules if isinstance(rule, AlertingRule)]
    assert len(alerts) > 10
    for rule in alerts:
        windows = windows_of(rule.expr, recordings)
        assert 0 <= windows.filled_s <= windows.present_s <= windows.reach_s, rule.name


def test_a_life_as_predicted_lies_within_from_stage_to_stage() -> None:
    """Each range starts from the stage before as measured; after the rollback it counts from there."""
    checks = check_stages(LIFE, TIMING, COURSE)
    assert [(one.stage, one.within) for one in checks] == [(stage, True) for stage in STAGES]
    ranges = {one.stage: (one.earliest_s, one.latest_s) for one in checks}
    assert ranges["condition_true"] == (0.0, 21.0)
    assert ranges["firing"] == (23.4, 23.4)
    assert ranges["delivered"] == (25.4, 25.41)
    assert ranges["resolved"] == (0.0, 22.0)
    assert ranges["resolution_delivered"] == (18.4, 22.4)


@pytest.mark.parametrize(
    ("changes", "stage"),
    [
        ({"condition_true": 123.5}, "condition_true"),
        ({"condition_true": 99.0}, "condition_true"),
        ({"pending": 107.0}, "pending"),
        ({"firing": 126.0}, "firing"),
        ({"firing": 123.1}, "firing"),
        ({"received": 126.5}, "received"),
        ({"grouped": 127.0}, "grouped"),
        ({"delivered": 127.6}, "delivered"),
        ({"delivered": 124.0}, "delivered"),
        ({"resolved": 154.5}, "resolved"),
        ({"resolution_delivered": 155.0}, "resolution_delivered"),
    ],
)
def test_a_stage_beyond_its_range_and_the_tolerance_is_outside(changes: dict[str, float], stage: str) -> None:
    """Too late by more than a scrape and an evaluation, or too early at all."""
    found = check(LIFE.model_copy(update=changes), stage)
    assert found.within is False
    assert excess_s(found) > 0


def test_a_late_stage_does_not_condemn_what_follows() -> None:
    """Five seconds late from pending on: only pending lies outside."""
    late = {name: at + 5.0 for name, at in LIFE.model_dump().items() if name not in {"condition_true", "resolved"}}
    checks = check_stages(LIFE.model_copy(update=late), TIMING, COURSE)
    assert [one.stage for one in checks if one.within is False] == ["pending", "resolution_delivered"]


def test_a_stage_that_was_never_reached_is_outside_once_its_time_is_up() -> None:
    """Not yet before that; and what comes after it is not judged at all."""
    fired = StageTimes(condition_true=103.0, pending=103.4, firing=123.4, received=123.41, grouped=123.5)
    early = Course(fault_at=100.0, rollback_at=None, ended_at=127.0)
    assert check(fired, "delivered", course=early).within is None
    assert check(fired, "delivered").within is False
    after = check(fired, "resolution_delivered")
    assert (after.within, after.latest_s) == (None, None)
    assert "was not reached" in after.cause


def test_what_resolves_before_the_rollback_is_not_judged_by_it() -> None:
    """The fault itself let the alert go; nothing about that follows from the rollback."""
    found = check(LIFE.model_copy(update={"resolved": 128.0, "resolution_delivered": 129.0}), "resolved")
    assert (found.measured_s, found.within) == (-2.0, None)
    assert "while the fault still burned" in found.cause


def test_the_schedule_and_the_rule_move_the_ranges() -> None:
    """A later fault, a ramp, keep_firing_for, `for` off the grid, a service that was down, and a window to fill."""
    course = Course(fault_at=100.0, rollback_at=130.0, ended_at=200.0, last_lit_s=10.0, grows_s=5.0, back_at=133.0)
    windows = Windows(present_s=20.0, reach_s=60.0, filled_s=20.0, recordings=2)
    timing = replaced(for_s=2.5, keep_firing_for_s=1.5, windows=windows)
    started = check(LIFE, "condition_true", timing, course)
    assert (started.earliest_s, started.latest_s) == (18.0, 38.0)
    fired = check(LIFE, "firing", timing, course)
    assert fired.earliest_s == fired.latest_s == pytest.approx(3.4 + 3.0)
    ended = check(LIFE, "resolved", timing, course)
    assert (ended.earliest_s, ended.latest_s) == (2.0, 3.0 + 60.0 + 1.0 + 1.0 + 2.0 + 2.0)


def test_a_group_that_may_still_be_there_is_flushed_by_its_interval() -> None:
    """Then a delivery at once is as good as one after group_interval."""
    course = Course(fault_at=100.0, rollback_at=130.0, ended_at=200.0, earlier_group=True)
    found = check(LIFE, "delivered", course=course)
    assert (found.earliest_s, found.latest_s) == (23.41, 27.41)
    assert "group_interval" in found.cause


def test_a_group_is_known_for_as_long_as_prometheus_tells_of_its_resolved_alerts() -> None:
    """Alerts that came again 124, 197 and 477 s after their last were delivered out of turn: the group was there."""
    assert all(may_be_known(after_s, 4.0) for after_s in (0.0, 124.0, 197.0, 477.0, 930.0))
    assert not may_be_known(15 * 60 + 30 + 4.0, 4.0)


@given(
    st.lists(st.none() | st.floats(90, 300, allow_nan=False), min_size=len(STAGES), max_size=len(STAGES)),
    st.none() | st.floats(100, 200),
)
def test_no_life_is_beyond_the_checks(times: list[float | None], rollback_at: float | None) -> None:
    """Whatever was reached in whatever order: each stage is there once, and within means within."""
    course = Course(fault_at=100.0, rollback_at=rollback_at, ended_at=300.0)
    checks = check_stages(StageTimes(**dict(zip(STAGES, times, strict=True))), TIMING, course)
    assert tuple(one.stage for one in checks) == STAGES
    for one in checks:
        if one.within:
            assert excess_s(one) <= TIMING.tolerance_s
        if excess_s(one) > TIMING.tolerance_s:
            assert one.within is False
