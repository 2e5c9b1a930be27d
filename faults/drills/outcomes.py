"""What has become of each alert while a drill runs: expected ones, allowed ones, unexpected ones.

It keeps ``run.outcomes`` up to date from what is seen, says what is still awaited, and judges at the end.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Protocol

from faults.drills.episodes import Episode
from faults.drills.inspection import Inspection
from faults.drills.plan import Plan
from faults.drills.score import detection_and_reset_s
from faults.drills.stages import detection, stage_times
from faults.drills.verdict import judge
from faults.drills.watch import Sight
from faults.drills.wire import AlertOutcome, AlertVerdict, DrillRun, Notification, StageTimes
from stack.clients.prometheus import AlertRule
from stack.errors import SourceError


class Watched(Protocol):
    """Alerts that somebody watches: ``Watcher`` on a stack, another one on a virtual clock."""

    @property
    def last(self) -> Sight | None:
        """What was seen last."""

    async def condition_true(self, rule: AlertRule, episode: Episode) -> float:
        """Return when the condition became true that began ``episode``; raise ``SourceError``."""


class Ledger(Protocol):
    """What was delivered, and how the run stands: the journal on a stack."""

    def deliveries(self, alert: str, since: float) -> list[Notification]:
        """Return what was delivered of ``alert`` for episodes that fired at or after ``since``, oldest first."""

    def save_run(self, run: DrillRun) -> None:
        """Keep ``run`` as it stands now."""


class Outcomes:
    """The outcomes of one run. The first ones are the drill's expectations, in order."""

    def __init__(self, plan: Plan, run: DrillRun, watcher: Watched, journal: Ledger) -> None:
        self._plan, self._run, self._watcher, self._journal = plan, run, watcher, journal
        self._held: dict[int, str] = {}
        self._already: dict[int, str] = {}
        self._slack_s = 2 * plan.interval_s + 0.5
        run.outcomes = [
            AlertOutcome(
                alert=one.alert,
                labels=one.labels,
                expected=True,
                firing_within_s=plan.pace.scale(one.firing_within),
                resolved_within_s=plan.pace.scale(one.resolved_within),
            )
            for one in plan.drill.expect
        ]

    def mark(self, index: int, verdict: AlertVerdict, detail: str) -> None:
        """Give expectation ``index`` a verdict at once."""
        self._run.outcomes[index] = self._run.outcomes[index].model_copy(update={"verdict": verdict, "detail": detail})

    def hold(self, index: int, reason: str) -> None:
        """Keep what held expectation ``index`` back, for its verdict."""
        self._held[index] = reason

    async def update(self, sight: Sight) -> None:
        """Take over what ``sight`` shows of the time since the fault."""
        since = self._run.fault_at
        if since is None:
            return
        changed = False
        for index, expectation in enumerate(self._plan.drill.expect):
            lives = sight.lives(expectation.alert, expectation.labels)
            early = [one for one in lives if one.began < since and (one.resolved is None or one.resolved >= since)]
            if early and index not in self._already:
                self._already[index] = f"was active {since - early[0].began:.1f} s before the fault"
            stages = await self._stages(detection(lives, since), since)
            known = self._run.outcomes[index]
            if stages != known.stages:
                timed = known.model_copy(update={"stages": stages})
                detection_s, reset_s = detection_and_reset_s(self._run, timed)
                update = {"stages": stages, "detection_s": detection_s, "reset_s": reset_s}
                self._run.outcomes[index] = known.model_copy(update=update)
                changed = True
        if await self._update_others(sight, since) or changed:
            self._journal.save_run(self._run)

    async def _stages(self, life: tuple[Episode, ...], since: float) -> StageTimes:
        condition_true = None
        if life:
            rule = self._plan.rules.get(life[0].alert)
            try:
                condition_true = None if rule is None else await self._watcher.condition_true(rule, life[0])
            except SourceError:
                condition_true = None  # asked again at the next look
        sight = self._watcher.last
        receipts = () if sight is None else sight.receipts
        deliveries = self._journal.deliveries(life[0].alert, since - 1.0) if life else []
        return stage_times(life, receipts, deliveries, condition_true=condition_true)

    async def _update_others(self, sight: Sight, since: float) -> bool:
        """Rewrite the outcomes of alerts that the drill does not expect; say whether that changed anything."""
        expected = self._plan.drill.expect
        others: dict[tuple[str, bool], list[Episode]] = {}
        for one in sight.episodes:
            still = one.resolved is None or one.resolved > since
            if one.firing is None or not still or any(e.alert == one.alert and one.carries(e.labels) for e in expected):
                continue
            others.setdefault((one.alert, one.began >= since), []).append(one)
        found = []
        for (alert, new), life in others.items():
            verdict: AlertVerdict = "as expected"
            detail = "allowed by the drill"
            if not new:
                verdict, detail = "already firing", "was active before the fault; not counted"
            elif alert not in self._plan.drill.allow:
                verdict, detail = self._not_allowed(alert, life, since)
            stages = await self._stages(tuple(life), since)
            found.append(AlertOutcome(alert=alert, expected=False, stages=stages, verdict=verdict, detail=detail))
        if found == self._run.outcomes[len(expected) :]:
            return False
        self._run.outcomes[len(expected) :] = found
        return True

    def _not_allowed(self, alert: str, life: Sequence[Episode], since: float) -> tuple[AlertVerdict, str]:
        """Return what to hold of an alert that fired after the fault at ``since`` and that nobody asked for.

        As long as its longest window holds what was before, an earlier fault or nothing at all, it is no witness.
        """
        fired = f"fired {min(one.firing or 0.0 for one in life) - since:.1f} s after the fault"
        window_s = self._plan.windows_s.get(alert, 0.0)
        clear_at = self._plan.calm_since + window_s
        if all(one.last_seen < clear_at for one in life):
            text = f"{fired}, but looks back {window_s:g} s, to before the calm; not counted"
            return "insufficient history", text
        return "unexpected", fired

    def awaiting_detection(self, now: float) -> tuple[int, ...]:
        """Return the expectations whose alert may still fire or be delivered in time, or nearly so."""
        since = now if self._run.fault_at is None else self._run.fault_at
        waiting = []
        for index, outcome in enumerate(self._expected()):
            bounds, stages = self._plan.bounds(index), outcome.stages
            if stages.delivered is not None or index in self._already:
                continue
            until = (
                since + bounds.firing_within_s if stages.firing is None else stages.firing + bounds.delivered_within_s
            )
            if now < until + self._slack_s:
                waiting.append(index)
        return tuple(waiting)

    def missed(self) -> tuple[int, ...]:
        """Return the expectations whose alert has not fired."""
        return tuple(index for index, outcome in enumerate(self._expected()) if outcome.stages.firing is None)

    def awaiting_resolution(self, now: float) -> tuple[int, ...]:
        """Return the expectations whose alert fired and may still resolve, or be delivered as resolved, in time."""
        since = self._run.rollback_at or now
        waiting = []
        for index, outcome in enumerate(self._expected()):
            bounds, stages = self._plan.bounds(index), outcome.stages
            if stages.firing is None or stages.resolution_delivered is not None:
                continue
            if stages.resolved is None:
                until = since + bounds.resolved_within_s
            elif stages.delivered is not None:
                until = stages.resolved + bounds.delivered_within_s
            else:
                continue
            if now < until + self._slack_s:
                waiting.append(index)
        return tuple(waiting)

    def resolving(self, index: int) -> str:
        """Return what expectation ``index`` waits for after the rollback, as a sentence."""
        outcome = self._run.outcomes[index]
        if outcome.stages.resolved is None:
            return f"{outcome.alert}: still firing, waiting for it to resolve"
        return f"{outcome.alert}: resolved, waiting for Alertmanager to deliver it"

    def judge(self) -> None:
        """Give every expectation that has none its verdict."""
        fault_at = self._run.fault_at or 0.0
        rollback_at = self._run.rollback_at or fault_at
        for index, outcome in enumerate(self._expected()):
            if outcome.verdict is not None:
                continue
            if index in self._already:
                self.mark(index, "already firing", self._already[index])
                continue
            judgement = judge(
                outcome.stages,
                self._plan.bounds(index),
                fault_at=fault_at,
                rollback_at=rollback_at,
                waited_for=self._held.get(index, ""),
            )
            self.mark(index, judgement.verdict, judgement.detail)

    async def inspect(self, inspection: Inspection, *, within_s: float) -> None:
        """Hold what was measured of the expected alerts against what was predicted, in so many seconds at most."""
        with contextlib.suppress(TimeoutError):
            inspected = await asyncio.wait_for(inspection.inspect(self._run, self._expected()), within_s)
            self._run.outcomes[: len(self._plan.drill.expect)] = inspected

    def _expected(self) -> list[AlertOutcome]:
        return self._run.outcomes[: len(self._plan.drill.expect)]
