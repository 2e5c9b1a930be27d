"""`delta()` or `deriv()` of a counter: they are for gauges, and a restart is a steep fall to them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from faults.drills.lint.check import Remark, Subject, register
from faults.drills.lint.expression import Call, Selector
from faults.drills.lint.inventory import Kind
from faults.drills.lint.writing import written

_FOR_COUNTERS = {"delta": "increase", "deriv": "rate", "idelta": "irate"}


@register("delta-of-counter", "error", "`delta()`, `idelta()` or `deriv()` of a counter or a bucket")
def find(subject: Subject) -> Iterator[Remark]:
    """Yield the functions for gauges that are given what only rises."""
    for node in subject.root.walk():
        if not isinstance(node, Call) or node.name not in _FOR_COUNTERS or not isinstance(node.arguments[0], Selector):
            continue
        known = subject.facts.known(node.arguments[0])
        if not known.kind.only_rises:
            continue
        name, bucket = node.arguments[0].metric, known.kind is Kind.BUCKET
        yield Remark(
            node,
            f"`{written(node)}`: `{name}` is a counter{known.by}, and `{node.name}()` is for gauges",
            "A bucket counts all that was as fast or faster: it fires on traffic, and a restart hides it."
            if bucket
            else "A restart is a fall to below zero, which hides what was counted after it.",
            None if bucket else subject.with_change(node, dataclasses.replace(node, name=_FOR_COUNTERS[node.name])),
            severity=None if known.stated or bucket else "warning",
        )
