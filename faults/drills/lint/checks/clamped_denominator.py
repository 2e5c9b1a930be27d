"""A lower bound as a ratio's denominator that real traffic can fall below: the share is then too small."""

from __future__ import annotations

from collections.abc import Iterator

from faults.drills.lint.check import Remark, Subject, register
from faults.drills.lint.expression import Call
from faults.drills.lint.shapes import bare, constant, rate_of, ratios
from faults.drills.lint.writing import written

LEAST_PER_S = 0.05
"""Bounds below this, three requests a minute, only keep from dividing by zero."""


@register("clamped-denominator", "warning", "a lower bound on a ratio's denominator, which hides low traffic")
def find(subject: Subject) -> Iterator[Remark]:
    """Yield ratios by a rate that is bounded from below."""
    for ratio in ratios(subject.root):
        clamped = bare(ratio.right)
        if not isinstance(clamped, Call) or clamped.name not in {"clamp_min", "clamp"}:
            continue
        bound, rate = constant(clamped.arguments[1]), rate_of(clamped.arguments[0])
        if bound is not None and bound >= LEAST_PER_S and rate is not None and rate[0].name != "increase":
            yield Remark(
                clamped,
                f"`{written(clamped)}` is {bound:g} per second even where there is less traffic than that",
                f"Below {bound:g} requests per second the share comes out too small: "
                f"at a tenth of that, ten times, and all requests may fail without it firing.",
                subject.with_change(clamped, clamped.arguments[0]),
            )
