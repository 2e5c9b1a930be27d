"""The lives of alerts, read off the samples that Prometheus itself writes at each evaluation. Pure functions.

Prometheus writes ``ALERTS{alertstate}`` (1) and ``ALERTS_FOR_STATE`` (the Unix second at which the alert became
active) at every evaluation in which an alert is pending or firing; the samples' times are the evaluations' own. An
episode is one unbroken life: it ends when ``ALERTS_FOR_STATE`` changes its value, or with a gap in the samples.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from stack.clients.prometheus import Series

Labels = frozenset[tuple[str, str]]
_GAP_INTERVALS = 1.5


@dataclass(frozen=True)
class Episode:
    """One life of one alert instance. Times are Unix seconds: evaluations', but for ``active_at`` (whole seconds)."""

    alert: str
    labels: Labels
    started: float
    """First evaluation at which it was seen active."""
    active_at: float
    """Since when Prometheus says it is active; earlier than ``started`` if the samples begin in its middle."""
    pending: float | None
    firing: float | None
    last_seen: float
    resolved: float | None = None
    """First evaluation at which it was active no more; ``None`` while it is active."""

    @property
    def began(self) -> float:
        """When this life began, as early as anything says."""
        return self.active_at if self.active_at < self.started - 1.0 else self.started

    def carries(self, labels: Mapping[str, str]) -> bool:
        """Say whether the alert carries all of ``labels``."""
        return frozenset(labels.items()) <= self.labels


@dataclass(frozen=True)
class _Moment:
    time: float
    state: str
    active_at: float | None


def episodes(series: Iterable[Series], intervals: Mapping[str, float]) -> tuple[Episode, ...]:
    """Return the episodes in raw ``ALERTS`` and ``ALERTS_FOR_STATE`` samples, by start, none of them resolved yet.

    ``intervals`` gives the evaluation interval of each alert in seconds; alerts that are not in it are left out.
    """
    states: dict[tuple[str, Labels], dict[float, str]] = defaultdict(dict)
    actives: dict[tuple[str, Labels], dict[float, float]] = defaultdict(dict)
    for one in series:
        labels = {
            name: value for name, value in one.labels.items() if name not in {"__name__", "alertname", "alertstate"}
        }
        key = (one.labels.get("alertname", ""), frozenset(labels.items()))
        if one.labels.get("__name__") == "ALERTS_FOR_STATE":
            actives[key].update(one.points)
            continue
        state = one.labels.get("alertstate", "")
        for time, _ in one.points:
            if states[key].get(time) != "firing":  # at the turn a stale marker ends `pending`; firing has the say
                states[key][time] = state
    found: list[Episode] = []
    for (alert, identity), by_time in states.items():
        if alert not in intervals:
            continue
        known = actives.get((alert, identity), {})
        moments = [_Moment(time, by_time[time], known.get(time)) for time in sorted(by_time)]
        found.extend(_split(alert, identity, moments, intervals[alert]))
    return tuple(sorted(found, key=lambda episode: (episode.started, episode.alert)))


def _split(alert: str, labels: Labels, moments: list[_Moment], interval_s: float) -> Iterable[Episode]:
    """Yield one episode for each unbroken stretch of ``moments`` (by time)."""
    stretch: list[_Moment] = []
    for moment in moments:
        if stretch and _breaks(stretch[-1], moment, interval_s):
            yield _episode(alert, labels, stretch)
            stretch = []
        stretch.append(moment)
    if stretch:
        yield _episode(alert, labels, stretch)


def _breaks(before: _Moment, after: _Moment, interval_s: float) -> bool:
    if before.active_at is not None and after.active_at is not None:
        return before.active_at != after.active_at  # exact, also across evaluations that were missed
    return after.time - before.time > _GAP_INTERVALS * interval_s or (before.state, after.state) == (
        "firing",
        "pending",
    )


def _episode(alert: str, labels: Labels, stretch: list[_Moment]) -> Episode:
    first = {state: next((m.time for m in stretch if m.state == state), None) for state in ("pending", "firing")}
    started = stretch[0].time
    active_at = next((m.active_at for m in stretch if m.active_at is not None), started)
    return Episode(alert, labels, started, active_at, first["pending"], first["firing"], stretch[-1].time)


def merge(known: Iterable[Episode], fresh: Iterable[Episode], *, apart_s: float = 1.0) -> tuple[Episode, ...]:
    """Return ``known`` episodes continued by ``fresh`` ones of a later, overlapping window of samples.

    Two are the same life when alert, labels and ``active_at`` agree (within ``apart_s``), or when they overlap.
    """
    merged = list(known)
    for episode in fresh:
        for index, old in enumerate(merged):
            if _same_life(old, episode, apart_s):
                merged[index] = replace(
                    old,
                    started=min(old.started, episode.started),
                    active_at=min(old.active_at, episode.active_at),
                    pending=_earlier(old.pending, episode.pending),
                    firing=_earlier(old.firing, episode.firing),
                    last_seen=max(old.last_seen, episode.last_seen),
                    resolved=old.resolved if old.last_seen >= episode.last_seen else None,
                )
                break
        else:
            merged.append(episode)
    return tuple(sorted(merged, key=lambda episode: (episode.started, episode.alert)))


def _same_life(old: Episode, new: Episode, apart_s: float) -> bool:
    if (old.alert, old.labels) != (new.alert, new.labels):
        return False
    return abs(old.active_at - new.active_at) < apart_s or (
        old.started <= new.last_seen and new.started <= old.last_seen
    )


def _earlier(one: float | None, other: float | None) -> float | None:
    return min((time for time in (one, other) if time is not None), default=None)


def settle(
    known: Iterable[Episode],
    active: Mapping[str, frozenset[Labels]],
    evaluated_at: Mapping[str, float],
    intervals: Mapping[str, float],
) -> tuple[Episode, ...]:
    """Return ``known`` with ``resolved`` set where a later evaluation no longer had the alert.

    ``active`` are the label sets that each rule listed as pending or firing when it was asked, *before* the samples
    were read; ``evaluated_at`` is the rule's last evaluation by then. The first evaluation without it is one interval
    after the last with it.
    """
    done: list[Episode] = []
    for episode in known:
        evaluated, interval_s = evaluated_at.get(episode.alert), intervals.get(episode.alert)
        if (
            episode.resolved is None
            and evaluated is not None
            and interval_s is not None
            and evaluated > episode.last_seen + interval_s / 2
            and episode.labels not in active.get(episode.alert, frozenset())
        ):
            done.append(replace(episode, resolved=episode.last_seen + interval_s))
        else:
            done.append(episode)
    return tuple(done)


def condition_since(points: Iterable[float], until: float, step_s: float) -> float:
    """Return when the condition became true that held at ``until``.

    ``points`` are the times, on a grid of ``step_s`` seconds that ends at ``until``, at which the rule's expression
    had a result. Returns ``until`` where even that last point is missing.
    """
    since = until
    for time in sorted(points, reverse=True):
        if time > until + step_s / 2:
            continue
        if since - time > step_s * _GAP_INTERVALS:
            break
        since = min(since, time)
    return since
