"""`histogram_quantile()` of a histogram's bare name, which has no series: those are named with `_bucket`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from faults.drills.lint.check import Remark, Subject, register
from faults.drills.lint.expression import Aggregate, Call, Expr, Selector
from faults.drills.lint.facts import Facts
from faults.drills.lint.shapes import RATES, bare, bucket_metrics, selectors

WINDOW_MS = 300_000
_PARTS = ("_sum", "_count", "_total")


@register("quantile-of-bare-name", "error", "a quantile of a histogram's bare name, without `_bucket`")
def find(subject: Subject) -> Iterator[Remark]:
    """Yield the bare names under each quantile."""
    for call in subject.root.walk():
        if isinstance(call, Call) and call.name == "histogram_quantile":
            inner = call.arguments[1]
            if bucket_metrics(inner):
                continue  # what is joined to buckets need have none
            for selector in selectors(inner):
                if _is_bare(selector, inner, subject.facts):
                    yield _remark(subject, call, selector)


def _is_bare(selector: Selector, inner: Expr, facts: Facts) -> bool:
    """Say whether ``selector`` has no buckets. A native histogram has none by name, under a rate and without `le`."""
    name = selector.metric
    if not name or ":" in name or name in facts.recorded or name.endswith("_bucket"):
        return False
    if facts.is_bare(name) or name.endswith(_PARTS):
        return True
    if facts.inventory is not None and facts.inventory.of(name) is not None:
        return False
    return bare(inner) is selector or _speaks_of_le(inner)


def _speaks_of_le(expr: Expr) -> bool:
    return any(
        (isinstance(node, Aggregate) and not node.without and "le" in (node.labels or ()))
        or (isinstance(node, Selector) and node.matcher("le") is not None)
        for node in expr.walk()
    )


def _remark(subject: Subject, call: Call, selector: Selector) -> Remark:
    name = selector.metric.removesuffix("_sum").removesuffix("_count")
    return Remark(
        selector,
        f"`{selector.metric}` is no series with buckets; those of the histogram are named `{name}_bucket`",
        "The quantile of nothing is nothing, without an error: it never fires.",
        None if selector.metric.endswith("_total") else subject.with_change(call.arguments[1], _repaired(call, name)),
    )


def _repaired(call: Call, name: str) -> Expr:
    """Return what the quantile is to be taken of: the rates of the buckets."""
    inner = call.arguments[1]
    selector = next(selectors(inner))
    rated = any(isinstance(node, Call) and node.name in RATES for node in inner.walk())
    buckets = dataclasses.replace(selector, metric=f"{name}_bucket", range_ms=selector.range_ms or WINDOW_MS)
    changed = inner.replaced(selector, buckets if rated else Call("rate", (buckets,)))
    return with_le(changed)


def with_le(expr: Expr) -> Expr:
    """Return ``expr`` with `le` kept by each of its aggregations, and summed where it has none."""
    if not any(isinstance(node, Aggregate) for node in expr.walk()):
        return Aggregate("sum", expr, ("le",))
    return _kept(expr)


def _kept(expr: Expr) -> Expr:
    expr = expr.rebuilt(_kept)
    if not isinstance(expr, Aggregate):
        return expr
    labels = expr.labels or ()
    if expr.without:
        return dataclasses.replace(expr, labels=tuple(label for label in labels if label != "le"))
    return expr if "le" in labels else dataclasses.replace(expr, labels=(*labels, "le"))
