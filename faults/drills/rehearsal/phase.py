"""One phase of a judged recording, as a live drill would have seen it: at any moment, what was known by then.

It stands in for watcher and journal of a stack, so that the same code watches, waits and judges. It asks nobody.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from faults.drills.episodes import Episode
from faults.drills.judge.judgement import AlertCourse, AlertLife, PhaseJudgement
from faults.drills.rehearsal.ground import Ground, loaded
from faults.drills.rehearsal.probes import condition_of, is_probe
from faults.drills.rehearsal.telling import notifications
from faults.drills.watch import Receipt, Sight
from faults.drills.wire import DrillRun, Notification
from stack.clients.prometheus import AlertRule
from stack.clients.series import AlertState

_FOREVER = float("inf")


@dataclass(frozen=True)
class _Life:
    """One life of one alert, with its rule."""

    rule: AlertRule
    labels: frozenset[tuple[str, str]]
    life: AlertLife

    def episode(self, at: float) -> Episode | None:
        """Return what was known of it at ``at``; ``None`` where it had not begun."""
        one = self.life
        if one.active_at > at:
            return None
        ended = one.ended_at is not None and one.ended_at <= at
        return Episode(
            alert=self.rule.name,
            labels=self.labels,
            started=one.active_at,
            active_at=one.active_at,
            pending=one.active_at if one.fired_at != one.active_at else None,
            firing=one.fired_at if one.fired_at is not None and one.fired_at <= at else None,
            last_seen=(one.ended_at or 0.0) - self.rule.interval_s if ended else at,
            resolved=one.ended_at if ended else None,
        )


class Phase:
    """The alerts of one phase. ``last`` is what the latest look saw; looks go forward in time."""

    def __init__(self, judged: PhaseJudgement, ground: Ground, *, started_at: float, ended_at: float) -> None:
        """``started_at`` is when the first scrape may have come, Unix seconds."""
        self.judged, self.started_at, self.ended_at = judged, started_at, ended_at
        self.last: Sight | None = None
        self._courses = [course for course in judged.alerts if not is_probe(course)]
        self._rules = [_rule(course) for course in self._courses]
        self._lives = [*self._all_lives()]
        self._notes = notifications(((one.rule.name, one.life) for one in self._lives), ground.routing)
        self._conditions = {
            (course.ref.alert, frozenset(life.labels), life.active_at): life
            for course in judged.alerts
            if condition_of(course)
            for life in course.lives
        }

    def look(self, at: float) -> Sight:
        """Return what there was to see at Unix second ``at``."""
        episodes = [found for one in self._lives if (found := one.episode(at)) is not None]
        episodes.sort(key=lambda one: (one.started, one.alert))
        rules = tuple(
            replace(rule, state=_state(course, at), evaluated_at=at)
            for rule, course in zip(self._rules, self._courses, strict=True)
        )
        fired = [one for one in episodes if one.firing is not None]
        receipts = tuple(
            Receipt({"alertname": one.alert, **dict(one.labels)}, one.firing, one.firing, one.firing)
            for one in fired
            if one.firing is not None
        )
        self.last = Sight(at, rules, tuple(episodes), receipts, None)
        return self.last

    async def condition_true(self, rule: AlertRule, episode: Episode) -> float:
        """Return when the condition became true that began ``episode``, to a tenth of its interval."""
        fine = (
            life.active_at
            for (alert, labels, _), life in self._conditions.items()
            if alert == episode.alert
            and labels == episode.labels
            and life.active_at <= episode.started
            and (life.ended_at is None or life.ended_at > episode.started)
        )
        _ = rule
        return max(fine, default=episode.started)

    async def history_s(self, needed_s: float, interval_s: float) -> float:
        """Return for how many seconds the service had been scraped when it was looked at last."""
        _ = needed_s, interval_s
        return 0.0 if self.last is None else self.last.at - self.started_at

    def deliveries(self, alert: str, since: float) -> list[Notification]:
        """Return what the webhook had been told of ``alert`` by the latest look."""
        at = _FOREVER if self.last is None else self.last.at
        return [one for one in self._notes if one.alert == alert and one.starts_at >= since and one.at <= at]

    def save_run(self, run: DrillRun) -> None:
        """Do nothing: nobody asks for a run that is not over."""

    def moments(self, since: float) -> list[float]:
        """Return when anything changes after ``since``, in order: evaluations that change a state, notifications."""
        times = {one.at for one in self._notes}
        for one in self._lives:
            times |= {at for at in (one.life.active_at, one.life.fired_at, one.life.ended_at) if at is not None}
        return sorted(at for at in times if since < at <= self.ended_at)

    def courses(self, alert: str) -> Sequence[AlertCourse]:
        """Return the courses of the rules of that name."""
        return [one for one in self._courses if one.ref.alert == alert]

    def _all_lives(self) -> Iterator[_Life]:
        for rule, course in zip(self._rules, self._courses, strict=True):
            for life in course.lives:
                yield _Life(rule, frozenset(life.labels), life)


def _rule(course: AlertCourse) -> AlertRule:
    rule = loaded(course.rule, course.ref.group, course.interval_s)
    return replace(rule, health="err", last_error=course.error) if course.error else rule


def _state(course: AlertCourse, at: float) -> AlertState:
    active = [one for one in course.lives if one.active_at <= at and (one.ended_at is None or one.ended_at > at)]
    if not active:
        return "inactive"
    return "firing" if any(one.fired_at is not None and one.fired_at <= at for one in active) else "pending"
