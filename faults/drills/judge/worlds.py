"""Where in the judge's one storage each recording lies, and at which times its rules are evaluated. Pure arithmetic.

A world is a recording as one scraper saw it, under one phase of the evaluations, written some whole days off its own
time. Worlds lie further apart than any rule looks back, so that none sees another. They are laid one after the other,
since Prometheus takes samples fastest in the order of their times.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from faults.drills.judge.dependencies import PlannedRule
from faults.drills.judge.remote_write import EARLIEST_MS
from faults.drills.virtual.recording import Scrapes
from stack.rules.errors import UnscalableExpression
from stack.rules.file import RecordingRule
from stack.rules.reach import longest_window_s
from stack.rules.tree import read_tree

DAY_MS = 86_400_000
FIRST_MS = -(-EARLIEST_MS // DAY_MS) * DAY_MS
_MARGIN_MS = 600_000


@dataclass(frozen=True, eq=False)
class World:
    """One scraper's view under one phase of the evaluations. Times are those of the recording, in milliseconds."""

    index: int
    home: int
    """Index of the world with the same scrapes and the first phase: all that the scraper saw is there."""
    scrapes: Scrapes
    fraction: float
    """The phase of the evaluations, of each group's interval."""
    start_ms: int
    end_ms: int
    shift_ms: int
    """What has to be added to come to the time at which it was written."""

    def times(self, interval_ms: int) -> range:
        """Return when a group is evaluated: at its phase after each multiple of its interval."""
        phase_ms = round(interval_ms * self.fraction)
        return range(self.start_ms + (phase_ms - self.start_ms) % interval_ms, self.end_ms + 1, interval_ms)

    def times_of_all(self, interval_ms: int, phases: int) -> range | None:
        """Return when a group is evaluated in any of evenly spread ``phases``; ``None`` where they are no even grid."""
        step_ms, rest_ms = divmod(interval_ms, phases)
        if rest_ms:
            return None
        return range(self.start_ms + -self.start_ms % step_ms, self.end_ms + 1, step_ms)


def laid_out(
    scrapes: Iterable[Scrapes],
    *,
    evaluation_phases: int,
    shared: bool,
    earliest_ms: int,
    start_ms: int,
    end_ms: int,
    gap_ms: int,
    cursor_ms: int,
) -> tuple[tuple[World, ...], int]:
    """Return the worlds of a recording, laid from ``cursor_ms`` on, and where the next one may be laid.

    ``shared``: the phases of the evaluations may share what is written, since nothing that they find is written back.
    ``earliest_ms`` is the time of the first sample, before ``start_ms`` where there is a past.
    """
    worlds: list[World] = []
    for one in scrapes:
        shift_ms, home = 0, len(worlds)
        for phase in range(evaluation_phases):
            if phase == 0 or not shared:
                shift_ms = -((earliest_ms - cursor_ms) // DAY_MS) * DAY_MS
                cursor_ms = end_ms + shift_ms + gap_ms
            worlds.append(World(len(worlds), home, one, phase / evaluation_phases, start_ms, end_ms, shift_ms))
    return tuple(worlds), cursor_ms


def gap_ms(rules: Iterable[PlannedRule], lookback_ms: int) -> int:
    """Return how far apart worlds have to lie for none of ``rules`` to see two of them."""
    known = tuple(rules)
    recordings = [(one.rule.name, one.rule.expr) for one in known if isinstance(one.rule, RecordingRule)]
    furthest_s = max((_reach_s(one.rule.expr, recordings) for one in known), default=0.0)
    return (
        round(furthest_s * 1000)
        + max((_ahead_ms(one.rule.expr) for one in known), default=0)
        + (lookback_ms + _MARGIN_MS)
    )


def _reach_s(expr: str, recordings: list[tuple[str, str]]) -> float:
    try:
        return longest_window_s(expr, recordings)
    except UnscalableExpression:
        return sum(_spans_s(each) for each in (expr, *(text for _, text in recordings)))


def _spans_s(expr: str) -> float:
    """Return all ranges and offsets of ``expr`` added up, which is no less than it looks back."""
    try:
        return sum(node.range_ms + abs(node.offset_ms) for node in read_tree(expr).walk()) / 1000
    except UnscalableExpression:
        return 0.0  # Prometheus will not evaluate it either


def _ahead_ms(expr: str) -> int:
    """Return how far ``expr`` looks ahead, by negative offsets."""
    try:
        return sum(max(0, -node.offset_ms) for node in read_tree(expr).walk())
    except UnscalableExpression:
        return 0
