"""A rate that is compared with 0: a counter that does not exist has no rate, and nothing is 0 then."""

from __future__ import annotations

from collections.abc import Iterator

from faults.drills.lint.check import Remark, Subject, register
from faults.drills.lint.checks.state_without_absent import ALONE, repaired
from faults.drills.lint.shapes import conditions, rate_of
from faults.drills.lint.writing import written


@register("silence-without-absent", "warning", "a rate that must not be 0, and no `absent()` for when there is none")
def find(subject: Subject) -> Iterator[Remark]:
    """Yield comparisons of a rate with 0, where no rule watches for the counter's absence."""
    for comparison in conditions(subject.root, ALONE) if subject.is_alert else ():
        rate = rate_of(comparison.value)
        if rate is None or not (comparison.asks_for_zero and comparison.threshold <= 0):
            continue
        if subject.watching.gone(rate[1]):
            continue
        yield Remark(
            comparison.node,
            f"`{written(comparison.node)}` has a result only while `{rate[1].metric}` exists, and no rule here watches "
            "for its absence",
            "A counter that was never born, or whose process is gone, has no rate: silence where nothing happens.",
            repaired(subject, comparison, rate[1]),
        )
