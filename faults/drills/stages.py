"""Brings together what Prometheus, Alertmanager and the webhook say of one life of an alert. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from faults.drills.episodes import Episode
from faults.drills.watch import Receipt
from faults.drills.wire import Notification, StageTimes

_SAME_FIRING_S = 0.5
"""Prometheus stamps an alert with the evaluation at which it fired, to the millisecond; clocks are one host's."""


def current_life(episodes: Sequence[Episode]) -> tuple[Episode, ...]:
    """Return the instances that are active, or else the one seen last; empty for no episodes."""
    active = tuple(one for one in episodes if one.resolved is None)
    return active or tuple(sorted(episodes, key=lambda one: one.last_seen)[-1:])


def detection(episodes: Sequence[Episode], since: float) -> tuple[Episode, ...]:
    """Return the episodes that count as noticing what began at ``since``: those that began no earlier.

    Where some of them fired, those that only became pending are left out.
    """
    later = tuple(one for one in episodes if one.began >= since)
    return tuple(one for one in later if one.firing is not None) or later


def stage_times(
    life: Sequence[Episode],
    receipts: Iterable[Receipt],
    deliveries: Iterable[Notification],
    *,
    condition_true: float | None = None,
) -> StageTimes:
    """Return when ``life``, the instances of one alert, reached each stage.

    The first instance counts for every stage but ``resolved`` and its delivery, for which the last one does. A rule
    without ``for`` passes through pending in the evaluation in which it fires.
    """
    if not life:
        return StageTimes(condition_true=condition_true)
    fired = [one for one in life if one.firing is not None]
    told = list(deliveries)
    pending = min(one.started for one in life)
    delivered = _first(note.at for one in fired for note in told if note.status == "firing" and _tells_of(note, one))
    came = [receipt for one in fired for receipt in receipts if _came_of(receipt, one)]
    received = _first(receipt.received_at for receipt in came)
    grouped = _first(receipt.grouped_at for receipt in came if receipt.grouped_at is not None)
    if delivered is not None:  # what was first looked at later had come, and had been grouped, by then
        received = delivered if received is None else min(received, delivered)
        grouped = delivered if grouped is None else min(grouped, delivered)
    resolutions = [
        _first(note.at for note in told if note.status == "resolved" and _tells_of(note, one)) for one in fired
    ]
    return StageTimes(
        condition_true=condition_true,
        pending=pending,
        firing=_first(one.firing for one in fired if one.firing is not None),
        received=received,
        grouped=grouped,
        delivered=delivered,
        resolved=_last([one.resolved for one in fired]),
        resolution_delivered=_last(resolutions),
    )


def _tells_of(note: Notification, episode: Episode) -> bool:
    return note.alert == episode.alert and _same_firing(note.starts_at, note.labels, episode)


def _came_of(receipt: Receipt, episode: Episode) -> bool:
    return receipt.labels.get("alertname") == episode.alert and _same_firing(receipt.starts_at, receipt.labels, episode)


def _same_firing(starts_at: float, labels: Mapping[str, str], episode: Episode) -> bool:
    """Say whether an alert that fired at ``starts_at`` is ``episode``; external labels may have been added to it."""
    return (
        episode.firing is not None
        and abs(starts_at - episode.firing) <= _SAME_FIRING_S
        and all(labels.get(name) == value for name, value in episode.labels)
    )


def _first(times: Iterable[float]) -> float | None:
    return min(times, default=None)


def _last(times: Sequence[float | None]) -> float | None:
    known = [time for time in times if time is not None]
    return max(known) if known and len(known) == len(times) else None
