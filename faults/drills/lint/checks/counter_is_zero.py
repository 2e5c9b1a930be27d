"""A counter that is compared with 0: it is that before its first event, and never again."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator

from faults.drills.lint.check import Remark, Subject, register
from faults.drills.lint.checks.quantile_of_bare_name import WINDOW_MS
from faults.drills.lint.expression import Call
from faults.drills.lint.shapes import comparisons, level_of
from faults.drills.lint.writing import written

_EVENTS = re.compile(
    r"(?:requests?|predictions?|inferences?|calls|queries|messages|events|samples|jobs|orders|logins|visits)_total$"
)
"""Endings that counters of traffic have; a mere `_total` is also the total of something that comes and goes."""


@register("counter-is-zero", "error", "a counter that is to be 0, as if it fell back when nothing happens")
def find(subject: Subject) -> Iterator[Remark]:
    """Yield comparisons of a counter itself with 0."""
    for comparison in comparisons(subject.root):
        level = level_of(comparison.value)
        if level is None or not comparison.asks_for_zero:
            continue
        known = subject.facts.known(level)
        if known.kind.only_rises and (known.stated or _EVENTS.search(level.metric)):
            windowed = Call("rate", (dataclasses.replace(level, range_ms=WINDOW_MS),))
            yield Remark(
                comparison.node,
                f"`{written(comparison.node)}`: `{level.metric}` is a counter{known.by}; it keeps what it has counted",
                "It is true from the start of a process to the first event, and never again, however long nothing "
                "happens.",
                None if level.range_ms else subject.with_change(level, windowed),
            )
