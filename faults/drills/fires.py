"""What a drill changes in the running stack, and how it is undone whatever happens.

Each change is written to the journal as an intent before it is made. Undoing reads the intent alone, so that a
conductor that was killed can do it after its next start. It never decides when.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import JsonValue

from faults.base import FaultRecord, FaultRequest
from faults.drills.control import TrafficControl
from faults.drills.errors import ControlError, ControlRefused, HistoryFailed
from faults.drills.heartbeat import guarded
from faults.drills.history import Historian, Supplied
from faults.drills.journal import Intent, Journal
from faults.drills.parts import History
from faults.drills.places import Places
from faults.drills.wire import TrafficSettings
from stack.blocks import selector

UNCERTAIN_S = 15.0
"""How long a request to light a fault may still be on its way after its sender was lost."""


@dataclass(frozen=True)
class Undone:
    """The result of undoing an intent. ``record`` is the ended fault, where there was one."""

    done: bool
    reason: str = ""
    record: FaultRecord | None = None


class Fires:
    """The changes of runs: faults lit, traffic settings applied. One for the conductor's whole life."""

    def __init__(
        self,
        control: Places,
        traffic: TrafficControl,
        journal: Journal,
        *,
        historian: Historian | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        """``historian``: who supplies histories; without one there are none."""
        self._control, self._traffic, self._journal, self._now = control, traffic, journal, now
        self._historian = historian

    async def light(self, run_id: str, request: FaultRequest) -> FaultRecord:
        """Light a fault for ``run_id``; raise ``ControlError``.

        Its seed, which the drill's schedule gives it, is what an intent without an id is recognised by.
        """
        request = guarded(request)
        intent = self._journal.intend(run_id, "fault", request.model_dump_json())
        try:
            record = await self._control.light(request)
        except ControlRefused as error:
            if error.status < 500 or error.kind == "fault_not_applied":
                self._journal.settle(intent)
            raise
        self._journal.lit(intent, record.id)
        facts: dict[str, JsonValue] = {
            "run": run_id,
            "kind": record.kind,
            "parameters": record.parameters,
            "ttl_s": record.ttl_s,
        }
        self._journal.write(f"drill {run_id}", "fault_lit", record.id, facts)
        return record

    async def put_out(self, run_id: str, fault_id: str) -> Undone:
        """Put out one fault of a run that is still under way; never raises for what the other side does."""
        for intent in self.to_undo(run_id):
            if intent.fault_id == fault_id:
                return await self.undo(intent, f"drill {run_id}")
        return Undone(done=True)

    async def supply(self, run_id: str, history: History) -> Supplied:
        """Put ``history`` into Prometheus's storage while a run lasts; raise ``HistoryFailed`` or ``StackError``."""
        if self._historian is None:
            raise HistoryFailed("this conductor has no way into Prometheus's storage")
        supplied = await asyncio.to_thread(self._historian.prepare, history, run_id)
        self._journal.intend(run_id, "history", supplied.model_dump_json())
        try:
            await asyncio.to_thread(self._historian.place, supplied, run_id)
        except OSError as error:
            raise HistoryFailed(f"{supplied.folder}: {error.strerror or error}") from error
        facts: dict[str, JsonValue] = {"series": [*sorted({selector(span.labels) for span in supplied.spans})]}
        self._journal.write(f"drill {run_id}", "history_supplied", "prometheus", facts)
        return supplied

    async def supplied(self, what: Supplied) -> bool:
        """Say whether Prometheus shows the history; raise ``SourceError``."""
        return self._historian is not None and await asyncio.to_thread(self._historian.loaded, what)

    async def set_traffic(self, run_id: str, wanted: TrafficSettings) -> bool:
        """Apply ``wanted`` while a run lasts; say whether it differs from what was sent. Raise ``ControlError``."""
        before = await self._traffic.settings()
        if before == wanted:
            return False
        self._journal.intend(run_id, "traffic", before.model_dump_json())
        await self._traffic.apply(wanted)
        self._journal.write(f"drill {run_id}", "traffic_set", "traffic", json.loads(wanted.model_dump_json()))
        return True

    def keep_traffic(self) -> None:
        """Forget the settings that were to be put back: someone has chosen others since."""
        for intent in self._journal.open_intents():
            if intent.what == "traffic":
                self._journal.settle(intent)

    def to_undo(self, run_id: str | None = None) -> list[Intent]:
        """Return what is still to be undone (of one run), newest first."""
        return [one for one in self._journal.open_intents() if run_id is None or one.run_id == run_id]

    async def undo(self, intent: Intent, actor: str) -> Undone:
        """Undo one intent, as often as asked; never raises for what the other side does."""
        record = None
        try:
            if intent.what == "fault":
                record = await self._put_out_of(intent)
            elif intent.what == "history":
                await self._take_away(intent)
            else:
                await self._traffic.apply(TrafficSettings.model_validate_json(intent.body))
        except ControlRefused as error:
            if intent.what == "fault":
                return Undone(done=False, reason=str(error))
            # settings that are refused now cannot be put back later either
        except (ControlError, HistoryFailed) as error:
            return Undone(done=False, reason=str(error))
        self._journal.settle(intent)
        if record is not None:
            ended: dict[str, str | float | None] = {"reason": record.end_reason, "at": record.ended_at}
            self._journal.write(actor, "fault_put_out", record.id, {"run": intent.run_id, **ended})
        elif intent.what == "traffic":
            self._journal.write(actor, "traffic_put_back", "traffic", json.loads(intent.body))
        elif intent.what == "history":
            self._journal.write(actor, "history_taken_away", "prometheus", {"run": intent.run_id})
        return Undone(done=True, record=record)

    def give_up(self, intent: Intent, reason: str) -> None:
        """Close an intent that cannot be undone any more; the journal says why."""
        self._journal.settle(intent)
        self._journal.write("conductor", "undo_given_up", intent.fault_id or intent.what, {"reason": reason})

    def overdue(self, intent: Intent) -> bool:
        """Say whether the fault of ``intent`` has ended by its own time to live, with a minute to spare."""
        if intent.what != "fault":
            return self._now() - intent.at > 24 * 3600.0
        return self._now() > intent.at + FaultRequest.model_validate_json(intent.body).ttl_s + UNCERTAIN_S + 60.0

    async def _take_away(self, intent: Intent) -> None:
        """Take the history of ``intent`` away; raise ``HistoryFailed`` where it is still there."""
        left: str | None = "this conductor has no way into Prometheus's storage"
        if self._historian is not None:
            left = await asyncio.to_thread(self._historian.take_away, Supplied.model_validate_json(intent.body))
        if left is not None:
            raise HistoryFailed(left)

    async def _put_out_of(self, intent: Intent) -> FaultRecord | None:
        """Put out the fault of ``intent``; ``None`` where there is none."""
        fault_id = intent.fault_id or await self._find(intent)
        if fault_id is None and self._now() - intent.at < UNCERTAIN_S:
            raise ControlError("it is not known yet whether the fault was lit")
        return None if fault_id is None else await self._put_out(fault_id)

    async def _find(self, intent: Intent) -> str | None:
        """Return the id of the fault that ``intent`` led to, by its seed; ``None`` where its place has none."""
        request = FaultRequest.model_validate_json(intent.body)
        for record in await self._control.faults_of(request.kind):
            same = (record.kind, record.seed) == (request.kind, request.seed)
            if same and intent.at - 1.0 <= record.started_at <= intent.at + UNCERTAIN_S:
                return record.id
        return None

    async def _put_out(self, fault_id: str) -> FaultRecord | None:
        """Put a fault out; ``None`` where its place does not know it, having been restarted since."""
        try:
            record = await self._control.put_out(fault_id)
        except ControlRefused as error:
            if error.status == 404:
                return None
            raise
        if record.state == "active" or record.end_reason == "failed":
            raise ControlRefused(500, "rollback_failed", record.error or "the fault is still active")
        return record
