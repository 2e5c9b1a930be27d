"""Why an alert did not fire, from the values that the engine gave: how near it came, and what was missing."""

from __future__ import annotations

import math
from collections.abc import Sequence

from faults.drills.check.result import Closest
from faults.drills.condition import Comparison
from faults.drills.judge.judgement import AlertCourse, Side
from faults.drills.report import amounts

LONGEST_EXPR = 100


def nearest(course: AlertCourse, since: float, until: float) -> tuple[Comparison, Closest] | None:
    """Return the comparison that held an alert back, and the nearest that its left side came; ``None``: not known.

    Of several comparisons it is the first that never held from ``since`` to ``until`` (Unix seconds), else the first.
    """
    found = [(side.comparison, each) for side in course.sides if (each := _of_side(side, since, until)) is not None]
    held_back = [(comparison, each) for comparison, each in found if not comparison.holds(each.value)]
    return next(iter(held_back or found), None)


def _of_side(side: Side, since: float, until: float) -> Closest | None:
    points = [
        (at, value)
        for series in side.series
        for at, value in series.points
        if since <= at <= until and value == value  # noqa: PLR0124 - NaN
    ]
    best = side.comparison.nearest(value for _, value in points)
    if best is None or not math.isfinite(best):
        return None
    at = next(at for at, value in points if value == best)
    comparison = side.comparison
    return Closest(
        value=best,
        operator=comparison.operator,
        threshold=comparison.right,
        expr=_short(comparison.left),
        at_s=round(at - since, 3),
    )


def why_not(courses: Sequence[AlertCourse], since: float, closest: Closest | None) -> str:
    """Return in a sentence why an alert did not fire in any of ``courses`` after ``since``."""
    error = next((course.error for course in courses if course.error), "")
    if error:
        return f"the engine could not evaluate it: {error}"
    rule = courses[0].rule
    lives = [life for course in courses for life in course.lives if life.active_at >= since]
    longest = max((life.ended_at - life.active_at for life in lives if life.ended_at is not None), default=None)
    if any(life.ended_at is None for life in lives):
        return f"it was still pending at the end: its `for` of {amounts.seconds(rule.for_s)} had not passed"
    if longest is not None:
        return f"it was true for {amounts.seconds(longest)} at most, and `for` asks for {amounts.seconds(rule.for_s)}"
    if closest is not None:
        return (
            f"`{closest.expr}` came to {number(closest.value)} at best, "
            f"which is not {closest.operator} {number(closest.threshold)}"
        )
    empty = [side for course in courses for side in course.sides if not side.series]
    if empty:
        return f"`{_short(empty[0].comparison.left)}` had no value at any time"
    return "its expression had no result at any time"


def number(value: float) -> str:
    """Return a value as a person reads it."""
    return f"{value:.4g}"


def _short(expr: str) -> str:
    words = " ".join(expr.split())
    return words if len(words) <= LONGEST_EXPR else f"{words[: LONGEST_EXPR - 1]}…"
