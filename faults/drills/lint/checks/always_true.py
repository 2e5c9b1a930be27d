"""A condition that every series meets: the alert fires as soon as there is any, whatever its value."""

from __future__ import annotations

from collections.abc import Iterator

from faults.drills.lint.bounds import bounds_of
from faults.drills.lint.check import Remark, Subject, register
from faults.drills.lint.expression import COMPARISONS, SETS, Binary, Call, Expr
from faults.drills.lint.shapes import ABSENCE, bare, constant, has_series
from faults.drills.lint.writing import written

_EXISTENCE = frozenset({"count", "group", "count_over_time", "present_over_time", "count_values"})


@register("always-true", "error", "a condition that is true of every value")
def find(subject: Subject) -> Iterator[Remark]:
    """Yield the alerts whose whole condition is true of whatever there is."""
    root = bare(subject.root)
    if not subject.is_alert or not isinstance(root, Binary) or root.op not in COMPARISONS or not has_series(root):
        return
    if root.as_bool:
        yield Remark(
            root,
            f"`{written(root)}`: `bool` gives 0 or 1 where a comparison would leave series out",
            "An alert fires on every series of its result, 0 as well as 1: it always fires.",
            subject.with_change(root, _filtering(root)),
        )
        return
    value, threshold = root.left, constant(root.right)
    if threshold is None or _chooses(value):
        return
    if bounds_of(value, subject.facts).always(root.op, bounds_of(root.right, subject.facts)):
        yield Remark(
            root,
            f"`{written(root)}` is true of every value: {bounds_of(value, subject.facts).why}",
            "It fires as long as there are series at all.",
        )


def _filtering(root: Binary) -> Expr:
    return Binary(root.op, root.left, root.right, on=root.on, ignoring=root.ignoring, group=root.group)


def _chooses(expr: Expr) -> bool:
    """Say whether ``expr`` has a result only sometimes, so that its being there is the condition."""
    return any(
        (isinstance(node, Binary) and (node.op in COMPARISONS or node.op in SETS))
        or (isinstance(node, Call) and node.name in ABSENCE)
        or getattr(node, "op", "") in _EXISTENCE
        or getattr(node, "name", "") in _EXISTENCE
        for node in expr.walk()
    ) or any(getattr(node, "metric", "").endswith("_info") for node in expr.walk())
