"""The drills of one stack: starts them one at a time, aborts them, and cleans up after runs that were cut off.

A run lives on by itself once started. What a killed conductor left burning is put out at the next start.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import uuid
from collections.abc import Callable, Mapping

from faults.drills.errors import BadDrill, DrillRunning, StillUndoing, UnknownDrill, UnknownRun
from faults.drills.history import keep_armed
from faults.drills.live import SHUTDOWN_PATIENCE_S, LiveDrill, Parts
from faults.drills.plan import Plan, estimate_s, make_plan
from faults.drills.spec import Drill, parse_drill
from faults.drills.wire import DrillCheck, DrillInfo, DrillRun, DrillStart
from stack.pace import Pace

_TEND_EVERY_S = 1.0
_log = logging.getLogger(__name__)


def _fresh_id() -> str:
    return uuid.uuid4().hex[:12]


class Runs:
    """The runs of one conductor."""

    def __init__(
        self, parts: Parts, library: Mapping[str, Drill], pace: Pace, *, fresh_id: Callable[[], str] = _fresh_id
    ) -> None:
        self._parts, self._library, self._pace, self._fresh_id = parts, library, pace, fresh_id
        self._live: LiveDrill | None = None
        self._starting: str | None = None
        self._closed = False

    @property
    def running(self) -> DrillRun | None:
        """The run that is under way."""
        return self._live.run if self._live is not None and self._live.run.phase != "done" else None

    def drills(self) -> list[DrillInfo]:
        """Return the library, by name."""
        sight = self._parts.watcher.last
        return [
            DrillInfo(
                name=drill.name,
                title=drill.title,
                description=drill.description,
                kinds=sorted({step.kind for step in drill.faults}),
                alerts=sorted({one.alert for one in drill.expect}),
                estimate_s=round(estimate_s(drill, self._pace, sight), 1),
            )
            for _, drill in sorted(self._library.items())
        ]

    async def start(self, start: DrillStart, actor: str) -> DrillRun:
        """Check a drill and start it; return its run at once.

        Raises ``BadDrill`` or ``UnknownDrill``; ``DrillRunning``, ``FaultsActive`` or ``StillUndoing``; and
        ``ControlError`` or ``SourceError`` when a part that it needs does not answer.
        """
        drill = self._chosen(start)
        if self.running is not None:
            raise DrillRunning(self.running.name, self.running.id)
        if self._starting is not None or self._closed:
            raise DrillRunning(self._starting or drill.name, "just starting" if not self._closed else "shutting down")
        left = self._parts.fires.to_undo()
        if left:
            raise StillUndoing(left[0].run_id)
        self._starting = drill.name
        seed = self._seed(start, drill)
        try:
            plan = await self._plan(drill, seed)
        finally:
            self._starting = None
        run = DrillRun(
            id=self._fresh_id(),
            name=drill.name,
            title=drill.title,
            pace=self._pace.name,
            phase="queued",
            seed=seed,
            warnings=list(plan.warnings),
            queued_at=self._parts.now(),
            estimate_s=round(estimate_s(drill, self._pace, self._parts.watcher.last), 1),
        )
        self._parts.journal.save_run(run)
        self._parts.journal.write(
            actor, "drill_started", run.id, {"name": drill.name, "pace": self._pace.name, "seed": seed}
        )
        self._live = LiveDrill(plan, run, self._parts)
        self._live.start()
        return run

    async def check(self, start: DrillStart) -> DrillCheck:
        """Check a drill as ``start`` does, and start nothing; it may be checked while another runs."""
        drill = self._chosen(start)
        plan = await self._plan(drill, self._seed(start, drill), while_burning=True)
        return DrillCheck(name=drill.name, lightings=len(plan.schedule), warnings=list(plan.warnings))

    async def _plan(self, drill: Drill, seed: int, *, while_burning: bool = False) -> Plan:
        parts = self._parts
        return await make_plan(
            drill,
            self._pace,
            parts.watcher,
            parts.control,
            historian=parts.historian,
            seed=seed,
            burned_until=self._burned_until(),
            while_burning=while_burning,
        )

    @staticmethod
    def _seed(start: DrillStart, drill: Drill) -> int:
        given = drill.seed if start.seed is None else start.seed
        return random.getrandbits(32) if given is None else given

    def _burned_until(self) -> float:
        """Return when the last fault of an earlier run had ended, Unix seconds; 0 where there is none."""
        runs = (run for run in self._parts.journal.runs() if run.fault_at is not None)
        return max((run.rollback_at or run.ended_at or 0.0 for run in runs), default=0.0)

    def _chosen(self, start: DrillStart) -> Drill:
        if (start.name is None) == (start.text is None):
            raise BadDrill(
                "the request", ["give either the name of a drill of the library or the text of a drill file"]
            )
        if start.text is not None:
            return parse_drill(start.text, "the drill file")
        try:
            return self._library[start.name or ""]
        except KeyError:
            raise UnknownDrill(start.name or "", self._library) from None

    async def abort(self, run_id: str, actor: str) -> DrillRun:
        """Stop a run and put out what it lit before returning it; harmless for one that has ended."""
        if self._live is not None and self._live.run.id == run_id and self.running is not None:
            self._parts.journal.write(actor, "drill_aborted", run_id)
            await self._live.stop(f"aborted by {actor}")
        return self.run(run_id)

    def run(self, run_id: str) -> DrillRun:
        """Return one run as it is now; raise ``UnknownRun``."""
        if self._live is not None and self._live.run.id == run_id:
            return self._live.run
        run = self._parts.journal.run(run_id)
        if run is None:
            raise UnknownRun(run_id)
        return run

    def runs(self, limit: int) -> list[DrillRun]:
        """Return the newest runs, newest first."""
        live = self.running
        return [live if live is not None and run.id == live.id else run for run in self._parts.journal.runs(limit)]

    def recover(self) -> None:
        """Close the runs that a killed conductor left without an end; ``tend`` puts out what they lit."""
        for run in self._parts.journal.unfinished():
            run.reason = f"the conductor was killed during phase {run.phase}; what the drill had lit is put out"
            run.verdict, run.phase, run.progress, run.ended_at = "error", "done", "", self._parts.now()
            self._parts.journal.save_run(run)
            facts = {"name": run.name, "verdict": "error", "reason": run.reason}
            self._parts.journal.write("conductor", "drill_ended", run.id, facts)
            _log.warning("run %s of drill %s was cut off: %s", run.id, run.name, run.reason)

    async def arm(self) -> None:
        """Make Prometheus quick to read a history, as soon as it answers."""
        if self._parts.historian is not None:
            await keep_armed(self._parts.historian, self._parts.watcher.prometheus)

    async def tend(self) -> None:
        """Undo what runs that are over have left; goes on for ever."""
        while True:
            live = self.running
            for intent in self._parts.fires.to_undo():
                if live is not None and intent.run_id == live.id:
                    continue
                undone = await self._parts.fires.undo(intent, "conductor")
                if undone.done and undone.record is not None:
                    self._correct(intent.run_id, undone.record.ended_at)
                if not undone.done and self._parts.fires.overdue(intent):
                    self._parts.fires.give_up(intent, undone.reason)
            await asyncio.sleep(_TEND_EVERY_S)

    def _correct(self, run_id: str, ended_at: float | None) -> None:
        run = self._parts.journal.run(run_id)
        if run is not None and run.rollback_at is None and ended_at is not None:
            self._parts.journal.save_run(run.model_copy(update={"rollback_at": ended_at}))

    async def close(self) -> None:
        """Stop the run under way and put out what it lit, because the conductor stops."""
        self._closed = True
        if self._live is not None:
            with contextlib.suppress(asyncio.CancelledError):
                await self._live.stop("the conductor was stopped", patience_s=SHUTDOWN_PATIENCE_S)
