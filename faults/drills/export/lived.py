"""The course of a drill that ran live, asked of the Prometheus that watched it. It asks and changes nothing.

Prometheus hands out samples, but no stale markers. One is put back where a series is missing though its target was
scraped, or its scrape failed: that is where Prometheus wrote one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faults.drills.export.course import Course, gathered
from faults.drills.export.errors import NothingToExport
from faults.drills.export.selection import narrowed, selectors_in
from faults.drills.judge.dependencies import ALERT_SERIES
from faults.drills.judge.judgement import AlertLife
from faults.drills.virtual.recording import STALE_BITS, Labels, RecordedSeries
from faults.drills.wire import DrillRun
from stack.clients.prometheus import PrometheusClient, Series
from stack.pace import PACES
from stack.rules.durations import format_duration
from stack.rules.file import RecordingRule, RuleFile
from stack.rules.reach import longest_window_s
from stack.rules.read import load_rules

MOST_BEFORE = 2000
"""So many scrapes of the time before a run are taken at most; rules that look back further cannot be tested."""
_STALE = np.array([STALE_BITS], np.uint64).view(np.float64)[0]
_TARGET = ("job", "instance")
_OF_STATE = frozenset({"__name__", "alertname", "alertstate"})


def loaded_rules(folder: Path) -> tuple[RuleFile, ...]:
    """Return the rules that a stack rendered for its Prometheus into ``folder``; raise ``BadRuleFile``.

    Their paths are none that could be referred to: the next start of the stack renders them anew, at its own pace.
    """
    files = (load_rules(path) for path in sorted(folder.glob("*.yml")))
    return tuple(replace(file, path=Path(f"{file.path.name}, as the stack had it loaded")) for file in files)


def lived(prometheus: PrometheusClient, run: DrillRun, rules: Sequence[RuleFile], alerts: Sequence[str]) -> Course:
    """Return the course of ``run`` as far as ``alerts`` of ``rules`` saw it.

    Raises ``NothingToExport`` for a run that is not over, has no fault, or is not in Prometheus any more, and
    ``SourceError`` where Prometheus does not answer.
    """
    title = f"the live run {run.id} of drill {run.name}"
    if run.ended_at is None or run.fault_at is None:
        raise NothingToExport(title, "it is not over" if run.ended_at is None else "it ended before a fault was lit")
    interval_s = PACES[run.pace].interval_s
    needed = narrowed(rules, alerts)
    windows_s = _windows_s(needed)
    most_s = MOST_BEFORE * interval_s
    before_s = max((each for each in windows_s.values() if each <= most_s), default=0.0)
    start, end = run.queued_at - before_s - interval_s, run.ended_at
    raw = [series for one in selectors_in(needed) for series in _samples(prometheus, one.text, start, end)]
    own = {*(rule.name for rule in _recordings(rules)), *ALERT_SERIES}
    found = {_labels(one): one for one in raw if one.labels["__name__"] not in own}
    if not found:
        raise NothingToExport(title, "Prometheus has no sample of it; it may be too long ago")
    scraped = {_target(one.labels): [at for at, _ in one.points] for one in _samples(prometheus, "up", start, end)}
    every_s = {
        rule.name: group.interval_s or interval_s for file in needed for group in file.groups for rule in group.rules
    }
    lives = {alert: _lives(prometheus, alert, start, end, every_s.get(alert, interval_s)) for alert in alerts}
    return Course(
        title,
        start,
        end,
        interval_s,
        run.fault_at,
        run.rollback_at,
        tuple(_with_stale(labels, one, scraped.get(_target(dict(labels)), ())) for labels, one in found.items()),
        gathered(lives.items()),
        f"Prometheus {prometheus.build_version().partition('+')[0]}",
        looked_from=max(run.queued_at, min(one.points[0][0] for one in found.values())),
        slack_s=2 * interval_s,
        notes=(f"the times of scrapes and evaluations are those of the run, moved to a grid of {interval_s:g} s",),
        untested={
            alert: f"it looks back {format_duration(each)}, more than is taken of the time before a live run"
            for alert, each in windows_s.items()
            if each > most_s
        },
    )


def _recordings(rules: Sequence[RuleFile]) -> tuple[RecordingRule, ...]:
    every = (rule for file in rules for group in file.groups for rule in group.rules)
    return tuple(rule for rule in every if isinstance(rule, RecordingRule))


def _windows_s(rules: Sequence[RuleFile]) -> Mapping[str, float]:
    """Return how far back each alert of ``rules`` looks, in seconds."""
    recordings = [(rule.name, rule.expr) for rule in _recordings(rules)]
    windows_s: dict[str, float] = {}
    for rule in (rule for file in rules for rule in file.alerts):
        windows_s[rule.name] = max(windows_s.get(rule.name, 0.0), longest_window_s(rule.expr, recordings))
    return windows_s


def _samples(prometheus: PrometheusClient, selector: str, start: float, end: float) -> tuple[Series, ...]:
    return prometheus.raw(f"{selector}[{math.ceil(1000 * (end - start))}ms]", end)


def _labels(series: Series) -> Labels:
    return tuple(sorted(series.labels.items()))


def _target(labels: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(labels.get(name, "") for name in _TARGET)


def _with_stale(labels: Labels, series: Series, scraped: Sequence[float]) -> RecordedSeries:
    """Return ``series`` with a stale marker at the first scrape of its target at which it was missing.

    All samples of one scrape have the same time, that of ``up`` among them.
    """
    present = {at for at, _ in series.points}
    gone = {at for before, at in pairwise(scraped) if before in present and at not in present}
    points = sorted([*series.points, *((at, math.nan) for at in gone)])
    values: NDArray[np.float64] = np.array([value for _, value in points], np.float64)
    values[[at in gone for at, _ in points]] = _STALE
    return RecordedSeries(labels, np.array([round(1000 * at) for at, _ in points], np.int64), values)


def _lives(prometheus: PrometheusClient, alert: str, start: float, end: float, interval_s: float) -> list[AlertLife]:
    """Return the lives of ``alert`` between ``start`` and ``end``, from what Prometheus recorded of its states."""
    states: dict[Labels, dict[float, str]] = {}
    for series in _samples(prometheus, f"ALERTS{{alertname={json.dumps(alert)}}}", start, end):
        labels = {name: value for name, value in series.labels.items() if name not in _OF_STATE}
        at_state = states.setdefault(tuple(sorted(labels.items())), {})
        at_state.update({at: series.labels["alertstate"] for at, _ in series.points})
    return [life for labels, times in states.items() for life in _parted(labels, times, end, interval_s)]


def _parted(labels: Labels, states: Mapping[float, str], end: float, interval_s: float) -> Iterable[AlertLife]:
    """Yield the unbroken lives in ``states``, by time; more than an evaluation without a state ends one."""
    times = sorted(states)
    starts = [index for index, at in enumerate(times) if index == 0 or at - times[index - 1] > 1.5 * interval_s]
    for first, following in zip(starts, [*starts[1:], len(times)], strict=True):
        part = times[first:following]
        fired = next((at for at in part if states[at] == "firing"), None)
        ended_at = part[-1] + interval_s
        yield AlertLife(labels, part[0], fired, None if ended_at >= end else ended_at)
