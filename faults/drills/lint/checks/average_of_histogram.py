"""The average of a histogram as if it were a number: its bare name has no series, and its buckets have no mean."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from faults.drills.lint.check import Remark, Subject, register
from faults.drills.lint.checks.quantile_of_bare_name import WINDOW_MS
from faults.drills.lint.expression import Aggregate, Binary, Call, Expr, Selector
from faults.drills.lint.shapes import rate_of, selectors


@register("average-of-histogram", "error", "the value or the average of a histogram, as if it were one number")
def find(subject: Subject) -> Iterator[Remark]:
    """Yield bare names of histograms that stand for a value, and averages over buckets."""
    quantiled = {
        id(selector)
        for call in subject.root.walk()
        if isinstance(call, Call) and call.name.startswith("histogram_")
        for selector in selectors(call)
    }
    for selector in selectors(subject.root):
        if id(selector) not in quantiled and subject.facts.is_bare(selector.metric):
            yield Remark(
                selector,
                f"`{selector.metric}` is a histogram or summary; its series are `{selector.metric}_sum`, "
                f"`{selector.metric}_count` and so on",
                "A bare name selects nothing, without an error: it never fires.",
                _mean_for(subject, selector),
            )
    for node in subject.root.walk():
        if isinstance(node, Aggregate) and node.op == "avg" and (node.without or "le" not in (node.labels or ())):
            yield from _of_buckets(subject, node)


def _of_buckets(subject: Subject, average: Aggregate) -> Iterator[Remark]:
    rate = rate_of(average.inner)
    within = rate[1] if rate is not None else average.inner
    if isinstance(within, Selector) and within.metric.endswith("_bucket") and within.matcher("le") is None:
        yield Remark(
            average,
            f"the average over the buckets of `{within.metric}` is no average of what was observed",
            "It is a count, that rises with the traffic: it fires on load, or never.",
            subject.with_change(average, mean(within, within.metric.removesuffix("_bucket"), average.labels)),
        )


def _mean_for(subject: Subject, selector: Selector) -> Expr | None:
    """Return the rule with the mean of what was observed in the place of ``selector`` and an `avg()` around it."""
    for node in subject.root.walk():
        if isinstance(node, Aggregate) and node.op == "avg" and node.inner is selector and not node.without:
            return subject.with_change(node, mean(selector, selector.metric, node.labels))
    return None


def mean(selector: Selector, histogram: str, labels: tuple[str, ...] | None) -> Expr:
    """Return the mean of what ``histogram`` observed lately, for each of ``labels``."""
    total, count = (
        Aggregate(
            "sum",
            Call("rate", (dataclasses.replace(selector, metric=f"{histogram}_{part}", range_ms=WINDOW_MS),)),
            labels,
        )
        for part in ("sum", "count")
    )
    return Binary("/", total, count)
