"""A ratio, or another operation, of two vectors whose labels never match: it has no result, without an error."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from faults.drills.lint.check import Remark, Subject, register
from faults.drills.lint.expression import Aggregate, Binary, Expr
from faults.drills.lint.labels import apart, is_scalar, labels_of
from faults.drills.lint.shapes import asserted, bare
from faults.drills.lint.writing import written

NEVER = "Series of the two sides never match, so that there is no result, without an error: it never fires."


@register("ratio-of-different-labels", "error", "an operation on two vectors whose labels never match")
def find(subject: Subject) -> Iterator[Remark]:
    """Yield the operations whose two sides never meet, and those that group their sides differently."""
    for node in asserted(subject.root):
        if not isinstance(node, Binary) or is_scalar(node.left) or is_scalar(node.right) or node.op in {"or", "unless"}:
            continue
        if separate := apart(node, subject.facts):
            yield Remark(
                node,
                f"of `{written(node)}` all series of one side have the label `{separate[0]}`, and none of the other",
                NEVER,
                _repaired(subject, node),
            )
        elif difference := _grouped_apart(node):
            yield Remark(
                node,
                f"the two sides of `{written(node)}` are grouped by different labels ({difference} on one side only)",
                "They match only where that label is empty; else there is no result, and it never fires.",
                _repaired(subject, node),
            )


def _groups(expr: Expr) -> frozenset[str] | None:
    expr = bare(expr)
    while isinstance(expr, Binary) and is_scalar(expr.right):
        expr = bare(expr.left)
    if not isinstance(expr, Aggregate) or expr.without or expr.op in {"topk", "bottomk", "count_values", "limitk"}:
        return None
    return frozenset(expr.labels or ())


def _grouped_apart(node: Binary) -> str:
    left, right = _groups(node.left), _groups(node.right)
    if left is None or right is None or not node.matches_all_labels or left == right:
        return ""
    return ", ".join(f"`{label}`" for label in sorted(left ^ right))


def _repaired(subject: Subject, node: Binary) -> Expr | None:
    """Return the rule with both sides of a ratio grouped by the labels that they share."""
    left, right = bare(node.left), bare(node.right)
    if node.op != "/" or not node.matches_all_labels:
        return None
    first, second = _groups(left), _groups(right)
    if first is None or second is None:
        if isinstance(left, Aggregate) or isinstance(right, Aggregate):
            return None
        ratio = Binary("/", Aggregate("sum", left), Aggregate("sum", right))
        return subject.with_change(node, ratio)
    if not isinstance(left, Aggregate) or not isinstance(right, Aggregate):
        return None
    carried = [labels_of(side, subject.facts) for side in (left, right)]
    shared = tuple(
        label
        for label in left.labels or ()
        if label in second and not any(labels.cannot_have(label) for labels in carried)
    )
    parts = (dataclasses.replace(left, labels=shared or None), dataclasses.replace(right, labels=shared or None))
    return subject.with_change(node, Binary("/", *parts))
