"""Reads the story of a stretch of time: when faults burned, and when alerts reached their stages. No Streamlit.

What the conductor recorded is exact and comes first; Prometheus's own series fill in what the conductor no longer
knows, to the nearest point of the grid.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import get_args

from faults.base import FaultRecord
from faults.drills.wire import AlertOutcome, AlertStatus, DrillRun, Notification, StageTimes
from panel.queries import fault_bands, read_seen_bands
from panel.timeline.range import Grid, TimeRange
from panel.timeline.story import Mark, MarkStage, Story
from stack.clients.prometheus import PrometheusClient, Series
from stack.pace import Pace

_ALERTS = "max by (alertname, alertstate) (ALERTS)"
_STAGES: tuple[MarkStage, ...] = get_args(MarkStage)


@dataclass(frozen=True)
class Known:
    """What the conductor says of faults and alerts; empty where it does not answer."""

    faults: Sequence[FaultRecord] = ()
    alerts: Sequence[AlertStatus] = ()
    notifications: Sequence[Notification] = ()
    runs: Sequence[DrillRun] = ()


def read_story(prometheus: PrometheusClient, pace: Pace, span: TimeRange, now: float, known: Known) -> Story:
    """Return the story of ``span`` as it is at ``now`` (Unix seconds). Raises ``SourceError``."""
    grid = span.grid(pace, now)
    seen = read_seen_bands(prometheus, grid)
    bands = fault_bands(known.faults, seen, grid.start, min(grid.end, now))
    recorded = recorded_marks(known)
    near_s = 2 * max(grid.step_s, pace.interval_s)
    observed = observed_marks(prometheus.query_range(_ALERTS, grid.start, grid.end, grid.step_s), grid)
    marks = sorted(
        (mark for mark in merged_marks(recorded, observed, near_s) if grid.start <= mark.at <= grid.end),
        key=lambda mark: (mark.at, mark.alert, _STAGES.index(mark.stage)),
    )
    return Story(grid.start, grid.end, bands, tuple(marks))


def recorded_marks(known: Known) -> tuple[Mark, ...]:
    """Return what the conductor recorded: alerts' last lives, delivered notifications, alerts in drills."""
    drilled = (one for run in known.runs if not run.virtual for one in run.outcomes)
    lives = ((one.alert, one.stages) for one in itertools.chain[AlertStatus | AlertOutcome](known.alerts, drilled))
    found = {mark for alert, stages in lives for mark in _of_stages(alert, stages)}
    told = {Mark(note.at, note.alert, "delivered") for note in known.notifications if note.status == "firing"}
    return tuple(found | told)


def observed_marks(answer: Iterable[Series], grid: Grid) -> tuple[Mark, ...]:
    """Return what can be seen in Prometheus's ``ALERTS``: where stretches of pending and firing begin and end.

    What had begun before the grid has no beginning here, and what goes on at its end no end. A stretch of firing
    ends in ``resolved``; one of pending that no firing follows is over without a word.
    """
    marks: list[Mark] = []
    for series in answer:
        alert, state = series.labels.get("alertname", ""), series.labels.get("alertstate", "")
        if state not in ("pending", "firing"):
            continue
        stage: MarkStage = "pending" if state == "pending" else "firing"
        for begun, ended in _stretches([at for at, _ in series.points], grid.step_s):
            if begun > grid.start:
                marks.append(Mark(begun, alert, stage))
            if stage == "firing" and ended < grid.end:
                marks.append(Mark(ended + grid.step_s, alert, "resolved"))
    return tuple(marks)


def merged_marks(recorded: Iterable[Mark], observed: Iterable[Mark], near_s: float) -> tuple[Mark, ...]:
    """Return one mark for each thing that happened: those of the same alert and stage within ``near_s`` are one.

    ``recorded`` ones are exact and win; of those that remain the earliest stands.
    """
    kept: list[Mark] = []
    for mark in (*sorted(recorded, key=lambda one: one.at), *sorted(observed, key=lambda one: one.at)):
        same = (one for one in kept if (one.alert, one.stage) == (mark.alert, mark.stage))
        if not any(abs(one.at - mark.at) <= near_s for one in same):
            kept.append(mark)
    return tuple(kept)


def _of_stages(alert: str, stages: StageTimes) -> Iterable[Mark]:
    for stage in _STAGES:
        at: float | None = getattr(stages, stage)
        if at is not None:
            yield Mark(at, alert, stage)


def _stretches(times: Sequence[float], step_s: float) -> Iterable[tuple[float, float]]:
    """Return the first and last of every run of ``times`` (rising) that lie no more than a step apart."""
    begun: float | None = None
    last = 0.0
    for at in times:
        if begun is not None and at - last > 1.5 * step_s:
            yield begun, last
            begun = None
        begun, last = (at if begun is None else begun), at
    if begun is not None:
        yield begun, last
