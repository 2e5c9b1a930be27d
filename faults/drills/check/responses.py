"""What one alert did in one scenario, over all phases and seeds. It reads judgements and evaluates nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from faults.drills.check.result import Closest, Range, Response
from faults.drills.check.tried import Tried
from faults.drills.check.whys import nearest, why_not
from faults.drills.judge.judgement import AlertCourse, AlertLife, RuleRef
from faults.drills.judge.notification import Moment, told_of
from stack.clients.routing import DEFAULT_GROUP_INTERVAL_S, DEFAULT_GROUP_WAIT_S, Route, Routing

PLAIN_ROUTING = Routing(Route((), "default", ("alertname",), DEFAULT_GROUP_WAIT_S, DEFAULT_GROUP_INTERVAL_S))
"""Alertmanager's own timers, and a group for each alert."""


@dataclass(frozen=True)
class Once:
    """One alert in one phase of one try. Times are Unix seconds."""

    course: AlertCourse
    began_at: float
    """When the fault was lit; the start where there was none."""
    ended_at: float
    rollback_at: float | None
    lit: bool

    @property
    def already(self) -> bool:
        """Whether it was pending or firing when the fault was lit."""
        return self.lit and any(
            life.active_at < self.began_at and (life.ended_at is None or life.ended_at > self.began_at)
            for life in self.course.lives
        )

    @property
    def fired(self) -> tuple[AlertLife, ...]:
        """The lives that began after the fault and fired; none where it was active already."""
        if self.already:
            return ()
        return tuple(
            life for life in self.course.lives if life.fired_at is not None and life.active_at >= self.began_at
        )

    @property
    def detection_s(self) -> float | None:
        """From the fault to the first firing."""
        return min((life.fired_at - self.began_at for life in self.fired if life.fired_at is not None), default=None)

    @property
    def resolved_at(self) -> float | None:
        """When the last of what fired had ended; ``None`` where something had not, or nothing fired."""
        ends = [life.ended_at for life in self.fired]
        known = [end for end in ends if end is not None]
        return max(known) if known and len(known) == len(ends) else None

    @property
    def reset_s(self) -> float | None:
        """From the rollback to resolved; 0 where it had resolved before."""
        if self.resolved_at is None or self.rollback_at is None:
            return None
        return max(0.0, self.resolved_at - self.rollback_at)

    def told(self, routing: Routing) -> Moment | None:
        """Return when somebody is first told, Unix seconds; ``None``: never, such as for what was over too soon."""
        told = told_of([(self.course.rule.name, life) for life in self.fired], routing)
        return min((one.firing for one in told if one.firing is not None), default=None)

    @property
    def flaps(self) -> int:
        """How often the same alert, by its labels, fired again."""
        return max((count - 1 for count in Counter(life.labels for life in self.fired).values()), default=0)


def response_of(tries: Sequence[Tried], ref: RuleRef, routing: Routing = PLAIN_ROUTING) -> Response:
    """Return what the alert ``ref`` did in ``tries``, which are of the same scenario; at least one.

    ``routing`` is Alertmanager's, to predict when somebody would have been told; what it does with this alert alone.
    """
    times = list(once(tries, ref))
    fired = [one for one in times if one.fired]
    silent = [one for one in times if not one.fired]
    closest = None if fired else _closest(silent)
    return Response(
        scenario=tries[0].scenario.name,
        fired=len(fired),
        tries=len(times),
        already=any(one.already for one in times),
        detection_s=_range([one.detection_s for one in fired]),
        reset_s=_range([one.reset_s for one in fired]),
        told_s=_range([each - one.began_at for one in fired for each in one.told(routing) or ()]),
        flaps=max((one.flaps for one in fired), default=0),
        resolved=all(one.resolved_at is not None for one in fired) if fired else None,
        closest=closest,
        why=_why(silent, closest),
    )


def once(tries: Sequence[Tried], ref: RuleRef) -> Iterator[Once]:
    """Yield what became of the alert ``ref`` in each phase of each of ``tries``."""
    for one in tries:
        began_at = one.started_at if one.fault_at is None else one.fault_at
        for phase in one.judgement.phases:
            for course in phase.alerts:
                if course.ref == ref:
                    yield Once(course, began_at, one.ended_at, one.rollback_at, one.fault_at is not None)


def errors_of(tries: Sequence[Tried], ref: RuleRef) -> str:
    """Return why the engine could not evaluate it; empty where it could."""
    return next((one.course.error for one in once(tries, ref) if one.course.error), "")


def _range(values: Sequence[float | None]) -> Range | None:
    known = [value for value in values if value is not None]
    return Range(least=min(known), most=max(known)) if known else None


def _closest(silent: Sequence[Once]) -> Closest | None:
    """Return the nearest that any of the tries came."""
    found = [each for one in silent if (each := nearest(one.course, one.began_at, one.ended_at)) is not None]
    if not found:
        return None
    comparison = found[0][0]
    values = [closest.value for other, closest in found if other == comparison]
    best = comparison.nearest(values)
    return next((closest for other, closest in found if other == comparison and closest.value == best), found[0][1])


def _why(silent: Sequence[Once], closest: Closest | None) -> str:
    if not silent:
        return ""
    if any(one.already for one in silent):
        return "it was active before the fault was lit, so that its firing would prove nothing"
    return why_not([one.course for one in silent], min(one.began_at for one in silent), closest)
