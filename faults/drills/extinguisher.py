"""Puts everything out, and proves it: from the places themselves, and from the service's own counters.

It stops the drill under way, resets every place, has put back what drills changed, and then watches further real
requests being answered without a fault acting on any. What it cannot show by the deadline it says, with the reason; it
never takes silence for proof.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from pydantic import JsonValue

from faults.base import FaultRecord
from faults.drills.counters import NoCounters, Page, Pages, StandStill
from faults.drills.errors import ControlError, PartlyOut
from faults.drills.fires import Fires
from faults.drills.runs import Runs
from faults.drills.wire import ResetCheck, ResetProof

WITHIN_S = 20.0
"""Longer than a service that a fault brought down takes to be up again."""
FURTHER = 5
"""Requests that each process of the service must answer unharmed."""
SEEN_WITHIN_S = 4.0
"""The counters are watched for so long at least, also where a silent place has used up the time."""
_LOOK_EVERY_S = 0.1
_TRY_EVERY_S = 0.3
_IDLE_S = 1.0

SendOne = Callable[[Page], Awaitable[None]]


class Burning(Protocol):
    """The places where faults burn."""

    async def faults(self) -> Sequence[FaultRecord]:
        """Return the faults, active ones first; raise ``ControlError``."""

    async def reset(self) -> Sequence[FaultRecord]:
        """Put everything out that can be reached; raise ``ControlError`` where something cannot."""


class Extinguisher:
    """One action for the whole stack."""

    def __init__(
        self,
        places: Burning,
        fires: Fires,
        runs: Runs,
        pages: Pages,
        *,
        probe: SendOne | None = None,
        within_s: float = WITHIN_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``probe`` sends one request to a process of the service, for when nobody else does."""
        self._places, self._fires, self._runs, self._pages = places, fires, runs, pages
        self._probe, self._within_s, self._clock = probe, within_s, clock
        self._stopping: set[asyncio.Task[object]] = set()

    async def put_out(self, actor: str) -> ResetProof:
        """Put everything out, for ``actor``, and return what was burning and what shows that it no longer does."""
        began = self._clock()
        deadline = began + self._within_s
        self._stop_drill(actor)
        ended: dict[str, FaultRecord] = {}
        out = await self._reset(ended, deadline)
        undone = await self._undo(actor, deadline)
        deadline = max(deadline, self._clock() + SEEN_WITHIN_S)
        still = await asyncio.gather(*(self._stands_still(page, deadline) for page in self._pages.pages))
        checks = [out, undone, *still, await self._none_active()]
        because = [f"{check.what}: {check.detail}" for check in checks if not check.holds]
        return ResetProof(
            proven=not because,
            ended=list(ended.values()),
            checks=checks,
            because=because,
            took_s=round(self._clock() - began, 3),
        )

    def _stop_drill(self, actor: str) -> None:
        """Begin to stop the drill under way; it puts out what it lit, and so does the reset beside it."""
        run = self._runs.running
        if run is not None:
            task: asyncio.Task[object] = asyncio.ensure_future(self._runs.abort(run.id, actor))
            self._stopping.add(task)
            task.add_done_callback(self._stopping.discard)

    async def _reset(self, ended: dict[str, FaultRecord], deadline: float) -> ResetCheck:
        what = "every place was told, and put its faults out"
        while True:
            try:
                records = await self._places.reset()
            except PartlyOut as error:
                ended |= {record.id: record for record in error.ended}
                problem = "; ".join(str(one) for one in error.silent)
            except ControlError as error:
                problem = str(error)
            else:
                ended |= {record.id: record for record in records}
                failed = [f"{one.kind} ({one.id}): {one.error}" for one in records if one.end_reason == "failed"]
                problem = "; ".join(failed)
            drill = "" if self._runs.running is None else "the drill under way has not ended yet"
            if not problem and not drill:
                return ResetCheck(what=what, holds=True, detail=f"{len(ended)} put out")
            if self._clock() >= deadline:
                return ResetCheck(what=what, holds=False, detail=problem or drill)
            await asyncio.sleep(_TRY_EVERY_S)

    async def _undo(self, actor: str, deadline: float) -> ResetCheck:
        what = "what drills changed is put back"
        done = 0
        while True:
            left = []
            for intent in self._fires.to_undo():
                undone = await self._fires.undo(intent, actor)
                done += undone.done
                if not undone.done:
                    left.append(undone.reason)
            if not left:
                return ResetCheck(what=what, holds=True, detail=f"{done} more" if done else "nothing was left")
            if self._clock() >= deadline:
                return ResetCheck(what=what, holds=False, detail="; ".join(left))
            await asyncio.sleep(_TRY_EVERY_S)

    async def _stands_still(self, page: Page, deadline: float) -> ResetCheck:
        """Watch one process's counters until they prove it, at least once and until the deadline."""
        what = f"{page.name} answers requests, and no fault acts on them"
        watch = StandStill(FURTHER, self._clock)
        while True:
            try:
                if watch.see(await self._pages.read(page)):
                    detail = f"no injection in {watch.requests:g} further requests"
                    return ResetCheck(what=what, holds=True, detail=detail)
            except NoCounters as error:
                watch.miss(str(error))
            if self._clock() >= deadline:
                return ResetCheck(what=what, holds=False, detail=watch.because)
            if self._probe is not None and watch.idle_s() > _IDLE_S:
                await self._probe(page)
            await asyncio.sleep(_LOOK_EVERY_S)

    async def _none_active(self) -> ResetCheck:
        what = "no place has an active fault"
        try:
            active = [one for one in await self._places.faults() if one.state == "active"]
        except ControlError as error:
            return ResetCheck(what=what, holds=False, detail=str(error))
        names = ", ".join(f"{one.kind} ({one.id})" for one in active)
        return ResetCheck(what=what, holds=not active, detail=f"active: {names}" if active else "none is")

    async def close(self) -> None:
        """Close the connections."""
        await self._pages.close()
        for task in tuple(self._stopping):
            with contextlib.suppress(Exception):
                await task


def summary(proof: ResetProof) -> dict[str, JsonValue]:
    """Return what the journal keeps of ``proof``."""
    return {"ended": [one.id for one in proof.ended], "proven": proof.proven, "because": [*proof.because]}
