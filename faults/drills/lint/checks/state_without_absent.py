"""A state that is compared with 0: when the process is gone, so is its series, and nothing is 0 any more."""

from __future__ import annotations

import re
from collections.abc import Iterator

from faults.drills.lint.check import Remark, Subject, register
from faults.drills.lint.expression import Binary, Call, Expr, Selector, Wrapped
from faults.drills.lint.shapes import Comparison, conditions, level_of
from faults.drills.lint.writing import written

ALONE = frozenset({"or"})
"""What may join such a condition to others: beside ``and``, its silence may be meant."""
_STATE = re.compile(r"(?:^|_)(?:up|loaded|ready|healthy|health|alive|available|online|connected|running|serving)$")


@register("state-without-absent", "warning", "a state that must not be 0, and no `absent()` for when it is not there")
def find(subject: Subject) -> Iterator[Remark]:
    """Yield comparisons of a state with 0, where no rule watches for its absence."""
    for comparison in conditions(subject.root, ALONE) if subject.is_alert else ():
        level = level_of(comparison.value)
        if level is None or not _STATE.search(level.metric) or not comparison.asks_for_zero:
            continue
        is_up = level.metric == "up"
        if subject.watching.gone(level) if is_up else subject.watching.dead(level):
            continue
        yield Remark(
            comparison.node,
            f"`{written(comparison.node)}` has a result only while `{level.metric}` is there, and no rule here watches "
            "for its absence",
            "A target that is not configured any more, or was never found, has no `up`: silence."
            if is_up
            else "When the process is gone its series is gone as well, and nothing fires.",
            repaired(subject, comparison, level),
            severity="info" if is_up else None,
        )


def repaired(subject: Subject, comparison: Comparison, level: Selector) -> Expr:
    """Return the rule with `or absent()` beside ``comparison``."""
    either = Binary("or", comparison.node, Call("absent", (Selector(level.metric, level.matchers),)))
    return either if comparison.node is subject.root else subject.with_change(comparison.node, Wrapped(either))
