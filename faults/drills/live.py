"""One drill on the running stack: steady state, fault, watch, rollback, recovery, verdict.

Times of stages come from Prometheus, Alertmanager and the webhook, never from when this loop happened to look. What
was lit is put out on every way out: success, failure, abort, error. The judging itself is in ``verdict``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from faults.drills.alerts import AlertBoard
from faults.drills.burning import Burning
from faults.drills.fires import Fires
from faults.drills.firewatch import FireWatch
from faults.drills.gathering import Sources, keep_evidence
from faults.drills.history import Historian
from faults.drills.inspection import Inspection
from faults.drills.journal import Journal, What
from faults.drills.outcomes import Outcomes
from faults.drills.past import give_past
from faults.drills.places import Places
from faults.drills.plan import Plan
from faults.drills.rollback import roll_back, to_the_end
from faults.drills.steady import Unsteady, ringing, unsteady
from faults.drills.verdict import sum_up
from faults.drills.watch import Sight, Watcher
from faults.drills.wire import DrillRun, Phase, Verdict
from faults.errors import FaultError
from stack.errors import SourceError, StackError

ROLLBACK_PATIENCE_S = 15.0
SHUTDOWN_PATIENCE_S = 1.0
EVIDENCE_WITHIN_S = 12.0
EVIDENCE_OF_AN_ABORT_WITHIN_S = 4.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Parts:
    """What a drill works with."""

    watcher: Watcher
    control: Places
    fires: Fires
    journal: Journal
    board: AlertBoard
    now: Callable[[], float]
    historian: Historian | None = None
    sources: Sources | None = None


@dataclass(frozen=True)
class _Ending:
    verdict: Verdict
    reason: str


class _DrillOver(Exception):  # noqa: N818 - it is the way out of a phase, caught below
    """The drill cannot go on; says how it ends."""

    def __init__(self, verdict: Verdict, reason: str) -> None:
        self.ending = _Ending(verdict, reason)
        super().__init__(reason)


class LiveDrill:
    """One run of one plan. ``perform`` is to be run as a task, which ``stop`` cancels."""

    def __init__(self, plan: Plan, run: DrillRun, parts: Parts) -> None:
        self.plan, self.run, self._parts = plan, run, parts
        self._outcomes = Outcomes(plan, run, parts.watcher, parts.journal)
        self._poll_s = min(max(plan.interval_s / 2, 0.2), 2.0)
        self._task: asyncio.Task[None] | None = None
        self._stopped_because = ""
        self._patience_s = ROLLBACK_PATIENCE_S
        self._traffic_changed_at = float("-inf")
        self._firewatch = FireWatch(parts.control, plan.instance)
        self._sources: Mapping[str, float] = {}
        self._burning: Burning | None = None

    def start(self) -> asyncio.Task[None]:
        """Start the run and return its task."""
        self._task = asyncio.create_task(self.perform(), name=f"drill {self.run.id}")
        return self._task

    async def stop(self, reason: str, *, patience_s: float = ROLLBACK_PATIENCE_S) -> None:
        """Abort the run and wait until its faults are out, trying for at most about ``patience_s`` seconds."""
        if self._task is None or self._task.done():
            return
        if not self._stopped_because:
            self._stopped_because = reason
        self._patience_s = min(self._patience_s, patience_s)
        self._task.cancel()
        await asyncio.wait({self._task})

    async def perform(self) -> None:
        """Run to the end. Says how it went in ``run``; raises nothing."""
        ending = await self._attempt(self._approach())
        await to_the_end(self._roll_back())
        if ending is None and not self._stopped_because:
            ending = await self._attempt(self._recover())
        if self._stopped_because:
            ending = _Ending("aborted", self._stopped_because)
        await to_the_end(self._close(ending))

    async def _attempt(self, part: Awaitable[None]) -> _Ending | None:
        """Await ``part``; return how the drill ends if that ends it."""
        try:
            await part
        except asyncio.CancelledError:
            return _Ending("aborted", self._stopped_because or "cancelled")
        except _DrillOver as over:
            return over.ending
        except (FaultError, StackError) as error:
            return _Ending("error", str(error))
        except Exception as error:  # noqa: BLE001 - the faults are put out and the run is closed, whatever it was
            _log.exception("drill %s failed on a defect", self.run.id)
            return _Ending("error", f"a defect in Firedrill: {type(error).__name__}: {error}")
        return None

    # -- phases --------------------------------------------------------------------------------------------------

    async def _approach(self) -> None:
        traffic = self.plan.drill.traffic
        if traffic is not None and await to_the_end(self._parts.fires.set_traffic(self.run.id, traffic)):
            self._traffic_changed_at = self._parts.now()
        history, fires = self.plan.drill.history, self._parts.fires
        if history is not None:
            self._enter("steady_state")
            await give_past(fires, self.run.id, history, poll_s=self._poll_s, tell=self._progress)
        await self._reach_steady_state()
        await self._burn()

    async def _reach_steady_state(self) -> None:
        self._enter("steady_state")
        began_at = self._parts.now()
        deadline = began_at + self.plan.pace.scale(self.plan.drill.steady_state.within)
        while True:
            sight = await self._look()
            faults = await unsteady(
                self.plan,
                sight,
                self._parts.watcher,
                began_at=began_at,
                traffic_changed_at=self._traffic_changed_at,
            )
            rings = ringing(self.plan, sight, began_at=began_at, traffic_changed_at=self._traffic_changed_at)
            reasons = [*(fault.sentence for fault in faults), *([rings] if rings else [])]
            if not reasons:
                return
            if self._parts.now() >= deadline:
                self._fail_unsteady(faults, reasons)
            self._progress(reasons[0])
            await asyncio.sleep(min(self._poll_s, max(0.05, deadline - self._parts.now())))

    def _fail_unsteady(self, faults: Sequence[Unsteady], reasons: Sequence[str]) -> None:
        within_s = self.plan.pace.scale(self.plan.drill.steady_state.within)
        for fault in faults:
            self._outcomes.mark(fault.index, fault.verdict, fault.sentence)
        raise _DrillOver("failed", f"no steady state within {within_s:g} s, so no fault was lit: {'; '.join(reasons)}")

    async def _burn(self) -> None:
        self._enter("fault")
        await self._firewatch.begin()
        self._sources = await self._parts.watcher.starts()
        self._burning = burning = Burning(self.plan, self.run, self._parts.fires, self._firewatch, now=self._parts.now)
        while True:
            if await to_the_end(burning.go_on()):
                self._save()
            self.run.coming = burning.coming()
            sight = await self._look()
            await self._outcomes.update(sight)
            await self._check_abort()
            await self._check_fires()
            now = self._parts.now()
            waiting = self._outcomes.awaiting_detection(now)
            watching_s = (self.run.fault_at or now) + self.plan.watch_s - now
            if not waiting and burning.all_lit and watching_s <= 0:
                break
            self._progress(await self._waiting_for(waiting, sight, watching_s))
            await asyncio.sleep(burning.wait_s(self._poll_s))
        for index in self._outcomes.missed():
            held = await self._explain(index, sight)
            self._outcomes.hold(index, "; ".join([held, *self._firewatch.notes]))

    async def _check_abort(self) -> None:
        """End the drill where one of its own conditions says so; one that cannot be evaluated is asked again once."""
        prometheus = self._parts.watcher.prometheus
        try:
            met = await self.plan.abort_if.met(prometheus)
        except SourceError:
            await asyncio.sleep(self._poll_s)
            met = await self.plan.abort_if.met(prometheus)
        if met is not None:
            raise _DrillOver("aborted", met.sentence)

    async def _roll_back(self) -> None:
        """Put out what this run lit; what cannot be put out in time is left to the conductor."""
        if any(intent.what == "fault" for intent in self._parts.fires.to_undo(self.run.id)):
            self._enter("rollback")
            self._progress("putting out what the drill lit")
            done = await roll_back(
                self._parts.fires, self.run.id, "fault", patience_s=lambda: self._patience_s, now=self._parts.now
            )
            if done.left:
                self._firewatch.note(f"not all could be put out yet ({'; '.join(done.left)}); its time to live ends it")
            if self.run.fault_at is not None and not done.left:
                self.run.rollback_at = done.ended_at or self._parts.now()
            self._save()
        elif self.run.fault_at is not None and self.run.rollback_at is None:  # the schedule had put everything out
            self.run.rollback_at = (self._burning and self._burning.last_out_at) or self._parts.now()
            self._save()

    async def _recover(self) -> None:
        self._enter("recovery")
        while True:
            sight = await self._look()
            await self._outcomes.update(sight)
            await self._firewatch.restarted(self.run.fault_at)
            waiting = self._outcomes.awaiting_resolution(self._parts.now())
            if not waiting:
                break
            self._progress(self._outcomes.resolving(waiting[0]))
            await asyncio.sleep(self._poll_s)
        for name, after in (await self._parts.watcher.starts()).items():
            if after != self._sources[name]:
                raise _DrillOver("error", f"{name} was restarted during the drill; its times cannot be trusted")

    async def _close(self, ending: _Ending | None) -> None:
        left_over: tuple[tuple[What, str], ...] = (("traffic", "the traffic settings"), ("history", "the history"))
        for what, name in left_over:
            done = await roll_back(
                self._parts.fires, self.run.id, what, patience_s=lambda: SHUTDOWN_PATIENCE_S, now=self._parts.now
            )
            if done.left:
                self._firewatch.note(f"{name} could not be put back yet: {'; '.join(done.left)}")
        if ending is None:
            self._outcomes.judge()
            ending = _Ending(*sum_up(self.run.outcomes, watched_s=self.plan.watch_s))
        inspection = Inspection(self.plan, self._parts.watcher, self._parts.journal)
        await self._outcomes.inspect(inspection, within_s=self._patience_s)
        self.run.verdict = ending.verdict
        self.run.reason = "; ".join([ending.reason, *(n for n in self._firewatch.notes if n not in ending.reason)])
        self.run.ended_at = self._parts.now()
        if self._parts.sources is not None:
            self._progress("gathering the evidence for its report")
            within_s = EVIDENCE_OF_AN_ABORT_WITHIN_S if self._stopped_because else EVIDENCE_WITHIN_S
            await keep_evidence(self._parts.sources, self.plan, self.run, within_s=min(within_s, self._patience_s))
        self.run.progress = self.run.coming = ""
        self._enter("done")
        facts = {"name": self.run.name, "verdict": self.run.verdict, "reason": self.run.reason}
        self._parts.journal.write(f"drill {self.run.id}", "drill_ended", self.run.id, facts)

    # -- watching ------------------------------------------------------------------------------------------------

    async def _look(self) -> Sight:
        """Look at the alerts; a source that fails twice in a row ends the drill with its error."""
        try:
            return (await self._parts.watcher.look()).complete()
        except SourceError as error:
            self._progress(str(error))
            await asyncio.sleep(self._poll_s)
        return (await self._parts.watcher.look()).complete()

    async def _check_fires(self) -> None:
        """End the drill when its fault is gone, through no doing of its own, before the alerts had their chance."""
        gone = await self._firewatch.check(self.run.fault_ids, self.run.fault_at)
        if gone is not None and self._outcomes.awaiting_detection(self._parts.now()):
            text = f"{gone.reason}, before all expected alerts were seen"
            raise _DrillOver("error" if gone.restarted else "aborted", text)

    async def _waiting_for(self, waiting: tuple[int, ...], sight: Sight, watching_s: float) -> str:
        if not waiting:
            quiet = f"nothing may ring for {watching_s:.0f} s more"
            return quiet if watching_s > 0 else "waiting to light the next fault"
        alert = self.plan.drill.expect[waiting[0]].alert
        others = f" (and {len(waiting) - 1} more)" if len(waiting) > 1 else ""
        return f"{alert}{others}: {await self._explain(waiting[0], sight)}"

    async def _explain(self, index: int, sight: Sight) -> str:
        rules = sight.named(self.plan.drill.expect[index].alert)
        if not rules:
            return "its rule is not loaded any more"
        try:
            return await self._parts.board.explain(rules[0], sight)
        except SourceError as error:
            return str(error)

    def _enter(self, phase: Phase) -> None:
        self.run.phase = phase
        self._save()

    def _progress(self, sentence: str) -> None:
        self.run.progress = sentence

    def _save(self) -> None:
        self._parts.journal.save_run(self.run)
