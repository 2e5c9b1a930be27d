"""Holds each stage of a run's alerts against its prediction, and looks up what explains a difference.

It gathers what the prediction goes by: the rule, the intervals, Alertmanager's timers, what the faults did. It runs
when a run ends; it judges nothing, and what it cannot find out it leaves out.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from faults.base import Parameters, catalogue
from faults.drills.causes import Causes, Doubt, doubtful
from faults.drills.condition import comparisons
from faults.drills.journal import Journal
from faults.drills.plan import Plan
from faults.drills.prediction import Course, Timing, check_stages, may_be_known
from faults.drills.schedule import Lighting
from faults.drills.score import detection_and_reset_s
from faults.drills.watch import Receipt, Watcher
from faults.drills.windows import Windows, joined, windows_of
from faults.drills.wire import STAGES, AlertOutcome, DrillRun, Notification, Stage, StageCheck, StageTimes
from stack.clients.prometheus import AlertRule
from stack.clients.routing import Route, Routing
from stack.errors import SourceError, StackError

_CLOSE_S = 0.5
"""Within which a delivery and a stage's time mean the same firing."""


@dataclass(frozen=True)
class Grounds:
    """What is asked once for all alerts of a run."""

    recordings: tuple[tuple[str, str], ...]
    routing: Routing
    scrape_s: float
    back_at: float | None


class Inspection:
    """The inspection of one run's outcomes."""

    def __init__(self, plan: Plan, watcher: Watcher, journal: Journal) -> None:
        self._plan, self._watcher, self._journal = plan, watcher, journal

    async def inspect(self, run: DrillRun, outcomes: Sequence[AlertOutcome]) -> list[AlertOutcome]:
        """Return ``outcomes`` with their checks; as they are where a source does not answer or a rule is odd."""
        if run.fault_at is None:
            return list(outcomes)
        try:
            grounds = await asyncio.to_thread(self._grounds, run)
        except SourceError:
            return list(outcomes)
        return [await self._inspected(run, outcome, grounds) for outcome in outcomes]

    async def _inspected(self, run: DrillRun, outcome: AlertOutcome, grounds: Grounds) -> AlertOutcome:
        rule = self._plan.rules.get(outcome.alert)
        if rule is None or outcome.verdict in {"already firing", "insufficient history"}:
            return outcome
        told = self._told(outcome)
        try:
            timing = await asyncio.to_thread(self._timing, rule, grounds, told, run.fault_at or 0.0)
        except StackError:  # nobody answers, or an expression beyond what its windows can be read off
            return outcome
        earlier = self._earlier_group(outcome.stages, told, timing)
        course = self._course(run, grounds, earlier_group=earlier)
        checks = check_stages(outcome.stages, timing, course)
        causes = Causes(self._watcher.prometheus, self._watcher.job, timing)
        explained = [
            await asyncio.to_thread(self._explained, check, outcome, rule, course, causes)
            if doubtful(check, timing)
            else check
            for check in checks
        ]
        detection_s, reset_s = detection_and_reset_s(run, outcome)
        return outcome.model_copy(update={"checks": explained, "detection_s": detection_s, "reset_s": reset_s})

    def _grounds(self, run: DrillRun) -> Grounds:
        prometheus = self._watcher.prometheus
        own = [one.interval_s for one in prometheus.targets() if one.job == self._watcher.job and one.interval_s > 0]
        return Grounds(
            prometheus.recordings(),
            self._watcher.alertmanager.routing(),
            max(own, default=self._plan.pace.interval_s),
            self._back_at(run),
        )

    def _back_at(self, run: DrillRun) -> float | None:
        """Return when the service was scraped well again for good, where scrapes failed after the rollback."""
        if run.rollback_at is None:
            return None
        now = self._watcher.now()
        span_s = math.ceil(now - run.rollback_at + 1.0)
        series = self._watcher.prometheus.raw(f'up{{job="{self._watcher.job}"}}[{span_s}s]', now)
        down = [time for one in series for time, value in one.points if value == 0.0 and time >= run.rollback_at]
        if not down:
            return None
        last = max(down)
        return min((time for one in series for time, _ in one.points if time > last), default=last)

    def _timing(self, rule: AlertRule, grounds: Grounds, told: Notification | None, fault_at: float) -> Timing:
        receivers = grounds.routing.told_at(self._watcher.webhook) if told is None else (told.receiver,)
        route = _route(grounds.routing, receivers)
        return Timing(
            scrape_s=grounds.scrape_s,
            evaluation_s=rule.interval_s,
            for_s=rule.for_s,
            keep_firing_for_s=rule.keep_firing_for_s,
            windows=self._windows(rule.expr, grounds, fault_at),
            group_wait_s=route.group_wait_s,
            group_interval_s=route.group_interval_s,
        )

    def _windows(self, expr: str, grounds: Grounds, fault_at: float) -> Windows:
        """Return the windows of what had to change for ``expr`` to come true: what held before the fault did not."""
        changed = [
            windows_of(one.left, grounds.recordings)
            for one in comparisons(expr)
            if not any(one.holds(sample.value) for sample in self._watcher.prometheus.query(one.left, fault_at))
        ]
        whole = windows_of(expr, grounds.recordings)
        if not changed:
            return whole
        return replace(joined(changed), filled_s=whole.filled_s)

    def _course(self, run: DrillRun, grounds: Grounds, *, earlier_group: bool) -> Course:
        lit = self._plan.schedule
        first = min((one.at_s for one in lit), default=0.0)
        return Course(
            fault_at=run.fault_at or 0.0,
            rollback_at=run.rollback_at,
            ended_at=self._watcher.now(),
            last_lit_s=max((one.at_s - first for one in lit), default=0.0),
            grows_s=max((grows_s(one) for one in lit), default=0.0),
            back_at=grounds.back_at,
            earlier_group=earlier_group,
        )

    def _told(self, outcome: AlertOutcome) -> Notification | None:
        """Return the delivery that ``outcome`` was told by first."""
        delivered = outcome.stages.delivered
        if delivered is None:
            return None
        notes = (one for one in self._journal.notifications(1000) if one.alert == outcome.alert)
        return next((one for one in notes if abs(one.at - delivered) < _CLOSE_S and one.status == "firing"), None)

    def _earlier_group(self, stages: StageTimes, told: Notification | None, timing: Timing) -> bool:
        """Say whether Alertmanager may still have had the group when the alert came, with what it was told of before.

        A group goes on while an alert in it fires, and for a quarter of an hour after the last one was told to be over.
        """
        if told is None or stages.firing is None:
            return False
        fired = stages.firing
        before = [one for one in self._journal.notifications(1000) if one.group_key == told.group_key]
        before = [one for one in before if one.at < told.at - _CLOSE_S]
        return any(may_be_known(fired - one.at, timing.group_interval_s) for one in before) or any(
            one.status == "firing" and _unended(one, before) for one in before
        )

    def _explained(
        self, check: StageCheck, outcome: AlertOutcome, rule: AlertRule, course: Course, causes: Causes
    ) -> StageCheck:
        stages = outcome.stages
        sight = self._watcher.last
        receipts = () if sight is None else sight.receipts
        mine = [one for one in receipts if _of(outcome, one.labels, one.starts_at)]
        over = stages.resolved is not None and stages.delivered is None and stages.firing is not None
        doubt = Doubt(
            check=check,
            since=_before(check.stage, stages, course),
            until=getattr(stages, check.stage) or course.ended_at,
            group=rule.group,
            suppressed=next((one.suppressed for one in mine), ""),
            unseen_s=max((_unseen_s(one) for one in mine), default=0.0),
            earlier_group=course.earlier_group,
            resolved_before_sent=over,
        )
        return check.model_copy(update={"cause": f"{check.cause}; {causes.explain(doubt)}"})


def _route(routing: Routing, receivers: Sequence[str]) -> Route:
    """Return the route that the alert took, as far as is known: one that leads to whom it was delivered as."""
    found = [route for receiver in receivers for route in routing.leading_to(receiver)]
    return found[0] if found else routing.root


def _unended(note: Notification, others: Sequence[Notification]) -> bool:
    """Say whether nobody was told of the end of what ``note`` tells."""
    return not any(
        one.status == "resolved" and one.labels == note.labels and one.starts_at == note.starts_at for one in others
    )


def _of(outcome: AlertOutcome, labels: object, starts_at: float) -> bool:
    named = isinstance(labels, dict) and labels.get("alertname") == outcome.alert
    return named and outcome.stages.firing is not None and abs(starts_at - outcome.stages.firing) <= _CLOSE_S


def _before(stage: Stage, stages: StageTimes, course: Course) -> float:
    """Return when what comes before ``stage`` was over, as far as it was reached, Unix seconds."""
    if stage == "resolved":
        return course.rollback_at or course.fault_at
    reached = (getattr(stages, each) for each in STAGES[: STAGES.index(stage)])
    return max((at for at in reached if at is not None), default=course.fault_at)


def _unseen_s(receipt: Receipt) -> float:
    """Return for how long nobody had looked when the alert was first seen in its group."""
    if receipt.grouped_at is None or receipt.looked_before is None:
        return 0.0
    return receipt.grouped_at - receipt.looked_before


def grows_s(lighting: Lighting) -> float:
    """Return how long a fault takes until it is as strong as it gets, in seconds."""
    kind = catalogue().get(lighting.request.kind)
    if kind is None:
        return lighting.request.ramp_s
    parameters: Parameters = kind.parameters_type.model_validate(lighting.request.parameters)
    return max(lighting.request.ramp_s, kind.growth_s(parameters))
