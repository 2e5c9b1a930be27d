"""A rate in events per second under a name that promises percent: nothing divides it by the traffic."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator

from faults.drills.lint.check import Remark, Subject, register
from faults.drills.lint.expression import Aggregate, Binary, Expr
from faults.drills.lint.shapes import Comparison, comparisons, rate_of
from faults.drills.lint.writing import written

_STATUS = frozenset({"status", "code", "status_code", "http_status", "response_code"})

_TIME = re.compile(r"seconds|duration|_time(?:_|$)")
"""Counters of time: their rate is time per time, and a share indeed."""


@register("rate-as-share", "warning", "events per second called a percentage")
def find(subject: Subject) -> Iterator[Remark]:
    """Yield comparisons of a rate alone with a threshold that the rule's texts have in percent."""
    for comparison in comparisons(subject.root):
        rate = rate_of(comparison.value)
        if (
            rate is None
            or rate[0].name == "increase"
            or _TIME.search(rate[1].metric)
            or comparison.op not in {">", ">="}
        ):
            continue
        percent = comparison.threshold * 100
        if 0 < comparison.threshold < 1 and _says_percent(subject.texts, percent):
            yield Remark(
                comparison.node,
                f"`{written(comparison.value)}` is events per second, and the rule's texts speak of {percent:g} %",
                f"It fires at {comparison.threshold:g} events per second, be that one in ten requests or one in a "
                "million.",
                _repaired(subject, comparison),
            )


def _says_percent(texts: str, percent: float) -> bool:
    return re.search(rf"(?<![\d.]){percent:g}(?:\.0+)?\s*(?:%|percent|per cent)", texts) is not None or (
        re.search(r"\$value\s*\|\s*humanizePercentage", texts) is not None
    )


def _repaired(subject: Subject, comparison: Comparison) -> Expr | None:
    """Return the rule with the share of the same counter, where what is counted is told by a status label."""
    rate = rate_of(comparison.value)
    if rate is None:
        return None
    _, selector = rate
    status = next((one for one in selector.matchers if one.label in _STATUS and one.op in {"=", "=~"}), None)
    if status is None:
        return None
    by_status = isinstance(comparison.value, Aggregate) and status.label not in (comparison.value.labels or ())
    if not by_status:
        return None  # each status would be divided by itself
    rest = tuple(one for one in selector.matchers if one is not status)
    whole = comparison.value.replaced(selector, dataclasses.replace(selector, matchers=rest))
    return subject.with_change(comparison.value, Binary("/", comparison.value, whole))
