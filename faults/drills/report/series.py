"""Every series of a run as CSV, one value a line (long format), for a spreadsheet, pandas or R."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from faults.drills.evidence import Evidence, Signal
from faults.drills.report.timeline import zero_of
from faults.drills.wire import STAGES

HEAD = ("run", "drill", "group", "series", "labels", "unit", "time_unix_s", "time_since_fault_s", "value")
_STATES = {"pending": 1.0, "firing": 2.0}
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class _Value:
    """One value of one series."""

    group: str
    series: str
    at: float
    value: float
    unit: str = "1"
    labels: Mapping[str, str] = field(default_factory=dict)


def series(evidence: Evidence) -> str:
    """Return every series of ``evidence``; ``group`` says what a line is of.

    ``rule``, ``effect`` and ``service`` are expressions, ``limit`` what a rule compares with. ``state`` of an alert
    turns 1 when it is pending, 2 when it is firing, 0 when that ends; ``fault`` 1 when it is lit, 0 when it is out;
    ``stage`` is the number of a stage, from 1, when it was reached.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(HEAD)
    zero = zero_of(evidence)
    run = evidence.run
    for one in _values(evidence):
        labels = json.dumps(dict(one.labels), ensure_ascii=False, sort_keys=True) if one.labels else ""
        times = (f"{one.at:.3f}", f"{one.at - zero:.3f}")
        writer.writerow((run.id, run.name, one.group, _cell(one.series), labels, one.unit, *times, repr(one.value)))
    return stream.getvalue()


def _values(evidence: Evidence) -> Iterator[_Value]:
    for alert in evidence.alerts:
        for signal in alert.signals:
            yield from _signal("rule", signal)
            if signal.threshold is not None:
                yield _Value("limit", signal.key, evidence.start, signal.threshold, signal.unit)
    for signal in {one.signal.expr: one.signal for one in evidence.faults if one.signal is not None}.values():
        yield from _signal("effect", signal)
    for signal in evidence.signals:
        yield from _signal("service", signal)
    yield from _states(evidence)
    yield from _faults(evidence)


def _signal(group: str, signal: Signal) -> Iterator[_Value]:
    for line in signal.lines:
        for at, value in line.points:
            yield _Value(group, signal.key, at, value, signal.unit, line.labels)


def _states(evidence: Evidence) -> Iterator[_Value]:
    for alert in evidence.alerts:
        for span in alert.states:
            yield _Value("state", alert.alert, span.start, _STATES[span.state], labels=span.labels)
            yield _Value("state", alert.alert, span.end, 0.0, labels=span.labels)
    for outcome in evidence.run.outcomes:
        for number, stage in enumerate(STAGES, 1):
            at: float | None = getattr(outcome.stages, stage)
            if at is not None:
                yield _Value("stage", f"{outcome.alert} {stage}", at, float(number), labels=outcome.labels)


def _faults(evidence: Evidence) -> Iterator[_Value]:
    for fault in evidence.faults:
        one = fault.record
        yield _Value("fault", one.kind, one.started_at, 1.0, labels={"id": one.id})
        if one.ended_at is not None:
            yield _Value("fault", one.kind, one.ended_at, 0.0, labels={"id": one.id})


def _cell(words: str) -> str:
    """Return a text that no spreadsheet takes for a formula."""
    return f"'{words}" if words.startswith(_FORMULA) else words
