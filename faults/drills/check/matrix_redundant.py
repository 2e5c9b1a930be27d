"""Which alerts say nothing that another has not said: they fire for the same faults, and in no try earlier."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pydantic import BaseModel, Field

from faults.drills.check.responses import once
from faults.drills.check.tried import Tried
from faults.drills.judge.judgement import RuleRef
from faults.drills.lint.finding import Place

Detections = Mapping[tuple[str, int, int], float]
"""After how many seconds an alert fired, by scenario, seed and phase; without those in which it did not."""


class Redundant(BaseModel):
    """An alert that could go without anybody being told later, as far as was tried."""

    alert: str
    beside: str
    faults: list[str] = Field(description="For all of which both fire, and for nothing else that was tried.")
    same_time: bool = Field(description="Whether both fire at the same moment in every try: either could go.")


def redundant_alerts(tries: Sequence[Tried], names: Mapping[Place, str]) -> Iterator[Redundant]:
    """Yield each pair of alerts of which the first is redundant beside the second.

    ``names`` is what alerts are called. Both have to fire in exactly the same tries, of faults alone: an alert that
    also fires without any fault has nothing to teach of others.
    """
    named = {ref: names[place] for ref, place in _places(tries).items() if place in names}
    pairs = [(ref, times) for ref in named if (times := _detections(tries, ref))]
    for number, (first, times) in enumerate(pairs):
        for second, others in pairs[number + 1 :]:
            if times.keys() != others.keys():
                continue
            faults = list(dict.fromkeys(scenario for scenario, _, _ in times))
            sooner = any(times[one] < others[one] for one in times)
            later = any(times[one] > others[one] for one in times)
            if not (sooner and later):
                late, early = (first, second) if later else (second, first)
                yield Redundant(alert=named[late], beside=named[early], faults=faults, same_time=not (sooner or later))


def _places(tries: Sequence[Tried]) -> Mapping[RuleRef, Place]:
    """Return where each alert stands."""
    courses = (course for one in tries for phase in one.judgement.phases for course in phase.alerts)
    return {
        one.ref: Place(file=one.ref.file, group=one.ref.group, rule=one.ref.alert, line=one.rule.line)
        for one in courses
    }


def _detections(tries: Sequence[Tried], ref: RuleRef) -> Detections:
    found: dict[tuple[str, int, int], float] = {}
    for one in tries:
        for number, each in enumerate(once([one], ref)):
            if one.fault_at is None and each.fired:
                return {}
            if each.detection_s is not None:
                found[one.scenario.name, one.scenario.seed, number] = each.detection_s
    return found
