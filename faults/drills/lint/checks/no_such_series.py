"""A name that an inventory, declared complete, does not have."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from faults.drills.lint.check import Remark, Subject, register
from faults.drills.lint.expression import Selector
from faults.drills.lint.shapes import asserted


@register("no-such-series", "error", "a series that an inventory, declared complete, does not have")
def find(subject: Subject) -> Iterator[Remark]:
    """Yield selectors of names that are not there; what `absent()` or `unless` look for may be missing."""
    inventory = subject.facts.inventory
    for selector in asserted(subject.root):
        if inventory is None or not isinstance(selector, Selector) or not subject.facts.missing(selector):
            continue
        if subject.facts.is_bare(selector.metric):
            continue  # another check's
        similar = difflib.get_close_matches(selector.metric, inventory.series, n=1, cutoff=0.8)
        meant = f"; did you mean `{similar[0]}`?" if similar else ""
        yield Remark(
            selector,
            f"{inventory.source} was declared complete and has no series named `{selector.metric}`{meant}",
            "It selects nothing, without an error.",
        )
