"""Precision and recall over runs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faults.drills.score import score
from faults.drills.wire import AlertOutcome, AlertVerdict, DrillRun, StageTimes, Verdict

FIRED = StageTimes(firing=110.0, resolved=150.0)


def outcome(
    alert: str, verdict: AlertVerdict | None, *, expected: bool = True, stages: StageTimes = FIRED
) -> AlertOutcome:
    """Return the outcome of one alert."""
    return AlertOutcome(alert=alert, expected=expected, stages=stages, verdict=verdict)


def run(*outcomes: AlertOutcome, verdict: Verdict | None = "passed", pace: str = "workshop") -> DrillRun:
    """Return a run with a fault at 100 that was put out at 140."""
    return DrillRun(
        id="r", name="n", title="t", pace=pace, phase="done", verdict=verdict, queued_at=90.0, fault_at=100.0,
        rollback_at=140.0, outcomes=list(outcomes),
    )  # fmt: skip


def test_what_was_detected_missed_and_unexpected_is_counted_for_each_alert() -> None:
    """A late alert is a flawed detection; an allowed one counts neither way; a missed one has no time."""
    found = score(
        [
            run(outcome("A", "as expected"), outcome("Allowed", "as expected", expected=False)),
            run(outcome("A", "late"), outcome("B", "unexpected", expected=False), verdict="failed"),
            run(outcome("A", "missed", stages=StageTimes()), verdict="failed"),
        ]
    )
    assert (found.runs, found.passed, found.failed, found.left_out, found.undecided) == (3, 1, 2, 0, 0)
    a, b = found.alerts
    assert (a.alert, a.detected, a.flawed, a.missed, a.unexpected) == ("A", 2, 1, 1, 0)
    assert (a.precision, a.recall) == (1.0, pytest.approx(2 / 3))
    assert (b.alert, b.precision, b.recall, b.detection_s) == ("B", 0.0, None, {})
    assert (found.total.precision, found.total.recall) == (pytest.approx(2 / 3), pytest.approx(2 / 3))
    assert (found.total.detection_s["workshop"].median, found.total.reset_s["workshop"].most) == (10.0, 10.0)


def test_what_proves_nothing_is_left_out_and_said() -> None:
    """Aborted and broken runs, runs that go on, and expectations that could not be judged."""
    found = score(
        [
            run(outcome("A", None), verdict="aborted"),
            run(outcome("A", None), verdict="error"),
            run(outcome("A", None), verdict=None),
            run(outcome("A", "already firing"), verdict="failed"),
        ]
    )
    assert (found.left_out, found.undecided, found.alerts) == (3, 1, [])
    assert (found.total.precision, found.total.recall) == (None, None)


def test_paces_are_not_mixed() -> None:
    """A production time beside a workshop time would make a mean of nothing."""
    found = score([run(outcome("A", "as expected")), run(outcome("A", "as expected"), pace="production")])
    assert {pace: one.count for pace, one in found.total.detection_s.items()} == {"production": 1, "workshop": 1}


@given(st.lists(st.sampled_from(["as expected", "missed", "unexpected"]), max_size=20))
def test_the_counts_add_up(verdicts: list[AlertVerdict]) -> None:
    """Whatever the runs: shares lie between 0 and 1 and follow from the counts."""
    found = score(
        [
            run(
                outcome("A", each, expected=each != "unexpected", stages=StageTimes() if each == "missed" else FIRED),
                verdict="failed",
            )
            for each in verdicts
        ]
    ).total
    assert found.detected + found.missed + found.unexpected == len(verdicts)
    assert (found.recall is None) == (found.detected + found.missed == 0)
    assert all(share is None or 0.0 <= share <= 1.0 for share in (found.precision, found.recall))
