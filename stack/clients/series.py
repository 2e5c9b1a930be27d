"""What Prometheus knows, as plain values. Times are Unix seconds, durations seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

AlertState = Literal["inactive", "pending", "firing"]
Labels = Mapping[str, str]


@dataclass(frozen=True)
class Sample:
    """One series' value at one time. The value may be NaN or infinite."""

    labels: Labels
    time: float
    value: float


@dataclass(frozen=True)
class Series:
    """One series over time: (time, value) pairs, oldest first."""

    labels: Labels
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Exemplar:
    """A sample's example: ``labels`` carries the trace id, ``series`` the labels of what it belongs to."""

    labels: Labels
    time: float
    value: float
    series: Labels


@dataclass(frozen=True)
class AlertInstance:
    """A pending or firing alert. ``active_at`` is when its expression came true, not when it fired."""

    labels: Labels
    annotations: Labels
    state: Literal["pending", "firing"]
    active_at: float
    value: float


@dataclass(frozen=True)
class AlertRule:
    """A loaded alerting rule; its state is that of its furthest instance.

    ``evaluated_at`` is ``None`` before the first evaluation, ``interval_s`` that of its group.
    """

    name: str
    group: str
    expr: str
    for_s: float
    keep_firing_for_s: float
    labels: Labels
    annotations: Labels
    state: AlertState
    health: Literal["ok", "err", "unknown"]
    last_error: str
    evaluated_at: float | None
    interval_s: float
    alerts: tuple[AlertInstance, ...]


@dataclass(frozen=True)
class TargetHealth:
    """A scrape target and its last scrape; ``last_scrape`` is ``None`` before the first.

    ``interval_s`` and ``timeout_s`` are its own; 0 where Prometheus does not say them.
    """

    job: str
    instance: str
    url: str
    health: Literal["up", "down", "unknown"]
    last_scrape: float | None
    last_error: str
    interval_s: float = 0.0
    timeout_s: float = 0.0
