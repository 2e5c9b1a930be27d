"""The injector: which faults burn, whom they hit, and that every one of them ends.

Probability, target, seed and time to live live here, so that a kind is only its effect. It attaches to an app through
``faults.middleware`` and, where the app offers them, through the seams ``stage``, ``inputs`` and ``load``. It belongs
to one event loop, takes its time and its randomness from outside, and never touches HTTP, metrics or traces itself.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from pydantic import JsonValue

from faults.active import ActiveFault
from faults.admission import admit, describe, draw_id
from faults.base import (
    CallInfo,
    EndReason,
    FaultKind,
    FaultRecord,
    FaultRequest,
    FeatureInfo,
    Host,
    Point,
    Reply,
    Rows,
    catalogue,
)
from faults.errors import BadFaultRequest, FaultNotApplied, FaultUnavailable, UnknownFault
from faults.host import BareHost

EXEMPT = frozenset({"/metrics", "/health", "/ready", "/docs", "/openapi.json"})
"""Paths that no request fault touches unless its target names the path itself."""
KEPT = 50
MAX_ACTIVE = 100
ROLLBACK_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Injection:
    """One act of one fault, as it is told to ``on_injection`` just before it acts."""

    fault_id: str
    kind: str
    point: Point
    parameters: Mapping[str, JsonValue]


class Injector:
    """The set of active faults of one process, and the last ``KEPT`` ended ones."""

    def __init__(
        self,
        host: Host | None = None,
        *,
        rng: random.Random | None = None,
        now: Callable[[], float] = time.time,
        exempt: frozenset[str] = EXEMPT,
        on_injection: Callable[[Injection], None] | None = None,
    ) -> None:
        """``rng`` draws ids and missing seeds; ``now`` gives Unix seconds; time to live runs on the event loop."""
        self._host = host or BareHost()
        self._rng = rng or random.Random()
        self._now = now
        self._exempt = exempt
        self._on_injection = on_injection
        self._active: dict[str, ActiveFault] = {}
        self._ended: deque[ActiveFault] = deque(maxlen=KEPT)
        self._unclean: dict[str, ActiveFault] = {}
        self._at: dict[str, tuple[ActiveFault, ...]] = {}
        self._applying: dict[str, asyncio.Task[None]] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._endings: dict[str, asyncio.Task[None]] = {}
        self._injections: Counter[str] = Counter()
        self._closed = False

    # -- what is asked and answered ------------------------------------------------------------------------------

    def kinds(self) -> tuple[FaultKind, ...]:
        """Return the catalogue as this process can offer it, by name."""
        return tuple(describe(kind, self._host) for _, kind in sorted(catalogue().items()))

    def records(self) -> tuple[FaultRecord, ...]:
        """Return the active faults, newest first, then those ended whose rollback failed or that are recent."""
        ended = {fault.id: fault for fault in (*self._ended, *self._unclean.values())}
        newest = sorted(ended.values(), key=lambda fault: fault.ended_at or 0.0, reverse=True)
        return tuple(fault.record() for fault in (*reversed(self._active.values()), *newest))

    def active(self) -> Mapping[str, int]:
        """Return how many faults of each kind are active now; kinds without one are absent."""
        return Counter(fault.fault.kind for fault in tuple(self._active.values()))  # a scrape may ask from a thread

    def injections(self) -> Mapping[str, int]:
        """Return how often each kind has acted since the start; kinds that never did are absent."""
        return MappingProxyType(self._injections)

    async def light(self, request: FaultRequest) -> FaultRecord:
        """Apply a fault; it ends by itself ``request.ttl_s`` seconds from now.

        Raises ``UnknownFaultKind``, ``BadFaultRequest``, ``FaultUnavailable``, or ``FaultNotApplied`` when it was
        taken back because it could not be brought about.
        """
        fault = self._prepare(request)
        loop = asyncio.get_running_loop()
        self._active[fault.id] = fault
        self._route()
        self._timers[fault.id] = loop.call_later(fault.ttl_s, self._end, fault, "expired")
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

    async def reset(self, reason: EndReason = "reset") -> tuple[FaultRecord, ...]:
        """End every fault, try failed rollbacks again, and return the records of both."""
        faults = (*self._active.values(), *self._unclean.values())
        await asyncio.gather(*(self._finish(fault, reason) for fault in faults))
        return tuple(fault.record() for fault in faults)

    async def close(self) -> None:
        """End every fault because the process ends; nothing is lit afterwards."""
        self._closed = True
        await self.reset("shutdown")

    # -- seams ---------------------------------------------------------------------------------------------------

    @property
    def acts_on_requests(self) -> bool:
        """Whether any active fault acts on HTTP requests."""
        return "request" in self._at

    async def request(self, call: CallInfo) -> Reply | None:
        """Let the active faults act on an HTTP request; return the answer to give in the app's place, if any."""
        exempt = call.endpoint in self._exempt
        for fault in self._at.get("request", ()):
            if exempt and fault.target.endpoint != call.endpoint:
                continue
            if fault.hits(call):
                self._count(fault, "request")
                if (reply := await fault.fault.on_request(call, fault.pause)) is not None:
                    return reply
        return None

    async def stage(self, stage: str, call: CallInfo) -> None:
        """Let the active faults act inside the stage ``stage`` of a prediction."""
        for fault in self._at.get(stage, ()):
            if fault.hits(call):
                self._count(fault, stage)  # type: ignore[arg-type]  # _at has no key that is not a Point
                await fault.fault.on_stage(stage, call, fault.pause)

    def inputs(self, call: CallInfo, rows: Rows, features: Sequence[FeatureInfo]) -> Rows:
        """Return the rows (n_rows x n_features) that the active faults leave of ``rows``."""
        for fault in self._at.get("inputs", ()):
            if fault.hits(call):
                self._count(fault, "inputs")
                rows = fault.fault.on_inputs(call, rows, features)
        return rows

    def load(self, model: str, directory: Path) -> Path:
        """Return the artifact folder that the active faults put in the place of ``directory``."""
        for fault in self._at.get("load", ()):
            if fault.hits_load(model):
                self._count(fault, "load")
                directory = fault.fault.on_load(model, directory)
        return directory

    # -- inside --------------------------------------------------------------------------------------------------

    def _prepare(self, request: FaultRequest) -> ActiveFault:
        if self._closed:
            raise FaultUnavailable(request.kind, "a process that is not shutting down")
        if len(self._active) >= MAX_ACTIVE:
            raise BadFaultRequest(request.kind, [f"{MAX_ACTIVE} faults are active; put some out first"])
        seed = self._rng.getrandbits(32) if request.seed is None else request.seed
        fault, points = admit(request, self._host, seed)
        return ActiveFault(
            id=self._id_of(request),
            fault=fault,
            target=request.target,
            probability=request.probability,
            ttl_s=request.ttl_s,
            seed=seed,
            points=points,
            started_at=self._now(),
        )

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

    def _route(self) -> None:
        faults = [fault for fault in self._active.values() if not fault.out.is_set()]
        points = {point for fault in faults for point in fault.points}
        self._at = {point: tuple(fault for fault in faults if point in fault.points) for point in points}

    def _count(self, fault: ActiveFault, point: Point) -> None:
        fault.injections += 1
        self._injections[fault.fault.kind] += 1
        if self._on_injection is not None:
            self._on_injection(Injection(fault.id, fault.fault.kind, point, fault.shown))

    async def _finish(self, fault: ActiveFault, reason: EndReason) -> None:
        """End ``fault`` and wait until it is taken back; nothing to do where that has happened and worked."""
        if fault.id in self._active or fault.id in self._unclean:
            await asyncio.shield(self._end(fault, reason))

    def _end(self, fault: ActiveFault, reason: EndReason) -> asyncio.Task[None]:
        """Stop ``fault`` from acting now, and return the task that takes it back; one at a time for each fault."""
        if (running := self._endings.get(fault.id)) is not None:
            return running
        fault.out.set()
        self._route()
        if (timer := self._timers.pop(fault.id, None)) is not None:
            timer.cancel()
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
