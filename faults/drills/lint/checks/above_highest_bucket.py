"""A quantile that is to exceed a threshold at or above the highest finite bucket, which it never does."""

from __future__ import annotations

from collections.abc import Iterator

from faults.drills.lint.check import Remark, Subject, register
from faults.drills.lint.expression import Call
from faults.drills.lint.shapes import bucket_metrics, comparisons
from faults.drills.lint.writing import written


@register("above-highest-bucket", "error", "a quantile's threshold at or above the highest finite bucket")
def find(subject: Subject) -> Iterator[Remark]:
    """Yield comparisons of a quantile with what it cannot exceed, where the buckets' bounds are known."""
    for comparison in comparisons(subject.root):
        quantile = comparison.value
        if not isinstance(quantile, Call) or quantile.name != "histogram_quantile":
            continue
        for metric in bucket_metrics(quantile):
            listed = subject.facts.of(metric).listed
            if listed is None or not listed.bounds:
                continue
            highest = listed.bounds[-1]
            source = subject.facts.inventory.source if subject.facts.inventory is not None else ""
            beyond = comparison.threshold >= highest if comparison.op == ">" else comparison.threshold > highest
            if comparison.op in {">", ">=", "=="} and beyond:
                yield Remark(
                    comparison.node,
                    f"`{written(comparison.node)}`: the highest finite bucket of `{metric.removesuffix('_bucket')}` "
                    f"ends at {highest:g}, by {source}",
                    "A quantile among larger values is given as that bound, however large they are: it never fires.",
                )
