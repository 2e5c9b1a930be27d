"""What a drill changes in the running stack, and how it is undone whatever happens.

Each change is written to the journal as an intent before it is made. Undoing reads the intent alone, so that a
conductor that was killed can do it after its next start. It never decides when.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import JsonValue

from faults.base import FaultRecord, FaultRequest
from faults.drills.control import ServiceControl, TrafficControl
from faults.drills.errors import ControlError, ControlRefused
from faults.drills.journal import Intent, Journal
from faults.drills.spec import FaultStep
from faults.drills.wire import TrafficSettings
from stack.pace import Pace

UNCERTAIN_S = 15.0
"""How long a request to light a fault may still be on its way after its sender was lost."""
_SEED_BITS = 48


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
        control: ServiceControl,
        traffic: TrafficControl,
        journal: Journal,
        *,
        rng: random.Random | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._control, self._traffic, self._journal, self._now = control, traffic, journal, now
        self._rng = rng or random.Random()

    async def light(self, run_id: str, step: FaultStep, pace: Pace) -> FaultRecord:
        """Light the fault of ``step`` for ``run_id``; raise ``ControlError``.

        The seed, drawn here where the drill has none, is what an intent without an id is recognised by.
        """
        request = FaultRequest(
            kind=step.kind,
            parameters=step.parameters,
            target=step.target,
            probability=step.probability,
            ttl_s=pace.scale(step.ttl),
            seed=self._rng.getrandbits(_SEED_BITS) if step.seed is None else step.seed,
        )
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
        try:
            if intent.what == "traffic":
                await self._traffic.apply(TrafficSettings.model_validate_json(intent.body))
                record = None
            else:
                fault_id = intent.fault_id or await self._find(intent)
                if fault_id is None and self._now() - intent.at < UNCERTAIN_S:
                    return Undone(done=False, reason="it is not known yet whether the fault was lit")
                record = None if fault_id is None else await self._put_out(fault_id)
        except ControlRefused as error:
            if intent.what == "fault":
                return Undone(done=False, reason=str(error))
            record = None  # settings that are refused now cannot be put back later either
        except ControlError as error:
            return Undone(done=False, reason=str(error))
        self._journal.settle(intent)
        if record is not None:
            ended: dict[str, str | float | None] = {"reason": record.end_reason, "at": record.ended_at}
            self._journal.write(actor, "fault_put_out", record.id, {"run": intent.run_id, **ended})
        elif intent.what == "traffic":
            self._journal.write(actor, "traffic_put_back", "traffic", json.loads(intent.body))
        return Undone(done=True, record=record)

    def give_up(self, intent: Intent, reason: str) -> None:
        """Close an intent that cannot be undone any more; the journal says why."""
        self._journal.settle(intent)
        self._journal.write("conductor", "undo_given_up", intent.fault_id or intent.what, {"reason": reason})

    def overdue(self, intent: Intent) -> bool:
        """Say whether the fault of ``intent`` has ended by its own time to live, with a minute to spare."""
        if intent.what == "traffic":
            return self._now() - intent.at > 24 * 3600.0
        return self._now() > intent.at + FaultRequest.model_validate_json(intent.body).ttl_s + UNCERTAIN_S + 60.0

    async def _find(self, intent: Intent) -> str | None:
        """Return the id of the fault that ``intent`` led to, by its seed; ``None`` where the service has none."""
        request = FaultRequest.model_validate_json(intent.body)
        for record in await self._control.faults():
            same = (record.kind, record.seed) == (request.kind, request.seed)
            if same and intent.at - 1.0 <= record.started_at <= intent.at + UNCERTAIN_S:
                return record.id
        return None

    async def _put_out(self, fault_id: str) -> FaultRecord | None:
        """Put a fault out; ``None`` where the service does not know it, having been restarted since."""
        try:
            record = await self._control.put_out(fault_id)
        except ControlRefused as error:
            if error.status == 404:
                return None
            raise
        if record.state == "active" or record.end_reason == "failed":
            raise ControlRefused(500, "rollback_failed", record.error or "the fault is still active")
        return record
