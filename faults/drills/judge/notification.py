"""When Alertmanager would tell of what fired and of its end: from its configuration alone. Nobody is asked.

Source: Alertmanager, dispatch/route.go and dispatch/dispatch.go. An alert takes the first route whose matchers hold,
and within it the first one below; its group is flushed ``group_wait`` after its first alert came, and then every
``group_interval``. What fired and ended between two flushes without having been told of is not told at all. A group
whose alerts ended is kept for a quarter of an hour, since Prometheus goes on telling of them, and then taken away by a
tidying, nobody knows when: what comes meanwhile may find it or not, so that a moment is a range. Silences, inhibition,
and the way to the receiver are not in it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from faults.drills.judge.judgement import AlertLife
from faults.drills.prediction import RESENT_FOR_S, TIDIED_AFTER_S
from faults.drills.virtual.recording import Labels
from stack.clients.routing import Route, Routing

_MATCHER = re.compile(r'\s*"?([^"=!~\s]+)"?\s*(=~|!~|!=|=)\s*(.*?)\s*', re.DOTALL)
_MOST_COURSES = 32
_LINGERS_S = RESENT_FOR_S + TIDIED_AFTER_S
"""How long a group outlives its alerts, at most."""
_ALL_LABELS = "..."


class Moment(NamedTuple):
    """Unix seconds between which something happens."""

    earliest: float
    latest: float


@dataclass(frozen=True)
class Told:
    """What is told of one life of an alert along one route; ``None``: nothing is."""

    alert: str
    life: AlertLife
    route: Route
    firing: Moment | None
    resolution: Moment | None
    why: str = ""
    """Why nothing is told of its firing, or may not be."""


@dataclass
class _Course:
    """One way in which it may go with a group: what is in it, and when it is flushed next."""

    flush_at: float
    held: list[int] = field(default_factory=list)
    """Of lives: those that are in the group."""
    empty_since: float | None = None
    firing: dict[int, float] = field(default_factory=dict)
    resolution: dict[int, float] = field(default_factory=dict)

    def copy(self, flush_at: float) -> _Course:
        return _Course(flush_at, [*self.held], None, {**self.firing}, {**self.resolution})


def told_of(lives: Iterable[tuple[str, AlertLife]], routing: Routing) -> tuple[Told, ...]:
    """Return what is told of ``lives``, each with the name of its alert; of those alone that fire.

    They must be all of one phase, since alerts share groups. By when they fired, once for each route that they take.
    """
    groups: dict[tuple[Route, Labels], list[tuple[str, AlertLife]]] = defaultdict(list)
    for alert, life in lives:
        if life.fired_at is not None:
            labels = {**dict(life.labels), "alertname": alert}
            for route in routes_of(labels, routing.root):
                groups[route, _group(labels, route)].append((alert, life))
    told = [one for (route, _), members in groups.items() for one in _group_told(members, route)]
    return tuple(sorted(told, key=lambda one: (_fired(one.life), one.alert, one.life.labels)))


def routes_of(labels: Mapping[str, str], root: Route) -> tuple[Route, ...]:
    """Return the routes that an alert with ``labels`` takes, ``alertname`` among them.

    A matcher whose pattern is none for Python holds for nothing.
    """
    found: list[Route] = []
    for route in root.routes:
        if all(_holds(text, labels) for text in route.matchers):
            found += routes_of(labels, route)
            if not route.goes_on:
                break
    return tuple(found) or (root,)


def _holds(text: str, labels: Mapping[str, str]) -> bool:
    read = _MATCHER.fullmatch(text)
    if read is None:
        return False
    name, operator, quoted = read.groups()
    value = re.sub(r"\\(.)", r"\1", quoted[1:-1]) if quoted[:1] == quoted[-1:] == '"' and len(quoted) > 1 else quoted
    there = labels.get(name, "")
    if operator in {"=", "!="}:
        return (there == value) == (operator == "=")
    try:
        return (re.fullmatch(value, there) is not None) == (operator == "=~")
    except re.error:
        return False


def _group(labels: Mapping[str, str], route: Route) -> Labels:
    by = labels if _ALL_LABELS in route.group_by else route.group_by
    return tuple(sorted((name, labels[name]) for name in by if name in labels))


def _fired(life: AlertLife) -> float:
    return life.fired_at or 0.0


def _group_told(members: Sequence[tuple[str, AlertLife]], route: Route) -> Iterable[Told]:
    """Yield what is told of all alerts of one group, over all courses that it may take."""
    ordered = sorted(members, key=lambda one: _fired(one[1]))
    lives = [life for _, life in ordered]
    courses: list[_Course] = []
    for index, life in enumerate(lives):
        courses = [new for course in courses for new in _joined(course, index, life, route, lives)] or [
            _Course(_fired(life) + route.group_wait_s, [index])
        ]
        if len(courses) > _MOST_COURSES:
            courses = sorted(courses, key=lambda one: one.flush_at)
            courses = [*courses[: _MOST_COURSES // 2], *courses[-_MOST_COURSES // 2 :]]
    for course in courses:
        while any(index in course.held and not _settled(course, index, lives) for index in course.held):
            _flush(course, route, lives)
    for index, (alert, life) in enumerate(ordered):
        firing, resolution = (_moment(index, [one.firing for one in courses])), None
        if life.ended_at is not None:
            resolution = _moment(index, [one.resolution for one in courses])
        yield Told(alert, life, route, firing, resolution, _why(index, courses, life, route))


def _joined(course: _Course, index: int, life: AlertLife, route: Route, lives: Sequence[AlertLife]) -> list[_Course]:
    """Return ``course`` at the time at which ``life`` comes into the group: two, where the group may be gone or not."""
    came = _fired(life)
    while course.held and course.flush_at < came:
        _flush(course, route, lives)
    found: list[_Course] = []
    if course.held or (course.empty_since is not None and came <= course.empty_since + _LINGERS_S):
        flush_at = course.flush_at
        while flush_at < came:
            flush_at += route.group_interval_s
        found.append(course.copy(flush_at))
    if not course.held:
        found.append(course.copy(came + route.group_wait_s))
    for one in found:
        one.held.append(index)
    return found


def _flush(course: _Course, route: Route, lives: Sequence[AlertLife]) -> None:
    """Tell of what is new, and of what is over if it was told of; what is over leaves the group."""
    at = course.flush_at
    for index in [*course.held]:
        ended_at = lives[index].ended_at
        if ended_at is not None and ended_at <= at:
            course.held.remove(index)
            if index in course.firing:
                course.resolution[index] = at
        else:
            course.firing.setdefault(index, at)
    course.empty_since = None if course.held else at
    course.flush_at = at + route.group_interval_s


def _settled(course: _Course, index: int, lives: Sequence[AlertLife]) -> bool:
    return lives[index].ended_at is None and index in course.firing


def _moment(index: int, found: Iterable[Mapping[int, float]]) -> Moment | None:
    times = [one[index] for one in found if index in one]
    return Moment(min(times), max(times)) if times else None


def _why(index: int, courses: Sequence[_Course], life: AlertLife, route: Route) -> str:
    silent = sum(index not in one.firing for one in courses)
    if not silent or life.ended_at is None:
        return ""
    waited = f"group_wait {route.group_wait_s:g} s, group_interval {route.group_interval_s:g} s"
    may = "may be" if silent < len(courses) else "is"
    return f"it {may} over before its group is flushed ({life.ended_at - _fired(life):g} s of firing; {waited})"
