"""Which series' absence some alert of the given rules watches for: another alert need not do so once more."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from faults.drills.lint.expression import Binary, Call, Expr, Selector
from faults.drills.lint.shapes import ABSENCE, comparisons, level_of, selectors


@dataclass(frozen=True)
class Watching:
    """The selectors whose absence fires an alert, and those of ``up`` that fire one at 0."""

    absent: tuple[Selector, ...]
    down: tuple[Selector, ...]

    def gone(self, selector: Selector) -> bool:
        """Say whether an alert fires when the series of ``selector``, or all of their target's, are not there."""
        return any(one.metric in {selector.metric, "up"} and compatible(one, selector) for one in self.absent)

    def dead(self, selector: Selector) -> bool:
        """Say whether an alert fires when the process behind ``selector`` does not answer any more."""
        return self.gone(selector) or any(compatible(one, selector) for one in self.down)


def compatible(one: Selector, other: Selector) -> bool:
    """Say whether one series' labels could pass the matchers of both."""
    return all(
        each.label != another.label or each.op != "=" or another.accepts(each.value)
        for first, second in ((one, other), (other, one))
        for each in first.matchers
        for another in second.matchers
    )


def watching_of(alerts: Iterable[Expr]) -> Watching:
    """Return what ``alerts`` watch."""
    absent: list[Selector] = []
    down: list[Selector] = []
    for root in alerts:
        for node in root.walk():
            if isinstance(node, Call) and node.name in ABSENCE:
                absent += selectors(node)
            elif isinstance(node, Binary) and node.op == "unless":
                absent += selectors(node.right)
        for comparison in comparisons(root):
            level = level_of(comparison.value)
            if level is not None and level.metric == "up" and comparison.holds(0):
                down.append(level)
    return Watching(tuple(absent), tuple(down))
