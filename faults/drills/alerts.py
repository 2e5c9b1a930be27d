"""Every alerting rule as it is now: its state, when it is due, what it waits for, and its last life.

Reads what the watcher has seen and asks Prometheus for the two sides of the conditions that are not true.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from faults.drills.condition import Comparison, comparisons, some_comparisons
from faults.drills.delivery import Desk, Standing, standing
from faults.drills.episodes import Episode
from faults.drills.journal import Journal
from faults.drills.stages import current_life, stage_times
from faults.drills.watch import Sight, Watcher
from faults.drills.wire import AlertStatus, StageTimes
from stack.clients.prometheus import AlertRule, PrometheusClient
from stack.errors import QueryRefused, SourceError

State = Literal["inactive", "pending", "firing", "unknown"]


@dataclass(frozen=True)
class Side:
    """A comparison and the value on its left now; ``None`` where its left side selects nothing."""

    comparison: Comparison
    value: float | None
    all_it_takes: bool = True
    """Whether the condition is true once this and the others of its kind hold."""

    @property
    def holds(self) -> bool:
        """Return whether the comparison is true now."""
        return self.value is not None and self.comparison.holds(self.value)


def rule_state(rule: AlertRule) -> State:
    """Return the state of ``rule``; ``unknown`` where Prometheus could not evaluate it, or has not yet."""
    if rule.health == "err":
        return "unknown"
    if rule.state == "pending":
        return "pending"
    if rule.state == "firing":
        return "firing"
    return "inactive" if rule.health == "ok" else "unknown"


def due_at(active_at: float, for_s: float, interval_s: float) -> float:
    """Return when an alert fires that became active at ``active_at``: ``for`` rounded up to the evaluation grid."""
    if interval_s <= 0.0:
        return active_at + for_s
    return active_at + math.ceil(for_s / interval_s - 1e-9) * interval_s


def not_true(sides: Sequence[Side]) -> str:
    """Return the sentence that says why a condition is not true now."""
    if not all(side.all_it_takes for side in sides):
        failing = [
            f"{side.value:.4g} is not {side.comparison.operator} {side.comparison.right:g}"
            for side in sides
            if side.value is not None and not side.holds
        ]
        shown = f" ({', '.join(failing)})" if failing else ""
        return f"condition is not true: its expression has no result{shown}"
    for side in sides:
        left, sign, right = side.comparison.left, side.comparison.operator, side.comparison.right
        if side.value is None:
            return f"no series: `{' '.join(left.split())}` selects nothing"
        if not side.comparison.holds(side.value):
            return f"condition is not true: {side.value:.4g} is not {sign} {right:g}"
    if sides:
        return "condition is true now; Prometheus sees it at its next evaluation"
    return "condition is not true: its expression has no result"


def waits_for(
    rule: AlertRule,
    stages: StageTimes,
    due: float | None,
    sides: Sequence[Side],
    *,
    at: float,
    standing: Standing | None = None,
) -> str:
    """Return the sentence that says why ``rule`` has not fired yet, or what comes next, at Unix second ``at``.

    ``standing`` is where it stands once it fires.
    """
    state = rule_state(rule)
    if state == "unknown":
        return f"not evaluated: {rule.last_error or 'Prometheus has not come to it yet'}"
    if state == "pending":
        left = 0.0 if due is None else max(0.0, due - at)
        since = rule.for_s - left
        return f"pending for {max(0.0, since):.0f} s of {rule.for_s:g} s; due to fire in {left:.0f} s"
    if state == "firing":
        return "firing" if standing is None else standing.sentence
    if stages.resolved is not None and stages.delivered is not None and stages.resolution_delivered is None:
        return f"resolved {at - stages.resolved:.0f} s ago; waiting for Alertmanager to say so"
    return not_true(sides)


def alert_status(
    rule: AlertRule,
    life: Sequence[Episode],
    stages: StageTimes,
    sides: Sequence[Side],
    *,
    at: float,
    standing: Standing | None = None,
) -> AlertStatus:
    """Return how ``rule`` stands at Unix second ``at``; ``life``, ``stages`` are its latest, ``sides`` its values."""
    active = [one for one in rule.alerts if one.state in {"pending", "firing"}]
    active_since = min((one.started for one in life if one.resolved is None), default=None) if active else None
    if active and active_since is None:
        active_since = min(one.active_at for one in active)
    state = rule_state(rule)
    due = None
    if state == "pending" and active_since is not None:
        due = due_at(active_since, rule.for_s, rule.interval_s)
    value = sides[0].value if sides else next((one.value for one in active), None)
    return AlertStatus(
        alert=rule.name,
        group=rule.group,
        severity=rule.labels.get("severity", ""),
        summary=(active[0] if active else rule).annotations.get("summary", ""),
        runbook=rule.annotations.get("runbook", rule.annotations.get("runbook_url", "")),
        expr=rule.expr,
        for_s=rule.for_s,
        state=state,
        instances=len(active),
        value=None if value is None or not math.isfinite(value) else value,
        active_since=active_since,
        due_at=due,
        waits_for=waits_for(rule, stages, due, sides, at=at, standing=standing),
        stages=stages,
    )


def read_sides(prometheus: PrometheusClient, expr: str) -> tuple[Side, ...]:
    """Ask Prometheus for the left side of each comparison in ``expr``. Blocks; raises ``SourceError``."""
    sides = []
    whole = comparisons(expr)
    for comparison in whole or some_comparisons(expr):
        samples = prometheus.query(comparison.left)
        values = [sample.value for sample in samples]
        nearest = comparison.nearest(values)
        sides.append(Side(comparison, math.nan if values and nearest is None else nearest, bool(whole)))
    return tuple(sides)


class AlertBoard:
    """The alerts of one stack, as ``GET /alerts`` shows them. Answers are kept for ``fresh_s`` seconds."""

    def __init__(self, watcher: Watcher, journal: Journal, *, group_wait_s: float, fresh_s: float) -> None:
        self.watcher, self._journal = watcher, journal
        self._group_wait_s, self._fresh_s = group_wait_s, fresh_s
        self._reading = asyncio.Lock()
        self._sides: Mapping[str, tuple[Side, ...]] = {}
        self._read_at = -math.inf

    async def statuses(self) -> list[AlertStatus]:
        """Return every alerting rule, by group and name.

        With Prometheus gone the rules last seen are shown as unknown; raises ``SourceError`` where none ever were.
        """
        try:
            sight = await self._recent_sight()
            sides = await self._recent_sides(sight)
        except SourceError as error:
            if self.watcher.last is None:
                raise
            return [self._unknown(rule, str(error)) for rule in self.watcher.last.rules]
        return [await self.status(rule, sight, sides.get(rule.expr, ())) for rule in sight.rules]

    async def status(self, rule: AlertRule, sight: Sight, sides: Sequence[Side]) -> AlertStatus:
        """Return how ``rule`` stands in ``sight``."""
        return (await self._told(rule, sight, sides))[0]

    async def told(self, rule: AlertRule, sight: Sight) -> tuple[AlertStatus, Standing | None]:
        """Return how ``rule`` stands now, and if it fires, where on its way; raises ``SourceError``."""
        sides: tuple[Side, ...] = ()
        if rule_state(rule) == "inactive":
            sides = await asyncio.to_thread(read_sides, self.watcher.prometheus, rule.expr)
        return await self._told(rule, sight, sides)

    async def _told(self, rule: AlertRule, sight: Sight, sides: Sequence[Side]) -> tuple[AlertStatus, Standing | None]:
        life = current_life(sight.lives(rule.name, {}))
        stages = stage_times(
            life,
            sight.receipts,
            self._journal.deliveries(rule.name, min((one.began for one in life), default=sight.at) - 1.0),
            condition_true=await self._condition_true(rule, life),
        )
        standing = None
        if rule_state(rule) == "firing":
            standing = await asyncio.to_thread(self._standing, rule, stages, sight)
        status = alert_status(rule, life, stages, sides, at=self.watcher.now(), standing=standing)
        return status, standing

    def _standing(self, rule: AlertRule, stages: StageTimes, sight: Sight) -> Standing:
        trouble = sight.alertmanager_error
        if trouble is None or stages.delivered is not None:
            desk = Desk(self.watcher.prometheus, self.watcher.alertmanager, self.watcher.webhook)
            try:
                return standing(rule, stages, sight.held, desk, at=self.watcher.now(), group_wait_s=self._group_wait_s)
            except SourceError as error:
                trouble = error
        return Standing("unreachable", f"firing; {trouble}")

    async def explain(self, rule: AlertRule, sight: Sight) -> str:
        """Return what ``rule`` waits for now, as a sentence; raises ``SourceError``."""
        return (await self.told(rule, sight))[0].waits_for

    async def _condition_true(self, rule: AlertRule, life: Sequence[Episode]) -> float | None:
        try:
            times = [await self.watcher.condition_true(rule, one) for one in life[:3]]
        except SourceError:  # older than what Prometheus keeps, or gone since the look
            return None
        return min(times, default=None)

    async def _recent_sight(self) -> Sight:
        last = self.watcher.last
        if last is not None and self.watcher.now() - last.at < self._fresh_s:
            return last
        return await self.watcher.look()

    async def _recent_sides(self, sight: Sight) -> Mapping[str, tuple[Side, ...]]:
        async with self._reading:
            if self.watcher.now() - self._read_at >= self._fresh_s:
                self._sides = await asyncio.to_thread(self._read_sides, [rule.expr for rule in sight.rules])
                self._read_at = self.watcher.now()
            return self._sides

    def _read_sides(self, exprs: Sequence[str]) -> Mapping[str, tuple[Side, ...]]:
        return {expr: self._sides_of(expr) for expr in exprs}

    def _sides_of(self, expr: str) -> tuple[Side, ...]:
        try:
            return read_sides(self.watcher.prometheus, expr)
        except QueryRefused:  # this one expression has nothing to show; the others have
            return ()

    def _unknown(self, rule: AlertRule, reason: str) -> AlertStatus:
        status = alert_status(rule, (), StageTimes(), (), at=self.watcher.now())
        return status.model_copy(
            update={"state": "unknown", "waits_for": reason, "instances": 0, "active_since": None, "due_at": None}
        )
