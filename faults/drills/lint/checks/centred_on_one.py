"""A distance that is 0 when all is well, and is judged by how far it is from 1."""

from __future__ import annotations

import re
from collections.abc import Iterator

from faults.drills.lint.check import Remark, Subject, register
from faults.drills.lint.expression import Binary, Call
from faults.drills.lint.shapes import bare, comparisons, constant, level_of
from faults.drills.lint.writing import written

_DISTANCE = re.compile(r"(?:^|_)(?:psi|ks|drift|divergence|distance|wasserstein|kl|js|deviation)(?:_|$)")


@register("centred-on-one", "error", "a measure of drift that is 0 when all is well, compared by its distance from 1")
def find(subject: Subject) -> Iterator[Remark]:
    """Yield `abs(x - c) > t`, true at 0, of what measures a distance."""
    for comparison in comparisons(subject.root):
        distance = comparison.value
        if not isinstance(distance, Call) or distance.name != "abs" or comparison.op not in {">", ">="}:
            continue
        difference = bare(distance.arguments[0])
        if not isinstance(difference, Binary) or difference.op != "-":
            continue
        centre, level = constant(difference.right), level_of(difference.left)
        if centre is None or level is None or not _DISTANCE.search(level.metric):
            continue
        if comparison.holds(abs(centre)):
            yield Remark(
                distance,
                f"`{written(distance)}`: `{level.metric}` measures a distance, which is 0 without drift, and not "
                f"{centre:g}",
                "It fires when all is well and is silent while the inputs drift.",
                subject.with_change(distance, difference.left),
            )
