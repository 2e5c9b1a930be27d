"""What stands at the head of a test file, for who finds it in two years. Text only."""

from __future__ import annotations

from collections.abc import Sequence

from faults.drills.export.course import Course
from faults.drills.setting import firedrill_version

_FOR_3 = (
    "For promtool 3.9 and later: `start_timestamp` is new there. Not tried with it; promtool 2 passed everything else.",
    "Samples lie half an interval before the evaluations that see them, since the left edge of a window does not count",
    "there, and whole numbers of buckets are written as Prometheus 3 stores them.",
)


def remarks(course: Course, version: int, notes: Sequence[str]) -> tuple[str, ...]:
    """Return the lines of the remark."""
    told = (
        f"Unit tests for promtool, made by Firedrill {firedrill_version()} of {course.title}.",
        f"In the drill {course.engine} evaluated the rules. See docs/export.md of Firedrill.",
    )
    return (*told, *(_FOR_3 if version == 3 else ()), *(f"Note: {note}" for note in (*notes, *course.notes)))
