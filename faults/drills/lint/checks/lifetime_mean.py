"""Sum over count without a rate: the mean of all that was observed since the process started."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from faults.drills.lint.check import Remark, Subject, register
from faults.drills.lint.checks.quantile_of_bare_name import WINDOW_MS
from faults.drills.lint.expression import Aggregate, Call, Expr, Selector
from faults.drills.lint.shapes import bare, level_of, ratios
from faults.drills.lint.writing import written


@register(
    "lifetime-mean", "error", "`_sum` over `_count` without `rate()`: the mean over the whole life of the process"
)
def find(subject: Subject) -> Iterator[Remark]:
    """Yield the ratios of a histogram's sum and count themselves."""
    for ratio in ratios(subject.root):
        total, count = level_of(ratio.left), level_of(ratio.right)
        if total is None or count is None or total.offset_ms or count.offset_ms:
            continue
        name = total.metric.removesuffix("_sum")
        if total.metric == f"{name}_sum" and count.metric == f"{name}_count" and name:
            yield Remark(
                ratio,
                f"`{written(ratio)}` divides what was summed and counted since the process started",
                "It is the mean of all time: after hours a change hardly moves it, and no window around it helps.",
                subject.with_change(
                    ratio, dataclasses.replace(ratio, left=_rated(ratio.left), right=_rated(ratio.right))
                ),
            )


def _rated(side: Expr) -> Expr:
    """Return ``side`` with a rate where the value was, or the mean of a window of it."""
    side = bare(side)
    if isinstance(side, Aggregate):
        return dataclasses.replace(side, inner=_rated(side.inner))
    selector = side.arguments[-1] if isinstance(side, Call) else side
    selector = bare(selector)
    if not isinstance(selector, Selector):
        return side
    return Call("rate", (dataclasses.replace(selector, range_ms=selector.range_ms or WINDOW_MS),))
