"""An alert without any condition: it fires for every series, also where the value is 0."""

from __future__ import annotations

from collections.abc import Iterator

from faults.drills.lint.check import Remark, Subject, register
from faults.drills.lint.expression import COMPARISONS, SETS, Binary, Call
from faults.drills.lint.shapes import ABSENCE, has_series, selectors
from faults.drills.lint.writing import written

_OWN = frozenset({"ALERTS", "ALERTS_FOR_STATE"})


@register("no-condition", "warning", "an alert whose expression compares nothing: any value fires it, 0 too")
def find(subject: Subject) -> Iterator[Remark]:
    """Yield alerts that no comparison, set operation or `absent()` can keep silent."""
    if not subject.is_alert or not has_series(subject.root):
        return
    conditional = any(
        (isinstance(node, Binary) and (node.op in COMPARISONS or node.op in SETS))
        or (isinstance(node, Call) and node.name in ABSENCE)
        for node in subject.root.walk()
    )
    unclear = any(
        not one.metric
        or ":" in one.metric
        or one.metric in subject.facts.recorded
        or one.metric in _OWN
        or one.matchers
        for one in selectors(subject.root)
    )
    if not conditional and not unclear:
        yield Remark(
            subject.root,
            f"`{written(subject.root)}` compares nothing",
            "An alert fires on every series of its result, whatever the value: it fires as long as there are any.",
        )
