"""A counter's own value above a threshold: once it is there it stays there until the process starts anew."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator

from faults.drills.lint.check import Remark, Subject, register
from faults.drills.lint.checks.quantile_of_bare_name import WINDOW_MS
from faults.drills.lint.expression import Call
from faults.drills.lint.inventory import Kind
from faults.drills.lint.shapes import conditions, level_of
from faults.drills.lint.writing import written

_EVENTS = re.compile(
    r"(?:errors?|failures?|failed|restarts?|requests?|exceptions?|timeouts?|retries|dropped|rejected|crashes|panics)_total$"
)
"""Endings that counters of events have; a mere `_total` is also the total of something that comes and goes."""


@register("counter-level", "warning", "a counter's total above a threshold, without `rate()` or `increase()`")
def find(subject: Subject) -> Iterator[Remark]:
    """Yield alerts on the total that a counter has reached."""
    for comparison in conditions(subject.root, frozenset()) if subject.is_alert else ():
        level = level_of(comparison.value)
        if level is None or comparison.op not in {">", ">="} or comparison.holds(0):
            continue
        known = subject.facts.known(level)
        if known.kind not in {Kind.COUNTER, Kind.COUNT} or not (known.stated or _EVENTS.search(level.metric)):
            continue
        windowed = Call("increase", (dataclasses.replace(level, range_ms=WINDOW_MS),))
        yield Remark(
            comparison.node,
            f"`{written(comparison.node)}`: `{level.metric}` is a counter{known.by}, a total since its process started",
            "Once it is true it stays true until the next restart: it never resolves.",
            None if level.range_ms else subject.with_change(level, windowed),
        )
