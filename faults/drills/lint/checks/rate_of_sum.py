"""A rate of a sum: when one of the counters starts anew the sum falls, and all of the rest is counted again."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from faults.drills.lint.check import Remark, Subject, register
from faults.drills.lint.expression import Aggregate, Call, Selector, Subquery
from faults.drills.lint.shapes import RATES, bare, over_any_range
from faults.drills.lint.writing import written


@register("rate-of-sum", "error", "a rate of a sum of counters, instead of a sum of their rates")
def find(subject: Subject) -> Iterator[Remark]:
    """Yield rates over a subquery that sums counters."""
    for call, window in over_any_range(subject.root):
        if call.name not in RATES or not isinstance(window, Subquery):
            continue
        total = bare(window.inner)
        if not isinstance(total, Aggregate) or total.op not in {"sum", "avg"}:
            continue
        counter = bare(total.inner)
        if isinstance(counter, Selector) and subject.facts.known(counter).kind.only_rises:
            rate = Call(call.name, (dataclasses.replace(counter, range_ms=window.range_ms),))
            yield Remark(
                call,
                f"`{written(call)}` is a rate of a sum; the restart of one process is a fall of the sum",
                "After a restart all that the other processes ever counted seems to have happened at once: it fires.",
                None if window.offset_ms else subject.with_change(call, dataclasses.replace(total, inner=rate)),
            )
