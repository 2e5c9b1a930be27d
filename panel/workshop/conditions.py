"""Is it there to be seen yet? Each condition of an exercise against the stack as it is. No Streamlit, no queries."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import singledispatch

from faults.base import FaultRecord
from panel import formats
from panel.queries import SignalSeries
from panel.spans import faults_of
from panel.workshop.exercise import (
    AlertReached,
    AlertSilent,
    Clean,
    Exercise,
    Hit,
    Light,
    Loaded,
    Seen,
    SignalKept,
    SignalSeen,
    TraceFound,
    TraceLeft,
    latest,
)
from panel.workshop.memory import Finding, Memory
from panel.workshop.scene import Scene

RATE_WINDOW_S = 75.0
"""The signals' window and one scrape, in production seconds: before that a signal still shows what was before."""
_UNLIT = "Not yet: the fault has not been lit."
_LASTING = (SignalSeen, AlertReached, TraceLeft, Hit)
"""What has happened once has happened, though the window in which it shows moves on."""


@dataclass(frozen=True)
class Sight:
    """What a condition is judged on: the scene, the fault that it follows, and whether it follows one at all."""

    scene: Scene
    light: Light | None
    record: FaultRecord | None

    @property
    def unlit(self) -> bool:
        """Whether there should be a fault and is none."""
        return self.light is not None and self.record is None


def findings(exercise: Exercise, scene: Scene, memory: Memory) -> Sequence[Finding]:
    """Return a finding for each of the exercise's conditions, in their order."""
    return tuple(_finding(exercise, number, seen, scene, memory) for number, seen in enumerate(exercise.seen))


def is_done(found: Sequence[Finding]) -> bool:
    """Say whether everything has been seen."""
    return all(finding.state == "met" for finding in found)


def _finding(exercise: Exercise, number: int, seen: Seen, scene: Scene, memory: Memory) -> Finding:
    light = exercise.light(seen.of)
    if light is not None and scene.records is None:
        return Finding("unknown", "The conductor does not answer, so nobody knows.")
    record = latest(light, scene.records or (), scene.since) if light is not None else None
    finding = judge(seen, Sight(scene, light, record))
    if record is not None and isinstance(seen, _LASTING):
        return memory.keep((exercise.number, number, record.id), finding)
    return finding


@singledispatch
def judge(seen: Seen, sight: Sight) -> Finding:
    """Judge one condition."""
    raise TypeError(type(seen), sight)


@judge.register
def _(seen: SignalSeen, sight: Sight) -> Finding:
    series = _series(sight.scene, seen.signal)
    if series is None:
        return Finding("unknown", "Prometheus does not answer, so nobody knows.")
    if sight.unlit:
        return Finding("waiting", _UNLIT)
    limit = formats.quantity(seen.above, series.signal.unit)
    if sight.record is None:
        now = series.latest
        words = f"Now {formats.quantity(now, series.signal.unit)}, should be above {limit}."
        return Finding("met" if now is not None and now > seen.above else "waiting", words)
    ended = sight.record.ended_at
    until = None if ended is None else ended + sight.scene.pace.scale(RATE_WINDOW_S)
    values = _values(series, sight.record.started_at, until)
    most = max(values, default=None)
    if most is not None and most > seen.above:
        return Finding("met", f"It rose to {formats.quantity(most, series.signal.unit)}; looked for: above {limit}.")
    shown = formats.quantity(most, series.signal.unit)
    return Finding("waiting", f"Highest since the fault was lit: {shown}; looked for: above {limit}.")


@judge.register
def _(seen: SignalKept, sight: Sight) -> Finding:
    series = _series(sight.scene, seen.signal)
    if series is None:
        return Finding("unknown", "Prometheus does not answer, so nobody knows.")
    if sight.record is None:
        return Finding("waiting", _UNLIT)
    settled = sight.record.started_at + sight.scene.pace.scale(RATE_WINDOW_S)
    values = _values(series, settled, sight.record.ended_at)
    limit = formats.quantity(seen.below, series.signal.unit)
    most = max(values, default=None)
    if most is None:
        return Finding("waiting", "Not measured yet.")
    words = f"Highest while the fault burned: {formats.quantity(most, series.signal.unit)}; at most {limit}."
    return Finding("met" if most <= seen.below else "broken", words)


@judge.register
def _(seen: Hit, sight: Sight) -> Finding:
    del seen
    if sight.record is None:
        return Finding("waiting", _UNLIT)
    record = sight.record
    if record.injections == 0:
        age = formats.span((record.ended_at or sight.scene.now) - record.started_at)
        return Finding("waiting", f"Lit at {formats.clock(record.started_at)}; it has not acted in {age}.")
    acted = f"it has acted {formats.count(record.injections, 'time')}"
    return Finding("met", f"Lit at {formats.clock(record.started_at)}; {acted}.")


@judge.register
def _(seen: AlertReached, sight: Sight) -> Finding:
    alerts = sight.scene.alerts
    if alerts is None:
        return Finding("unknown", "The conductor does not answer, so nobody knows.")
    if seen.alert not in alerts:
        return Finding("waiting", f"Prometheus has no rule {seen.alert}.")
    if sight.record is None:
        return Finding("waiting", _UNLIT)
    alert, lit_at = alerts[seen.alert], sight.record.started_at
    began = alert.stages.condition_true or alert.stages.pending or alert.stages.firing
    if alert.state == "firing" and began is not None and began < lit_at:
        return Finding("broken", "It fired before the fault was lit. Reset to a clean state and begin again.")
    at: float | None = getattr(alert.stages, seen.stage)
    if at is not None and at >= lit_at:
        return Finding("met", f"At {formats.clock(at)}, {formats.span(at - lit_at)} after the fault was lit.")
    return Finding("waiting", f"{alert.state.capitalize()}. {alert.waits_for}")


@judge.register
def _(seen: AlertSilent, sight: Sight) -> Finding:
    alerts = sight.scene.alerts
    if alerts is None:
        return Finding("unknown", "The conductor does not answer, so nobody knows.")
    if seen.alert not in alerts:
        return Finding("waiting", "It is not loaded.")
    if sight.record is None:
        return Finding("waiting", _UNLIT)
    alert = alerts[seen.alert]
    if alert.state == "firing":
        return Finding("broken", "It fires.")
    return Finding("met", f"{alert.state.capitalize()}. Ask it why on the Alerts page.")


@judge.register
def _(seen: Loaded, sight: Sight) -> Finding:
    alerts = sight.scene.alerts
    if alerts is None:
        return Finding("unknown", "The conductor does not answer, so nobody knows.")
    missing = [name for name in seen.alerts if name not in alerts]
    if missing:
        return Finding("waiting", f"Not known to Prometheus: {', '.join(missing)}.")
    return Finding("met", f"Prometheus evaluates {', '.join(seen.alerts)}.")


@judge.register
def _(seen: TraceLeft, sight: Sight) -> Finding:
    del seen
    if sight.record is None:
        return Finding("waiting", _UNLIT)
    traces = sight.scene.hit_traces(sight.record.kind)
    if traces is None:
        return Finding("unknown", "The trace store does not answer, so nobody knows.")
    starts = [min((span.start for span in trace.spans), default=-math.inf) for trace in traces]
    fitting = sum(start >= sight.record.started_at for start in starts)
    if not fitting:
        return Finding("waiting", "None has arrived yet.")
    return Finding("met", f"Found: {formats.count(fitting, 'trace')} with the event of {sight.record.kind}.")


@judge.register
def _(seen: TraceFound, sight: Sight) -> Finding:
    found = sight.scene.found
    if found is None:
        return Finding("waiting", "Enter the id of a trace above.")
    if found.value is None:
        return Finding("waiting", f"The trace store does not have it: {found.problem}")
    if all(span.operation != seen.span for span in found.value.spans):
        return Finding("waiting", f"That trace has no span {seen.span}: it is of another kind of request.")
    if seen.fault and not any(seen.fault in faults_of(span) for span in found.value.spans):
        return Finding("waiting", f"That trace was not hit by a fault of the kind {seen.fault}.")
    return Finding("met", f"It has {formats.count(len(found.value.spans), 'span')}, {seen.span} among them.")


@judge.register
def _(seen: Clean, sight: Sight) -> Finding:
    scene = sight.scene
    if scene.records is None or (seen.alerts and scene.alerts is None):
        return Finding("unknown", "The conductor does not answer, so nobody knows.")
    burning = sorted({record.kind for record in scene.records if record.state == "active"})
    if burning:
        return Finding("waiting", f"Burning: {', '.join(burning)}.")
    known = scene.alerts or {}
    loud = [name for name in seen.alerts if name in known and known[name].state != "inactive"]
    if loud:
        return Finding("waiting", f"Not quiet yet: {', '.join(loud)}.")
    if sight.unlit:
        return Finding("waiting", "Nothing burns, but nothing has been lit either.")
    return Finding("met", "No fault is active" + (f"; quiet: {', '.join(seen.alerts)}." if seen.alerts else "."))


def _series(scene: Scene, key: str) -> SignalSeries | None:
    return next((each for each in scene.board.series if each.signal.key == key), None) if scene.board else None


def _values(series: SignalSeries, since: float, until: float | None) -> list[float]:
    points = ((series.start + number * series.step_s, value) for number, value in enumerate(series.values))
    return [value for at, value in points if value is not None and since <= at and (until is None or at <= until)]
