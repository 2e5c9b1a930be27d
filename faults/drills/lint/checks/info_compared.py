"""An info metric compared with something else than 1, the only value it ever has."""

from __future__ import annotations

from collections.abc import Iterator

from faults.drills.lint.check import Remark, Subject, register
from faults.drills.lint.expression import Aggregate, Call, Selector
from faults.drills.lint.inventory import Kind
from faults.drills.lint.shapes import comparisons, level_of
from faults.drills.lint.writing import written


@register("info-compared", "error", "an info metric compared with something else than 1")
def find(subject: Subject) -> Iterator[Remark]:
    """Yield comparisons with an info metric that 1 does not make true."""
    for comparison in comparisons(subject.root):
        level = level_of(comparison.value)
        known = subject.facts.known(level) if level is not None else None
        if level is None or known is None or known.kind is not Kind.INFO or comparison.holds(1):
            continue
        summed = any(isinstance(node, Aggregate) and node.op == "sum" for node in comparison.value.walk())
        if summed and comparison.threshold > 0:
            continue  # counts instances
        gone = Call("absent", (Selector(level.metric, level.matchers),))
        yield Remark(
            comparison.node,
            f"`{written(comparison.node)}`: `{level.metric}` is an info metric{known.by}, whose value is always 1",
            "It is 1 while it is there, and nothing when it is gone: it never fires.",
            subject.with_change(comparison.node, gone) if comparison.asks_for_zero else None,
        )
