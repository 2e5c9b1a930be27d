"""A ratio whose series may be gone, and no rule that says so: without them it is silent, which looks like health."""

from __future__ import annotations

from collections.abc import Iterator

from faults.drills.lint.check import Remark, Subject, register
from faults.drills.lint.labels import apart
from faults.drills.lint.shapes import ratios, selectors
from faults.drills.lint.writing import written


@register("ratio-without-absent", "info", "a ratio, and no rule that watches for the absence of its series")
def find(subject: Subject) -> Iterator[Remark]:
    """Yield the first ratio of an alert none of whose series is watched, by `absent()` or by `up`."""
    for ratio in ratios(subject.root) if subject.is_alert else ():
        read = [one for one in selectors(ratio.right) if one.metric and ":" not in one.metric]
        if not read or apart(ratio, subject.facts) or any(subject.watching.dead(one) for one in read):
            continue
        yield Remark(
            ratio,
            f"`{written(ratio)}` is empty when its series are gone, and no rule here watches for that",
            "Where nothing is counted any more, or the process is gone, it is silent.",
        )
        return
