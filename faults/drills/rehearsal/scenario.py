"""A drill as a scenario: how much calm, how long it burns, how long it is watched afterwards. Nothing is run here.

A live drill looks and decides; a virtual one has to know beforehand when it puts out. So it is run twice: first without
an end, as far as the drill's own bounds go, to learn when everyone had been told, and then with the end that follows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from faults.drills.history import labels_of
from faults.drills.parts import History, HistorySeries
from faults.drills.rehearsal.ground import Ground
from faults.drills.rehearsal.probes import look_every_s
from faults.drills.spec import Drill
from faults.drills.virtual.scenario import Scenario
from faults.drills.wire import TrafficSettings
from stack.blocks import PastSeries
from stack.pace import Pace
from stack.rules.measures import counts_a_window

SETTLED_S = 390.0
"""Calm in production time without which nothing is certain: rates over five minutes, and what is read of them."""
MOST_CALM_S = 2 * 3600.0
"""The same at most: a rule that looks back further has too little history, unless the drill brings its own."""
_SPARE_INTERVALS = 3
_GOLDEN = 0.6180339887
"""Multiples of it spread evenly over the unit, however many there are."""


def calm_s(drill: Drill, ground: Ground) -> float:
    """Return how long it is quiet before the fault, in whole intervals: as long as the rules look back, and the hold.

    What the drill's own history covers need not pass.
    """
    pace = ground.pace
    supplied_s = 0.0 if drill.history is None else pace.scale(drill.history.covers)
    windows = [ground.windows_s.get(one.alert, 0.0) for one in drill.expect]
    needed_s = max((window_s for window_s in windows if window_s > supplied_s), default=0.0)
    hold_s = pace.scale(drill.steady_state.hold)
    wanted_s = min(max(pace.scale(SETTLED_S), hold_s, needed_s), pace.scale(MOST_CALM_S))
    return _whole(wanted_s, pace) + _SPARE_INTERVALS * pace.interval_s


def longest_burn_s(drill: Drill, ground: Ground, seed: int) -> float:
    """Return for how long a live drill would let it burn at most: until the last alert is overdue, or nobody rang."""
    pace = ground.pace
    last_s = max(one.at_s for one in drill.schedule(seed, pace))
    overdue_s = max(
        (_told_within_s(ground, one.firing_within, one.delivered_within) for one in drill.expect), default=0
    )
    return _whole(max(last_s, pace.scale(drill.watch or 0.0), overdue_s), pace) + pace.interval_s


def longest_recovery_s(drill: Drill, ground: Ground) -> float:
    """Return for how long a live drill would watch after the rollback at most."""
    overdue_s = max(
        (_told_within_s(ground, one.resolved_within, one.delivered_within) for one in drill.expect), default=0.0
    )
    return _whole(overdue_s, ground.pace) + ground.pace.interval_s


def _told_within_s(ground: Ground, within_s: float, delivered_within_s: float) -> float:
    """Return when an alert is overdue: its stage's bound, the way to the webhook, and the slack that a drill gives."""
    route = ground.routing.root
    most_s = route.group_wait_s + route.group_interval_s
    delivery_s = min(ground.pace.scale(delivered_within_s), most_s)
    return ground.pace.scale(within_s) + delivery_s + _SPARE_INTERVALS * ground.pace.interval_s


def scenario_of(
    drill: Drill,
    ground: Ground,
    seed: int,
    *,
    burn_s: float,
    recovery_s: float,
    metrics: frozenset[str] | None,
    scrape_phases: int,
    traces: bool,
    waited_s: float | None = None,
) -> Scenario:
    """Return ``drill`` with ``seed``, at the ground's pace, put out ``burn_s`` after the steady state.

    ``waited_s``: that long, with the drill's traffic, it waited for its own history and its steady state, as live.
    """
    pace = ground.pace
    quiet_s = calm_s(drill, ground) if waited_s is None else _whole(waited_s, pace)
    settling_s = pace.scale(drill.steady_state.hold) + look_every_s(pace.interval_s) if waited_s is None else quiet_s
    return Scenario(
        name=drill.name,
        seed=seed,
        calm_s=quiet_s + _later_s(seed, pace),
        burn_s=burn_s,
        recovery_s=recovery_s,
        schedule=drill.schedule(seed, pace),
        traffic=drill.traffic or TrafficSettings(),
        background=None if drill.traffic is None else TrafficSettings(),
        settling_s=settling_s,
        pace=pace,
        metrics=metrics,
        scrape_phases=scrape_phases,
        traces=traces,
    )


def past_of(history: History | None, started_at: float, pace: Pace) -> tuple[PastSeries, ...]:
    """Return what was before ``started_at`` (Unix seconds), one sample each interval, as a live drill supplies it."""
    if history is None:
        return ()
    return tuple(
        PastSeries(labels_of(one.series), points)
        for one in history.series
        if (points := tuple(_points(one, history.covers, started_at, pace)))
    )


def _points(one: HistorySeries, covers: float, started_at: float, pace: Pace) -> Iterator[tuple[float, float]]:
    since_s, until_s = pace.scale(one.since or covers), pace.scale(one.until)
    value = one.value or 0.0
    if counts_a_window(labels_of(one.series)["__name__"]):
        value = pace.scale(value)
    first = math.floor(since_s / pace.interval_s)
    last = max(1, math.ceil(until_s / pace.interval_s))
    for back in range(first, last - 1, -1):
        at = round(started_at - back * pace.interval_s, 3)
        yield at, value if one.per_second is None else one.per_second * (first - back) * pace.interval_s


def _later_s(seed: int, pace: Pace) -> float:
    """Return how much later the fault is lit than a scrape: another share of an interval for each seed."""
    return round(seed * _GOLDEN % 1.0 * pace.interval_s, 3)


def _whole(seconds: float, pace: Pace) -> float:
    return math.ceil(round(seconds / pace.interval_s, 6)) * pace.interval_s
