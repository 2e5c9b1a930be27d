"""The course of a scenario in a virtual world: lights what is due, puts out what has lasted, and the rest at the end.

Each fault goes to the injector of its place, with the dead man's switch and the heartbeats of a live conductor. It
watches no alerts and takes no samples.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from faults.base import FaultRecord, Place, catalogue
from faults.drills.heartbeat import EVERY_S, guarded
from faults.drills.schedule import Lighting
from faults.drills.virtual.clock import LoopClock
from faults.drills.virtual.errors import NotLit
from faults.drills.virtual.scenario import Scenario
from faults.drills.virtual.spans import Shelf
from faults.drills.virtual.target import Target
from faults.errors import FaultError
from faults.injector import Injector


@dataclass(frozen=True)
class PutOut:
    """A fault that the schedule puts out, in seconds after it began."""

    at_s: float
    place: Place
    fault_id: str


class VirtualConductor:
    """Goes through the schedule of one scenario once."""

    def __init__(
        self,
        scenario: Scenario,
        target: Target,
        clock: LoopClock,
        *,
        traffic: Injector,
        stack: Injector,
        shelf: Shelf | None = None,
    ) -> None:
        """``shelf`` is opened with the first fault: a report shows the traces from then on."""
        self._shelf = shelf
        self._scenario, self._target, self._clock = scenario, target, clock
        self._others: dict[Place, Injector] = {"traffic": traffic, "stack": stack}
        self._ids: dict[str, Place] = {}
        self._last: dict[str, FaultRecord] = {}
        self.fault_at: float | None = None

    async def perform(self) -> None:
        """Do everything that is due, each thing at its time, the last one ``burn_s`` after the beginning.

        Raises ``NotLit``.
        """
        loop = asyncio.get_running_loop()
        began = loop.time()
        ahead: list[Lighting] = sorted(self._scenario.schedule, key=lambda one: (one.at_s, one.step))
        to_put_out: list[PutOut] = []
        beating = asyncio.create_task(self._beat())
        try:
            while ahead or to_put_out:
                coming: list[Lighting | PutOut] = [*to_put_out[:1], *ahead[:1]]
                due = min(coming, key=lambda one: one.at_s)
                if due.at_s > self._scenario.burn_s:
                    break
                await asyncio.sleep(max(0.0, began + due.at_s - loop.time()))
                if isinstance(due, PutOut):
                    to_put_out.remove(due)
                    await self._put_out(due.place, due.fault_id)
                    continue
                ahead.remove(due)
                place, record = await self._light(due)
                if due.put_out_at_s is not None:
                    to_put_out.append(PutOut(due.put_out_at_s, place, record.id))
                    to_put_out.sort(key=lambda one: one.at_s)
            await asyncio.sleep(max(0.0, began + self._scenario.burn_s - loop.time()))
            for fault_id, place in reversed(self._ids.items()):
                await self._put_out(place, fault_id)
        finally:
            beating.cancel()

    def records(self) -> tuple[FaultRecord, ...]:
        """Return what is known of every fault that was lit, in the order in which they were."""
        for place in ("service", "traffic", "stack"):
            if (injector := self._injector(place)) is not None:
                self._last |= {record.id: record for record in injector.records()}
        self._last |= {record.id: record for record in self._target.lost}
        return tuple(self._last[fault_id] for fault_id in self._ids if fault_id in self._last)

    def _injector(self, place: Place) -> Injector | None:
        """Return who holds the faults of ``place``; ``None`` while it is the service and that is away."""
        if place != "service":
            return self._others[place]
        life = self._target.life
        return None if life is None or self._target.hangs else life.injector

    async def _light(self, lighting: Lighting) -> tuple[Place, FaultRecord]:
        if self._shelf is not None:
            self._shelf.open()
        request = lighting.request
        kind = catalogue().get(request.kind)
        place: Place = "service" if kind is None else kind.place
        injector = self._injector(place)
        if injector is None:
            raise NotLit(self._scenario.name, request.kind, "the service that it burns in does not answer")
        request = guarded(request.model_copy(update={"id": request.id or f"fault-{len(self._ids)}"}))
        light = injector.light(request)
        life = self._target.life
        try:
            record = await (life.run(light) if place == "service" and life is not None else light)
        except FaultError as error:
            raise NotLit(self._scenario.name, request.kind, str(error)) from error
        if self.fault_at is None:
            self.fault_at = record.started_at
        self._ids[record.id], self._last[record.id] = place, record
        return place, record

    async def _put_out(self, place: Place, fault_id: str) -> None:
        """Put a fault out; one that went down with the service is out already."""
        while (injector := self._injector(place)) is None:
            if any(record.id == fault_id for record in self._target.lost):
                return
            await asyncio.sleep(EVERY_S)
        if any(record.id == fault_id for record in injector.records()):
            self._last[fault_id] = await injector.put_out(fault_id)

    async def _beat(self) -> None:
        while True:
            for place in ("service", "traffic", "stack"):
                if (injector := self._injector(place)) is not None:
                    injector.heartbeat()
            await asyncio.sleep(EVERY_S)
