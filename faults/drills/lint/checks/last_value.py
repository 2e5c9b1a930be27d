"""A gauge that holds what the last request happened to be: a scrape sees one request of all in between."""

from __future__ import annotations

import re
from collections.abc import Iterator

from faults.drills.lint.check import Remark, Subject, register
from faults.drills.lint.expression import Expr, Selector
from faults.drills.lint.inventory import Kind
from faults.drills.lint.shapes import bare, conditions
from faults.drills.lint.writing import written

_LAST = re.compile(r"^(?:the )?(?:last|latest|most recent)\b(?! \d)(?!.*\bload\b)", re.IGNORECASE)
_NAMED = re.compile(
    r"(?:^|_)(?:last|latest)_(?:prediction|confidence|score|probability|inference)(?:_|$)"
    r"|(?:prediction|feature)_value$|(?:^|_)prediction_(?:confidence|probability|score)$"
)
_SUMMARY = re.compile(r"(?:^|_)(?:avg|mean|average|median|min|max|ratio|p\d\d|rate|sum|count)(?:_|$)")


@register(
    "last-value", "warning", "a gauge of the last request's value: one sample of all that were between two scrapes"
)
def find(subject: Subject) -> Iterator[Remark]:
    """Yield comparisons of such a gauge itself."""
    for comparison in conditions(subject.root) if subject.is_alert else ():
        level = _instant(comparison.value)
        if level is None or subject.facts.is_bare(level.metric) or level.metric in subject.facts.recorded:
            continue
        known = subject.facts.known(level)
        if known.listed is not None:
            last = known.kind is Kind.GAUGE and _LAST.match(known.listed.help) is not None
        else:
            last = known.kind is Kind.UNKNOWN and _NAMED.search(level.metric) is not None
            last = last and not _SUMMARY.search(level.metric)
        if last:
            yield Remark(
                comparison.node,
                f"`{written(level)}` is the value of one request, the last before the scrape"
                f"{'' if known.listed is not None else ' (by its name)'}",
                "A scrape samples one request of hundreds: whether it fires is chance, and one odd request is enough.",
            )


def _instant(expr: Expr) -> Selector | None:
    inner = bare(expr)
    return inner if isinstance(inner, Selector) and not inner.range_ms else None
