"""`rate()` of a gauge: each time it falls, the fall is taken for a counter's restart and its value added."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from faults.drills.lint.check import Remark, Subject, register
from faults.drills.lint.expression import Call, Selector
from faults.drills.lint.inventory import Kind
from faults.drills.lint.shapes import RATES
from faults.drills.lint.writing import written

_FOR_GAUGES = {"rate": "deriv", "increase": "delta", "irate": "idelta"}


@register("rate-on-gauge", "error", "`rate()`, `increase()` or `irate()` of a gauge")
def find(subject: Subject) -> Iterator[Remark]:
    """Yield rates of what is no counter."""
    for node in subject.root.walk():
        if not isinstance(node, Call) or node.name not in RATES or not isinstance(node.arguments[0], Selector):
            continue
        known = subject.facts.known(node.arguments[0])
        if known.kind is Kind.GAUGE:
            repaired = None if node.name == "irate" else dataclasses.replace(node, name=_FOR_GAUGES[node.name])
            yield Remark(
                node,
                f"`{written(node)}`: `{node.arguments[0].metric}` is a gauge{known.by}, and `{node.name}()` is for "
                "counters",
                "Every fall of the gauge counts as a restart from 0 and adds its value, so that ups and downs look "
                "like a steep rise.",
                None if repaired is None else subject.with_change(node, repaired),
                severity=None if known.stated else "warning",
            )
