"""At which evaluations a test looks at an alert, and what it has to find: quiet, pending, firing, quiet again.

From the course of the drill alone; promtool is not asked here. A time at which the drill and promtool may rightly
differ, because one of them evaluates a little later, is never chosen.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from faults.drills.export.course import Course
from faults.drills.judge.judgement import AlertLife
from faults.drills.virtual.recording import Labels

MOST_LIVES = 6
"""So many lives of one alert are looked at one by one, the first; the rest at the few times of every alert."""
_NEAR = 1e-6


@dataclass(frozen=True)
class Moment:
    """One alert at one evaluation, ``at_s`` seconds after the time 0 of the test."""

    alert: str
    at_s: float
    firing: tuple[Labels, ...]
    """Of each instance that fires, without ``alertname``."""
    pending: tuple[Labels, ...] = ()


@dataclass(frozen=True)
class Evaluations:
    """When a test evaluates its rules: every ``every_s`` seconds from ``origin``, Unix seconds, on."""

    origin: float
    every_s: float

    def before(self, at: float) -> float:
        """Return the last one that is not after ``at``, in seconds after the origin."""
        return math.floor((at - self.origin) / self.every_s + _NEAR) * self.every_s

    def after(self, at: float) -> float:
        """Return the first one that is not before ``at``, in seconds after the origin."""
        return math.ceil((at - self.origin) / self.every_s - _NEAR) * self.every_s


def moments(alert: str, course: Course, evaluations: Evaluations, *, slack_s: float) -> tuple[Moment, ...]:
    """Return when to look at ``alert``; ``slack_s``: by how much a time of its lives may be off the test's grid."""
    lives, origin = course.lives.get(alert, ()), evaluations.origin
    first_s = max(evaluations.before(course.started_at), evaluations.after(course.looked_from))
    last_s = evaluations.before(course.ended_at)
    chosen = {at for at in _candidates(lives, course, evaluations, slack_s) if first_s <= at <= last_s}
    return tuple(
        Moment(alert, at, _at(lives, origin + at, "firing"), _at(lives, origin + at, "pending"))
        for at in sorted(chosen)
        if _certain(lives, origin + at, slack_s)
    )


def _candidates(
    lives: Sequence[AlertLife], course: Course, evaluations: Evaluations, slack_s: float
) -> Iterator[float]:
    """Yield evaluations in seconds after the origin; some may lie outside of the drill."""
    yield evaluations.before(course.ended_at)
    if course.fault_at is None:
        yield evaluations.before((course.started_at + course.ended_at) / 2)
    else:
        until = course.ended_at if course.rollback_at is None else course.rollback_at
        for at in (course.fault_at, (course.fault_at + until) / 2, until):
            yield evaluations.before(at)
    for life in lives[:MOST_LIVES]:
        for edge in (life.active_at, life.fired_at, life.ended_at):
            if edge is not None:
                yield evaluations.before(edge - slack_s) - evaluations.every_s
                yield evaluations.after(edge + slack_s)


def _certain(lives: Sequence[AlertLife], at: float, slack_s: float) -> bool:
    """Return whether no state changes so near to ``at`` that a shift by the slack would cross the change."""
    edges = (edge for life in lives for edge in (life.active_at, life.fired_at, life.ended_at) if edge is not None)
    return not any(at - slack_s + _NEAR < edge <= at + slack_s - _NEAR for edge in edges)


def _at(lives: Sequence[AlertLife], at: float, state: str) -> tuple[Labels, ...]:
    found = []
    for life in lives:
        over = math.inf if life.ended_at is None else life.ended_at
        fired = over if life.fired_at is None else life.fired_at
        begin, end = (fired, over) if state == "firing" else (life.active_at, fired)
        if begin <= at + _NEAR and at + _NEAR < end:
            found.append(life.labels)
    return tuple(sorted(found))
