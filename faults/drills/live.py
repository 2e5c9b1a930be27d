"""One drill on the running stack: steady state, fault, watch, rollback, recovery, verdict.

Times of stages come from Prometheus, Alertmanager and the webhook, never from when this loop happened to look. What
was lit is put out on every way out: success, failure, abort, error. The judging itself is in ``verdict``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from faults.drills.alerts import AlertBoard
from faults.drills.control import ServiceControl
from faults.drills.fires import Fires
from faults.drills.firewatch import FireWatch
from faults.drills.journal import Journal
from faults.drills.outcomes import Outcomes
from faults.drills.plan import Plan
from faults.drills.rollback import roll_back, to_the_end
from faults.drills.spec import FaultStep
from faults.drills.steady import Unsteady, unsteady
from faults.drills.verdict import sum_up
from faults.drills.watch import Sight, Watcher
from faults.drills.wire import DrillRun, Phase, Verdict
from faults.errors import FaultError
from stack.errors import SourceError, StackError

ROLLBACK_PATIENCE_S = 15.0
SHUTDOWN_PATIENCE_S = 1.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Parts:
    """What a drill works with."""

    watcher: Watcher
    control: ServiceControl
    fires: Fires
    journal: Journal
    board: AlertBoard
    now: Callable[[], float]


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
            if not faults:
                return
            if self._parts.now() >= deadline:
                self._fail_unsteady(faults)
            self._progress(faults[0].sentence)
            await asyncio.sleep(min(self._poll_s, max(0.05, deadline - self._parts.now())))

    def _fail_unsteady(self, faults: tuple[Unsteady, ...]) -> None:
        within_s = self.plan.pace.scale(self.plan.drill.steady_state.within)
        for fault in faults:
            self._outcomes.mark(fault.index, fault.verdict, fault.sentence)
        reasons = "; ".join(fault.sentence for fault in faults)
        raise _DrillOver("failed", f"no steady state within {within_s:g} s, so no fault was lit: {reasons}")

    async def _burn(self) -> None:
        self._enter("fault")
        await self._firewatch.begin()
        self._sources = await self._parts.watcher.starts()
        began = self._parts.now()
        ahead = sorted(self.plan.drill.faults, key=lambda step: step.at)
        while True:
            while ahead and self._parts.now() - began >= self.plan.pace.scale(ahead[0].at):
                await to_the_end(self._light(ahead.pop(0)))
            sight = await self._look()
            await self._outcomes.update(sight)
            await self._check_fires()
            waiting = self._outcomes.awaiting_detection(self._parts.now())
            if not waiting and not ahead:
                break
            self._progress(await self._waiting_for(waiting, sight))
            next_s = began + self.plan.pace.scale(ahead[0].at) - self._parts.now() if ahead else self._poll_s
            await asyncio.sleep(min(self._poll_s, max(0.0, next_s)))
        for index in self._outcomes.missed():
            held = await self._explain(index, sight)
            self._outcomes.hold(index, "; ".join([held, *self._firewatch.notes]))

    async def _light(self, step: FaultStep) -> None:
        record = await self._parts.fires.light(self.run.id, step, self.plan.pace)
        self.run.fault_ids.append(record.id)
        if self.run.fault_at is None:
            self.run.fault_at = record.started_at
        self._save()

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
        done = await roll_back(
            self._parts.fires, self.run.id, "traffic", patience_s=lambda: SHUTDOWN_PATIENCE_S, now=self._parts.now
        )
        if done.left:
            self._firewatch.note(f"the traffic settings could not be put back yet: {'; '.join(done.left)}")
        if ending is None:
            self._outcomes.judge()
            ending = _Ending(*sum_up(self.run.outcomes))
        self.run.verdict = ending.verdict
        notes = (note for note in self._firewatch.notes if note not in ending.reason)
        self.run.reason = "; ".join([ending.reason, *notes])
        self.run.ended_at = self._parts.now()
        self.run.progress = ""
        self._enter("done")
        facts = {"name": self.run.name, "verdict": self.run.verdict, "reason": self.run.reason}
        self._parts.journal.write(f"drill {self.run.id}", "drill_ended", self.run.id, facts)

    # -- watching ------------------------------------------------------------------------------------------------

    async def _look(self) -> Sight:
        """Look at the alerts; a source that fails twice in a row ends the drill with its error."""
        try:
            return self._complete(await self._parts.watcher.look())
        except SourceError as error:
            self._progress(str(error))
            await asyncio.sleep(self._poll_s)
        return self._complete(await self._parts.watcher.look())

    @staticmethod
    def _complete(sight: Sight) -> Sight:
        if sight.alertmanager_error is not None:
            raise sight.alertmanager_error
        return sight

    async def _check_fires(self) -> None:
        """End the drill when its fault is gone, through no doing of its own, before the alerts had their chance."""
        gone = await self._firewatch.check(self.run.fault_ids, self.run.fault_at)
        if gone is not None and self._outcomes.awaiting_detection(self._parts.now()):
            text = f"{gone.reason}, before all expected alerts were seen"
            raise _DrillOver("error" if gone.restarted else "aborted", text)

    async def _waiting_for(self, waiting: tuple[int, ...], sight: Sight) -> str:
        if not waiting:
            return "waiting to light the next fault"
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

    # -- telling -------------------------------------------------------------------------------------------------

    def _enter(self, phase: Phase) -> None:
        self.run.phase = phase
        self._save()

    def _progress(self, sentence: str) -> None:
        self.run.progress = sentence

    def _save(self) -> None:
        self._parts.journal.save_run(self.run)
