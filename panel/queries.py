"""What the panel asks of Prometheus, and the typed answers. Expressions stand here in production time.

Nothing here draws, and nothing knows Streamlit.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from faults.base import FaultRecord
from panel.timeline.range import Grid, TimeRange
from stack.clients.prometheus import PrometheusClient, Series
from stack.pace import Pace
from stack.rules.scale import scale_expr
from stack.selectors import PREDICTION_ENDPOINTS

RATE_WINDOW = "[1m]"
RATE_WINDOW_S = 60.0
"""Over how long the signals' rates are taken, in production seconds; over a whole step where steps are longer."""

_HTTP = f'job="firedrill",{PREDICTION_ENDPOINTS}'
_JOB = 'job="firedrill"'
_FAULT_ACTIVE = f"max by (kind) (firedrill_fault_active{{{_JOB}}}) > 0"
_MODELS = f"max by (model_name) (model_loaded{{{_JOB}}})"
_UP = f"max(up{{{_JOB}}})"


@dataclass(frozen=True)
class Signal:
    """One live signal of the service; ``least_top`` keeps the axis of a quiet chart from zooming in."""

    key: str
    title: str
    unit: Literal["s", "ratio", "1/s"]
    promql: str
    meaning: str
    least_top: float


SIGNALS: tuple[Signal, ...] = (
    Signal(
        "rate",
        "Requests",
        "1/s",
        f"sum(rate(http_requests_total{{{_HTTP}}}[1m]))",
        "Prediction requests per second.",
        1.0,
    ),
    Signal(
        "errors",
        "Error share",
        "ratio",
        f'(sum(rate(http_requests_total{{{_HTTP},status=~"5.."}}[1m])) or vector(0))'
        f" / sum(rate(http_requests_total{{{_HTTP}}}[1m]))",
        "Share of prediction requests that were answered with 5xx.",
        0.1,
    ),
    Signal(
        "p95",
        "Latency p95",
        "s",
        f"histogram_quantile(0.95, sum by (le) (rate(http_request_duration_seconds_bucket{{{_HTTP}}}[1m])))",
        "95 of 100 prediction requests were answered within this time.",
        0.05,
    ),
    Signal(
        "confidence",
        "Confidence",
        "ratio",
        f"sum(rate(model_prediction_confidence_sum{{{_JOB}}}[1m]))"
        f" / sum(rate(model_prediction_confidence_count{{{_JOB}}}[1m]))",
        "Mean confidence of the predictions.",
        1.0,
    ),
    Signal(
        "drift",
        "Drift share",
        "ratio",
        f"sum(rate(data_drift_requests_total{{{_JOB}}}[1m])) / sum(rate(prediction_requests_total{{{_JOB}}}[1m]))",
        "Share of prediction requests with inputs outside of what the model was trained on.",
        0.1,
    ),
)


@dataclass(frozen=True)
class SignalSeries:
    """One signal over the charted window: ``values[i]`` holds at ``start + i * step_s``, ``None`` means no value."""

    signal: Signal
    start: float
    step_s: float
    values: tuple[float | None, ...]

    @property
    def latest(self) -> float | None:
        """The newest value, or ``None`` where the newest moment has none."""
        return self.values[-1] if self.values else None


@dataclass(frozen=True)
class Band:
    """A stretch of time in which a fault of one kind was active. Unix seconds."""

    kind: str
    start: float
    end: float


@dataclass(frozen=True)
class Board:
    """Everything that the live charts show: taken at ``end``, over ``[start, end]`` (Unix seconds)."""

    start: float
    end: float
    series: tuple[SignalSeries, ...]
    service_up: bool | None
    """Whether Prometheus's last scrape of the service worked; ``None`` where it has not scraped it at all."""


def read_board(prometheus: PrometheusClient, pace: Pace, now: float, over: TimeRange) -> Board:
    """Ask Prometheus for every signal ``over`` a range as it is at ``now`` (Unix seconds). Raises ``SourceError``."""
    grid = over.grid(pace, now)
    series = tuple(
        SignalSeries(
            signal,
            grid.start,
            grid.step_s,
            on_grid(
                prometheus.query_range(
                    scaled(widened(signal.promql, pace, grid.step_s), pace), grid.start, grid.end, grid.step_s
                ),
                grid.start,
                grid.step_s,
                grid.steps,
            ),
        )
        for signal in SIGNALS
    )
    up = prometheus.query(_UP)
    return Board(grid.start, grid.end, series, bool(up[0].value) if up else None)


def read_seen_bands(prometheus: PrometheusClient, grid: Grid) -> tuple[Band, ...]:
    """Return when Prometheus saw faults active, on the points of ``grid``. Raises ``SourceError``."""
    seen = prometheus.query_range(_FAULT_ACTIVE, grid.start, grid.end, grid.step_s)
    return stretches(seen, grid.step_s)


def widened(promql: str, pace: Pace, step_s: float) -> str:
    """Return a signal's expression with rates over at least ``step_s`` (at ``pace``), so that no moment is left out."""
    needed_s = step_s * pace.factor
    return promql if needed_s <= RATE_WINDOW_S else promql.replace(RATE_WINDOW, f"[{round(needed_s * 1000)}ms]")


def scaled(promql: str, pace: Pace) -> str:
    """Return a production-time expression as it reads at ``pace``. Raises ``UnscalableExpression``."""
    return promql if pace.factor == 1.0 else scale_expr(promql, pace.factor)


def on_grid(answer: Sequence[Series], start: float, step_s: float, steps: int) -> tuple[float | None, ...]:
    """Lay the points of the first series on the query's grid; NaN and missing points become ``None``."""
    values: list[float | None] = [None] * steps
    for at, value in answer[0].points if answer else ():
        place = round((at - start) / step_s)
        if 0 <= place < steps and math.isfinite(value):
            values[place] = value
    return tuple(values)


def stretches(answer: Iterable[Series], step_s: float) -> tuple[Band, ...]:
    """Turn the points at which a fault was seen active into stretches; a hole of more than one step ends one."""
    bands: list[Band] = []
    for series in answer:
        kind = series.labels.get("kind", "")
        begun: float | None = None
        last = 0.0
        for at, _ in series.points:
            if begun is not None and at - last > 1.5 * step_s:
                bands.append(Band(kind, begun, last))
                begun = None
            begun, last = (at if begun is None else begun), at
        if begun is not None:
            bands.append(Band(kind, begun, last))
    return tuple(bands)


def fault_bands(records: Iterable[FaultRecord], seen: Iterable[Band], start: float, now: float) -> tuple[Band, ...]:
    """Return when faults were active within ``[start, now]``, overlapping stretches of one kind made one.

    ``records`` are exact and come first; what Prometheus has ``seen`` adds the faults that were lit before the
    service last restarted.
    """
    exact = [Band(r.kind, r.started_at, now if r.ended_at is None else r.ended_at) for r in records]
    merged: list[Band] = []
    for band in sorted([*exact, *seen], key=lambda b: (b.kind, b.start)):
        if band.end < start or band.start > now:
            continue
        inside = Band(band.kind, max(band.start, start), min(band.end, now))
        last = merged[-1] if merged else None
        if last is not None and last.kind == inside.kind and inside.start <= last.end:
            merged[-1] = Band(last.kind, last.start, max(last.end, inside.end))
        else:
            merged.append(inside)
    return tuple(merged)


def read_models(prometheus: PrometheusClient) -> tuple[str, ...]:
    """Return the names of the models that the service has, loaded or not. Raises ``SourceError``."""
    return tuple(sorted(sample.labels["model_name"] for sample in prometheus.query(_MODELS)))


def read_value(prometheus: PrometheusClient, promql: str, pace: Pace, at: float | None = None) -> float | None:
    """Return the value of a production-time expression at a Unix time (now by default), ``None`` without a value."""
    samples = prometheus.query(scaled(promql, pace), at)
    return next((sample.value for sample in samples if math.isfinite(sample.value)), None)
