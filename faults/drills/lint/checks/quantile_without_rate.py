"""A quantile of buckets as they are: of everything since the process started, and not of what happens now."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from faults.drills.lint.check import Remark, Subject, register
from faults.drills.lint.checks.quantile_of_bare_name import WINDOW_MS
from faults.drills.lint.expression import Call
from faults.drills.lint.shapes import RATES, selectors
from faults.drills.lint.writing import written

_CHANGES = RATES | {"delta", "idelta", "deriv"}


@register(
    "quantile-without-rate", "error", "a quantile of buckets without `rate()`: over the whole life of the process"
)
def find(subject: Subject) -> Iterator[Remark]:
    """Yield the buckets under a quantile that no rate is taken of."""
    for call in subject.root.walk():
        if not isinstance(call, Call) or call.name != "histogram_quantile":
            continue
        inner = call.arguments[1]
        changes = any(isinstance(node, Call) and node.name in _CHANGES for node in inner.walk())
        if changes or any(one.offset_ms for one in selectors(inner)):
            continue  # a difference of two times is a rate as well
        for selector in selectors(inner):
            if selector.metric.endswith("_bucket") and selector.metric not in subject.facts.recorded:
                windowed = dataclasses.replace(selector, range_ms=WINDOW_MS)
                yield Remark(
                    selector,
                    f"`{written(selector)}` counts since its process started; there is no `rate()` around it",
                    "The quantile is one of all time. After hours of good answers a bad spell hardly moves it, "
                    "and after a bad spell it stays high.",
                    None if selector.range_ms else subject.with_change(selector, Call("rate", (windowed,))),
                )
