"""A quantile of buckets that have lost `le`, the label that says which bucket is which."""

from __future__ import annotations

from collections.abc import Iterator

from faults.drills.lint.check import Remark, Subject, register
from faults.drills.lint.checks.quantile_of_bare_name import with_le
from faults.drills.lint.expression import Call
from faults.drills.lint.labels import labels_of
from faults.drills.lint.shapes import bucket_metrics, selectors
from faults.drills.lint.writing import written


@register("quantile-without-le", "error", "a quantile of buckets that were summed without keeping `le`")
def find(subject: Subject) -> Iterator[Remark]:
    """Yield the quantiles whose buckets have no bound any more."""
    for call in subject.root.walk():
        if not isinstance(call, Call) or call.name != "histogram_quantile":
            continue
        inner = call.arguments[1]
        metrics = bucket_metrics(inner)
        only_buckets = metrics == {one.metric for one in selectors(inner)}
        if metrics and only_buckets and labels_of(inner, subject.facts).cannot_have("le"):
            yield Remark(
                call,
                f"`{written(inner)}` has lost the label `le`, by which buckets are told apart",
                "A quantile of what are no buckets any more is empty: it never fires.",
                subject.with_change(inner, with_le(inner)),
            )
