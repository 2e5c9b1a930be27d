"""One alert in one scenario as a curve: the value against its threshold, the fault, when it was pending and fired.

Made of what a sweep tried, of its first phase alone; times are seconds since the fault, or since the start without one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from pydantic import BaseModel, Field

from faults.drills.check.tried import Tried
from faults.drills.judge.judgement import AlertCourse, RuleRef, Side
from stack.clients.series import Series

MOST_LINES = 6
"""Of one comparison: more nobody tells apart."""


class Line(BaseModel):
    """One series. ``values`` stand at even distances; ``None``: no value then."""

    labels: str
    values: list[float | None]


class Compared(BaseModel):
    """The left side of a comparison over time, and what it is compared with."""

    expr: str
    operator: str
    threshold: float
    start_s: float
    step_s: float
    lines: list[Line]
    left_out: int = Field(default=0, description="Series beyond those that are shown.")


class Life(BaseModel):
    """One life of the alert; ``None`` where it did not come to that."""

    active_s: float
    fired_s: float | None
    ended_s: float | None


class Course(BaseModel):
    """One alert in one scenario."""

    alert: str
    scenario: str
    start_s: float
    end_s: float
    fault_s: float | None = Field(description="How long the fault burned; None without a fault.")
    compared: list[Compared]
    lives: list[Life]
    error: str = ""


def course_in(tried: Tried, ref: RuleRef) -> Course | None:
    """Return the course of the alert ``ref`` in ``tried``; ``None`` where it was not judged there."""
    phase = tried.judgement.phases[0]
    found = next((one for one in phase.alerts if one.ref == ref), None)
    if found is None:
        return None
    zero = tried.started_at if tried.fault_at is None else tried.fault_at
    burned = None if tried.fault_at is None else (tried.rollback_at or tried.ended_at) - tried.fault_at
    return Course(
        alert=ref.alert,
        scenario=tried.scenario.name,
        start_s=tried.started_at - zero,
        end_s=tried.ended_at - zero,
        fault_s=burned,
        compared=[_compared(side, found, zero) for side in found.sides],
        lives=[_life(one.active_at, one.fired_at, one.ended_at, zero) for one in found.lives],
        error=found.error,
    )


def _life(active_at: float, fired_at: float | None, ended_at: float | None, zero: float) -> Life:
    return Life(
        active_s=active_at - zero,
        fired_s=None if fired_at is None else fired_at - zero,
        ended_s=None if ended_at is None else ended_at - zero,
    )


def _compared(side: Side, course: AlertCourse, zero: float) -> Compared:
    shown = sorted(side.series, key=lambda one: _distance(side, one))[:MOST_LINES]
    times = [at for series in shown for at, _ in series.points]
    first, last = (min(times), max(times)) if times else (zero, zero)
    steps = round((last - first) / course.interval_s) + 1
    return Compared(
        expr=side.comparison.left,
        operator=side.comparison.operator,
        threshold=side.comparison.right,
        start_s=first - zero,
        step_s=course.interval_s,
        lines=[_line(one, first, course.interval_s, steps) for one in shown],
        left_out=len(side.series) - len(shown),
    )


def _distance(side: Side, series: Series) -> float:
    """Return how far a series stays from making the comparison true: what comes nearest is shown first."""
    values = [value for _, value in series.points if math.isfinite(value)]
    best = side.comparison.nearest(values)
    if best is None:
        return math.inf
    return 0.0 if side.comparison.holds(best) else abs(best - side.comparison.right)


def _line(series: Series, first: float, step_s: float, steps: int) -> Line:
    values: list[float | None] = [None] * steps
    for at, value in series.points:
        if math.isfinite(value):
            values[round((at - first) / step_s)] = float(f"{value:.4g}")
    return Line(labels=_labels(series.labels), values=values)


def _labels(labels: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted(labels.items()) if name != "__name__")
