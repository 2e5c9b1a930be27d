"""A live drill that is to be compared waits until its alerts look back on calm."""

from __future__ import annotations

import pytest

from faults.drills.spec import load_library
from faults.drills.wire import DrillRun
from panel.commands.agree_rest import LONGEST_S, rest

WINDOWS_S = {"PredictionShift": 160.0, "LowConfidence": 20.0, "HighErrorRate": 20.0}


def ended(name: str, at: float | None) -> DrillRun:
    """Return a run that ended at a Unix time."""
    return DrillRun(
        id=f"{name}-1", name=name, title=name, pace="workshop", phase="done", queued_at=0.0, seed=1, ended_at=at
    )


def test_it_waits_for_the_longest_window_since_the_last_drill() -> None:
    """40 s after another drill, one whose alert looks back 160 s waits 120 s, and says for what."""
    runs = [ended("error-burst", 900.0), ended("no-traffic", 1000.0)]
    waits = rest(load_library()["one-answer"], runs, WINDOWS_S, now=1040.0)
    assert waits is not None
    assert waits.left_s == pytest.approx(120.0)
    assert "PredictionShift" in waits.sentence
    assert "no-traffic" in waits.sentence


@pytest.mark.parametrize(
    ("runs", "windows_s"),
    [
        ([], WINDOWS_S),
        ([ended("no-traffic", None)], WINDOWS_S),
        ([ended("no-traffic", 800.0)], WINDOWS_S),
        ([ended("no-traffic", 1000.0)], {}),
        ([ended("no-traffic", 1000.0)], {"PredictionShift": LONGEST_S + 1}),
    ],
    ids=["nothing ran", "one goes on", "long ago", "no window known", "a window that nobody waits for"],
)
def test_it_does_not_wait_where_that_changes_nothing(runs: list[DrillRun], windows_s: dict[str, float]) -> None:
    """Without a drill in reach of a window, or with one that is too long to wait for, it runs at once."""
    assert rest(load_library()["one-answer"], runs, windows_s, now=1040.0) is None
