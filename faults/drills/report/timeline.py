"""The picture of a run as plain geometry: lanes of faults and alerts, curves with limits, over seconds since the fault.

Two painters draw it: SVG inside of HTML, and matplotlib. Pure functions; nothing here knows a colour or a pixel.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from faults.drills.evidence import AlertEvidence, Evidence, Line, Signal, Unit
from faults.drills.report.signs import SIGNS
from faults.drills.wire import STAGES, AlertOutcome

BarKind = Literal["fault", "ramp", "pending", "firing"]
MOST_LANES = 12
MOST_PLOTS = 8
_GAP_STEPS = 1.6
_NICE = (1.0, 2.0, 5.0, 10.0)
_NICE_TIMES = (1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 21600.0)


@dataclass(frozen=True)
class Bar:
    """A stretch of time in a lane."""

    start: float
    end: float
    kind: BarKind
    label: str = ""


@dataclass(frozen=True)
class Mark:
    """A stage that was reached: its number in the life of an alert, from 1."""

    at: float
    number: int
    stage: str


@dataclass(frozen=True)
class Lane:
    """One fault, or one alert."""

    title: str
    bars: tuple[Bar, ...]
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True)
class Curve:
    """One series, in unbroken pieces of (time, value)."""

    name: str
    pieces: tuple[tuple[tuple[float, float], ...], ...]


@dataclass(frozen=True)
class Plot:
    """Curves over one axis; ``ticks`` are the values that it names, the first and the last are its ends."""

    title: str
    unit: Unit
    curves: tuple[Curve, ...]
    ticks: tuple[float, ...]
    operator: str | None = None
    limit: float | None = None


@dataclass(frozen=True)
class Scene:
    """One picture. Times are seconds since the first fault, or since the start where none was lit."""

    title: str
    start: float
    end: float
    ticks: tuple[float, ...]
    bands: tuple[Bar, ...]
    """When each kind of fault burned (its ``label``), behind everything."""
    faults: tuple[Lane, ...]
    alerts: tuple[Lane, ...]
    plots: tuple[Plot, ...]
    signs: tuple[Mark, ...] = ()
    """Stages of all alerts that are drawn across the curves."""


def alarm_scene(evidence: Evidence) -> Scene:
    """Return the picture of faults, what the rules look at, and the stages of the alerts."""
    zero = zero_of(evidence)
    pairs = list(zip(evidence.alerts, evidence.run.outcomes, strict=False))
    lanes = []
    for alert, outcome in pairs[:MOST_LANES]:
        lanes.append(Lane(alert.alert, _inside(_states(alert, zero), evidence, zero), _marks(outcome, zero)))
    shown = [alert for alert, _ in pairs if alert.expected or alert.states] or [alert for alert, _ in pairs]
    plots = tuple(_plot(signal, evidence, zero) for alert in shown for signal in alert.signals)
    title = f"{evidence.run.title}: faults, alerts, and what their rules look at"
    return _scene(title, evidence, lanes=tuple(lanes), plots=plots[:MOST_PLOTS])


def service_scene(evidence: Evidence) -> Scene:
    """Return the picture of what the faults did: the expressions that show their effect, and the service's signals."""
    zero = zero_of(evidence)
    effects: dict[str, Signal] = {}
    for fault in evidence.faults:
        if fault.signal is not None and fault.signal.lines:
            effects.setdefault(fault.signal.expr, fault.signal)
    signals = [*effects.values(), *(one for one in evidence.signals if one.expr not in effects)]
    plots = tuple(_plot(one, evidence, zero) for one in signals)
    return _scene(f"{evidence.run.title}: the service", evidence, lanes=(), plots=plots[:MOST_PLOTS])


def zero_of(evidence: Evidence) -> float:
    """Return the Unix second that times count from: the first fault, else the start."""
    return evidence.start if evidence.run.fault_at is None else evidence.run.fault_at


def spread_out(places: Sequence[float], gap: float, low: float, high: float) -> tuple[float, ...]:
    """Move ``places`` (rising) so that they lie ``gap`` apart within ``[low, high]``, as far as they fit."""
    moved: list[float] = []
    for place in places:
        moved.append(max(place, low, moved[-1] + gap if moved else low))
    edge = high
    for index in range(len(moved) - 1, -1, -1):
        moved[index] = min(moved[index], edge)
        edge = moved[index] - gap
    return tuple(moved)


def even_ticks(low: float, high: float, most: int = 4) -> tuple[float, ...]:
    """Return round values from at or below ``low`` to at or above ``high``, few of them."""
    if high <= low:
        high = low + (abs(low) or 1.0)
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * nice for nice in _NICE if power * nice >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return tuple(round(index * step, 12) for index in range(first, max(last, first + 1) + 1))


def time_ticks(start: float, end: float, most: int = 10) -> tuple[float, ...]:
    """Return round times within ``[start, end]``, zero among them where it lies there."""
    step = next((one for one in _NICE_TIMES if (end - start) / one <= most), _NICE_TIMES[-1])
    while (end - start) / step > most:
        step *= 2
    return tuple(index * step for index in range(math.ceil(start / step), math.floor(end / step) + 1))


def _scene(title: str, evidence: Evidence, *, lanes: tuple[Lane, ...], plots: tuple[Plot, ...]) -> Scene:
    zero = zero_of(evidence)
    start, end = evidence.start - zero, max(evidence.end, evidence.start + 1.0) - zero
    faults = _fault_lanes(evidence, zero)
    bands = tuple(
        Bar(bar.start, bar.end, "fault", lane.title)
        for lane in faults
        for bar in joined(bar for bar in lane.bars if bar.kind == "fault")
    )
    outcomes = evidence.run.outcomes[:MOST_LANES]
    signs = sorted(
        (mark for outcome in outcomes for mark in _marks(outcome, zero) if mark.stage in SIGNS and mark.at <= end),
        key=lambda mark: (mark.at, mark.number),
    )
    return Scene(title, start, end, time_ticks(start, end), bands, faults, lanes, plots, tuple(signs))


def _fault_lanes(evidence: Evidence, zero: float) -> tuple[Lane, ...]:
    """Return a lane for each kind of fault, in the order in which they were first lit."""
    kinds: dict[str, list[Bar]] = {}
    for fault in evidence.faults:
        one = fault.record
        over = evidence.end if one.ended_at is None else one.ended_at
        bars = kinds.setdefault(one.kind, [])
        bars.append(Bar(one.started_at - zero, over - zero, "fault"))
        if one.ramp_s:
            bars.append(Bar(one.started_at - zero, min(over, one.started_at + one.ramp_s) - zero, "ramp"))
    if not kinds and evidence.run.fault_at is not None:
        over = evidence.run.rollback_at or evidence.end
        kinds["fault"] = [Bar(evidence.run.fault_at - zero, over - zero, "fault")]
    lanes = (Lane(kind, _inside(tuple(bars), evidence, zero)) for kind, bars in kinds.items())
    return tuple(lane for lane in lanes if lane.bars)[:MOST_LANES]


def _states(alert: AlertEvidence, zero: float) -> tuple[Bar, ...]:
    """Return when any instance of an alert was firing, and when one was pending and none fired."""
    bars = [Bar(one.start - zero, one.end - zero, one.state) for one in alert.states]
    firing = joined(bar for bar in bars if bar.kind == "firing")
    pending: list[Bar] = []
    for bar in joined(bar for bar in bars if bar.kind == "pending"):
        start = bar.start
        for other in firing:
            if other.end <= start or other.start >= bar.end:
                continue
            if other.start > start:
                pending.append(Bar(start, other.start, "pending"))
            start = other.end
        if start < bar.end:
            pending.append(Bar(start, bar.end, "pending"))
    return (*pending, *firing)


def joined(bars: Iterable[Bar]) -> tuple[Bar, ...]:
    """Return bars of one kind by start, those that overlap or touch made one."""
    found: list[Bar] = []
    for bar in sorted(bars, key=lambda one: one.start):
        if found and bar.start <= found[-1].end:
            found[-1] = Bar(found[-1].start, max(found[-1].end, bar.end), bar.kind)
        else:
            found.append(bar)
    return tuple(found)


def _inside(bars: tuple[Bar, ...], evidence: Evidence, zero: float) -> tuple[Bar, ...]:
    start, end = evidence.start - zero, evidence.end - zero
    cut = (Bar(max(bar.start, start), min(bar.end, end), bar.kind, bar.label) for bar in bars)
    return tuple(bar for bar in cut if bar.end > bar.start)


def _marks(outcome: AlertOutcome, zero: float) -> tuple[Mark, ...]:
    found: list[Mark] = []
    for number, stage in enumerate(STAGES, 1):
        at: float | None = getattr(outcome.stages, stage)
        if at is not None:
            found.append(Mark(at - zero, number, stage))
    return tuple(sorted(found, key=lambda one: (one.at, one.number)))


def _plot(signal: Signal, evidence: Evidence, zero: float) -> Plot:
    curves = tuple(_curve(line, evidence.step_s, zero) for line in signal.lines)
    values = [value for line in signal.lines for _, value in line.points]
    if signal.threshold is not None and math.isfinite(signal.threshold):
        values.append(signal.threshold)
    ticks = even_ticks(min(0.0, *values), max(values)) if values else (0.0, 1.0)
    return Plot(signal.title, signal.unit, curves, ticks, signal.operator, signal.threshold)


def _curve(line: Line, step_s: float, zero: float) -> Curve:
    pieces: list[list[tuple[float, float]]] = []
    for at, value in line.points:
        if not pieces or at - zero - pieces[-1][-1][0] > _GAP_STEPS * step_s:
            pieces.append([])
        pieces[-1].append((at - zero, value))
    return Curve(name_of(line), tuple(tuple(piece) for piece in pieces))


def name_of(line: Line) -> str:
    """Return a series' labels as one text; empty where it has none."""
    return ", ".join(f"{name}={text}" for name, text in sorted(line.labels.items()))
