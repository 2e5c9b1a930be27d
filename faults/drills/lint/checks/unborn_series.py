"""A sum or difference with series that come only with their first event: until then all of it is empty."""

from __future__ import annotations

import re
from collections.abc import Iterator

from faults.drills.lint.check import Remark, Subject, register
from faults.drills.lint.expression import Aggregate, Binary, Call, Expr, Number, Selector, Wrapped
from faults.drills.lint.labels import BARE, is_scalar, labels_of
from faults.drills.lint.shapes import asserted, bare, rate_of
from faults.drills.lint.writing import written

_STATUS = frozenset({"status", "code", "status_code", "http_status", "response_code", "result", "outcome"})
_ERRORS = frozenset({"error", "error_type", "exception", "reason"})
_BAD = re.compile(r"^\(?[345]|err|fail|timeout|reject|drop|exception|invalid", re.IGNORECASE)
"""Values of a status that come with something bad, and not from the start."""


@register("unborn-series", "warning", "a sum or difference with series that come only with their first event")
def find(subject: Subject) -> Iterator[Remark]:
    """Yield summands that select by the kind of an event, with nothing in their place while there was none."""
    for node in asserted(subject.root):
        if isinstance(node, Binary) and node.op in {"+", "-"}:
            for side, other in ((node.left, node.right), (node.right, node.left)):
                selector = _by_event(side)
                if selector is None or is_scalar(other) or not _can_be_unborn(subject, selector):
                    continue
                yield Remark(
                    side,
                    f"`{written(selector)}` exists only once such an event has been counted; until then "
                    f"`{written(node)}` is empty as a whole",
                    "It is silent until the first such event, whatever the other side does.",
                    _repaired(subject, side),
                )


def _by_event(side: Expr) -> Selector | None:
    rate = rate_of(side)
    if rate is None:
        return None
    chosen = any(
        one.op in {"=", "=~"}
        and not one.accepts("")
        and (one.label in _ERRORS or (one.label in _STATUS and _BAD.search(one.value) is not None))
        for one in rate[1].matchers
    )
    return rate[1] if chosen else None


def _can_be_unborn(subject: Subject, selector: Selector) -> bool:
    """Say whether the inventory does not show such a series already."""
    listed = subject.facts.known(selector).listed
    if listed is None or listed.labels is None:
        return True
    for matcher in selector.matchers:
        values = listed.labels.get(matcher.label)
        if matcher.label in _STATUS | _ERRORS and values and any(matcher.accepts(value) for value in values):
            return False
    return bool(subject.facts.inventory is not None and any(listed.labels.values()))


def _repaired(subject: Subject, side: Expr) -> Expr | None:
    """Return the rule with 0 in the place of what is not there yet, which has no labels and so fits sums alone."""
    inner = bare(side)
    if not isinstance(inner, Aggregate) or labels_of(inner, subject.facts) != BARE:
        return None
    return subject.with_change(side, Wrapped(Binary("or", inner, Call("vector", (Number(0.0),)))))
