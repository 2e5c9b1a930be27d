"""The injector: which faults burn, and that every one of them ends.

Probability, target, seed and time to live live here, so that a kind is only its effect. It attaches to an app through
``faults.middleware`` and, where the app offers them, through the seams that it inherits (``faults.acts``). It offers
the kinds of its host's place alone, belongs to one event loop, takes its time and its randomness from outside, and
never touches HTTP, metrics or traces itself.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping

from faults.active import ActiveFault
from faults.acts import Acts, Injection
from faults.admission import admit, describe, draw_id
from faults.base import (
    EndReason,
    FaultKind,
    FaultRecord,
    FaultRequest,
    Host,
    catalogue,
)
from faults.deadman import DeadMan
from faults.errors import BadFaultRequest, FaultNotApplied, FaultUnavailable, UnknownFault
from faults.host import BareHost
from faults.limits import UNLIMITED, Limits

EXEMPT = frozenset({"/metrics", "/health", "/ready", "/docs", "/openapi.json"})
"""Paths that no request fault touches unless its target names the path itself."""
KEPT = 50
MAX_ACTIVE = 100
ROLLBACK_TIMEOUT_S = 30.0


class Injector(Acts):
    """The set of active faults of one process, and the last ``KEPT`` ended ones."""

    def __init__(
        self,
        host: Host | None = None,
        *,
        rng: random.Random | None = None,
        now: Callable[[], float] = time.time,
        exempt: frozenset[str] = EXEMPT,
        on_injection: Callable[[Injection], None] | None = None,
        limits: Limits = UNLIMITED,
    ) -> None:
        """``rng`` draws ids and missing seeds; ``now`` gives Unix seconds; time to live runs on the event loop."""
        super().__init__(exempt, on_injection)
        self._host = host or BareHost()
        self._rng = rng or random.Random()
        self._now = now
        self._limits = limits
        self._active: dict[str, ActiveFault] = {}
        self._ended: deque[ActiveFault] = deque(maxlen=KEPT)
        self._unclean: dict[str, ActiveFault] = {}
        self._applying: dict[str, asyncio.Task[None]] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._endings: dict[str, asyncio.Task[None]] = {}
        self._dead_man = DeadMan(lambda fault: self._end(fault, "abandoned"))
        self._closed = False

    # -- what is asked and answered ------------------------------------------------------------------------------

    def kinds(self) -> tuple[FaultKind, ...]:
        """Return the kinds of this process's place as it can offer them, by name."""
        return tuple(describe(catalogue()[name], self._host, self._limits) for name in self.names())

    def names(self) -> tuple[str, ...]:
        """Return the names of the kinds of this process's place."""
        place = self._host.place
        return tuple(name for name, kind in sorted(catalogue().items()) if kind.place == place)

    def records(self) -> tuple[FaultRecord, ...]:
        """Return the active faults, newest first, then those ended whose rollback failed or that are recent."""
        ended = {fault.id: fault for fault in (*self._ended, *self._unclean.values())}
        newest = sorted(ended.values(), key=lambda fault: fault.ended_at or 0.0, reverse=True)
        return tuple(fault.record() for fault in (*reversed(self._active.values()), *newest))

    def active(self) -> Mapping[str, int]:
        """Return how many faults of each kind are active now; kinds without one are absent."""
        return Counter(fault.fault.kind for fault in tuple(self._active.values()))  # a scrape may ask from a thread

    async def light(self, request: FaultRequest) -> FaultRecord:
        """Apply a fault; it ends by itself ``request.ttl_s`` seconds from now.

        Raises ``UnknownFaultKind``, ``BadFaultRequest``, ``FaultUnavailable``, or ``FaultNotApplied`` when it was
        taken back because it could not be brought about.
        """
        fault = self._prepare(request)
        loop = asyncio.get_running_loop()
        self._active[fault.id] = fault
        self._route(self._active.values())
        self._timers[fault.id] = loop.call_later(fault.ttl_s, self._end, fault, "expired")
        self._dead_man.watch(fault)
        applying = self._applying[fault.id] = loop.create_task(fault.fault.apply(self._host))
        try:
            await asyncio.wait({applying})
        except asyncio.CancelledError:
            fault.error = "whoever lit it went away before it was in place"
            await self._finish(fault, "failed")
            raise
        self._applying.pop(fault.id, None)
        if applying.cancelled():
            await self._finish(fault, "failed")
            raise FaultNotApplied(request.kind, "it was put out before it was in place")
        if (error := applying.exception()) is not None:
            fault.error = str(error) or type(error).__name__
            await self._finish(fault, "failed")
            raise FaultNotApplied(request.kind, fault.error) from error
        return fault.record()

    async def put_out(self, fault_id: str) -> FaultRecord:
        """End one fault; harmless when it has ended. A failed rollback is tried again. Raises ``UnknownFault``."""
        fault = self._find(fault_id)
        await self._finish(fault, "rolled_back")
        return fault.record()

    def heartbeat(self) -> int:
        """Hear from whoever keeps watch; return how many faults burn only as long as that goes on."""
        return self._dead_man.beat()

    async def reset(self, reason: EndReason = "reset") -> tuple[FaultRecord, ...]:
        """End every fault, try failed rollbacks again, and return the records of both."""
        faults = (*self._active.values(), *self._unclean.values())
        await asyncio.gather(*(self._finish(fault, reason) for fault in faults))
        return tuple(fault.record() for fault in faults)

    async def close(self) -> None:
        """End every fault because the process ends; nothing is lit afterwards."""
        self._closed = True
        await self.reset("shutdown")

    # -- inside --------------------------------------------------------------------------------------------------

    def _prepare(self, request: FaultRequest) -> ActiveFault:
        if self._closed:
            raise FaultUnavailable(request.kind, "it needs a process that is not shutting down")
        if len(self._active) >= MAX_ACTIVE:
            raise BadFaultRequest(request.kind, [f"{MAX_ACTIVE} faults are active; put some out first"])
        seed = self._rng.getrandbits(32) if request.seed is None else request.seed
        fault, points = admit(request, self._host, seed, self._limits)
        active = ActiveFault(
            id=self._id_of(request),
            fault=fault,
            target=request.target,
            probability=request.probability,
            ttl_s=request.ttl_s,
            seed=seed,
            points=points,
            started_at=self._now(),
            clock=asyncio.get_running_loop().time,
            ramp_s=request.ramp_s,
            dead_man_s=request.dead_man_s,
        )
        fault.acted = lambda: self._count(active, "host")
        fault.ttl_s = request.ttl_s
        return active

    def _id_of(self, request: FaultRequest) -> str:
        """Return the id that was asked for, else a drawn one; no known fault has it."""
        known = {fault.id for fault in (*self._active.values(), *self._unclean.values(), *self._ended)}
        if request.id in known:
            raise BadFaultRequest(request.kind, [f"id: there is a fault {request.id!r} already"])
        fault_id = request.id or draw_id(request.kind, self._rng)
        while fault_id in known:
            fault_id = draw_id(request.kind, self._rng)
        return fault_id

    def _find(self, fault_id: str) -> ActiveFault:
        for fault in (*self._active.values(), *self._unclean.values(), *self._ended):
            if fault.id == fault_id:
                return fault
        raise UnknownFault(fault_id)

    async def _finish(self, fault: ActiveFault, reason: EndReason) -> None:
        """End ``fault`` and wait until it is taken back; nothing to do where that has happened and worked."""
        if fault.id in self._active or fault.id in self._unclean:
            await asyncio.shield(self._end(fault, reason))

    def _end(self, fault: ActiveFault, reason: EndReason) -> asyncio.Task[None]:
        """Stop ``fault`` from acting now, and return the task that takes it back; one at a time for each fault."""
        if (running := self._endings.get(fault.id)) is not None:
            return running
        fault.out.set()
        self._route(self._active.values())
        if (timer := self._timers.pop(fault.id, None)) is not None:
            timer.cancel()
        self._dead_man.forget(fault)
        task = self._endings[fault.id] = asyncio.get_running_loop().create_task(self._take_back(fault, reason))
        return task

    async def _take_back(self, fault: ActiveFault, reason: EndReason) -> None:
        try:
            async with asyncio.timeout(ROLLBACK_TIMEOUT_S):
                if (applying := self._applying.pop(fault.id, None)) is not None and applying.cancel():
                    await asyncio.wait({applying})
                await fault.fault.rollback(self._host)
        except TimeoutError:
            failure: str | None = f"rollback did not finish within {ROLLBACK_TIMEOUT_S:g} s; reset tries again"
        except Exception as error:  # noqa: BLE001 - whatever a rollback raises belongs in the record
            failure = f"rollback failed: {error or type(error).__name__}; reset tries again"
        else:
            failure = None
        retried = self._unclean.pop(fault.id, None) is not None
        if failure is not None:
            self._unclean[fault.id] = fault
            fault.error, fault.end_reason = failure, "failed"
        else:
            fault.end_reason = reason
            if retried:
                fault.error = None
        fault.ended_at = fault.ended_at or self._now()
        if self._active.pop(fault.id, None) is not None:
            self._ended.append(fault)
        del self._endings[fault.id]
