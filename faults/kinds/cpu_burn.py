"""CPU burn: threads of this very process compute for nothing, in the way of those that serve."""

from __future__ import annotations

import asyncio
import hashlib
import math
import random
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import ClassVar, Literal

from pydantic import Field

from faults.base import Effect, Fault, Host, Parameters, Point, Preset, Target, register
from faults.errors import FaultUnavailable
from faults.hosts import ModelledHost, WorkerHost

TURN_S = 0.8
"""For which workers are held before predictions have their turn. All turns end together: were they staggered, there
would be a free worker every few milliseconds."""
PERIOD_S = 0.1
"""In which a thread burns its share and rests for what is left."""
_BLOCK = bytes(256 * 1024)


class CpuBurnParameters(Parameters):
    """Who burns, and what stands in the way of whom."""

    threads: int = Field(default=8, ge=1, le=64, description="Threads that burn.")
    share: float = Field(
        default=1.0, gt=0.0, le=1.0, description="Share of the time in which each of them burns, in periods of 0.1 s."
    )
    contends_for: Literal["interpreter", "processor", "workers"] = Field(
        default="interpreter",
        description="interpreter: Python's own lock, which every request needs too; processor: the cores alone; "
        "workers: the service's inference workers, each held for 0.8 s at a time.",
    )


@register
class CpuBurn(Fault[CpuBurnParameters]):
    """Starts real threads, and ends them within milliseconds when it is put out."""

    kind = "cpu_burn"
    title = "CPU burn"
    summary = "Threads of the service burn processor time that requests would need."
    parameters_type = CpuBurnParameters
    clock = "modelled"
    effect = Effect(
        promql='sum(rate(process_cpu_seconds_total{job="firedrill"}[1m]))',
        moves="up",
        meaning="cores that the service's process keeps busy",
        unit="1",
    )
    presets: ClassVar[Mapping[str, Preset]] = MappingProxyType(
        {
            "In everybody's way": Preset(parameters={"threads": 8}),
            "Workers held by something else": Preset(
                parameters={"threads": 16, "share": 0.05, "contends_for": "workers"}
            ),
            "One thread too many": Preset(parameters={"threads": 1}),
            "Half a core": Preset(parameters={"threads": 1, "share": 0.5, "contends_for": "processor"}),
            "Every core": Preset(parameters={"threads": 16, "contends_for": "processor"}),
        }
    )

    def __init__(self, parameters: CpuBurnParameters, target: Target, rng: random.Random) -> None:
        super().__init__(parameters, target, rng)
        self._out = threading.Event()
        self._threads: list[threading.Thread] = []
        self._holds: list[asyncio.Task[None]] = []

    def points(self, host: Host) -> frozenset[Point]:
        """Act as a whole; raise ``FaultUnavailable`` where there are no workers to hold."""
        if self.parameters.contends_for == "workers" and not (isinstance(host, WorkerHost) and host.workers):
            raise FaultUnavailable(self.kind, "contends_for workers needs a service with inference workers")
        return frozenset()

    async def apply(self, host: Host) -> None:
        """Start the threads, or have as many workers held."""
        if isinstance(host, ModelledHost):
            host.burn(self, self.parameters.threads * self.parameters.share, self.parameters.contends_for)
        if isinstance(host, WorkerHost) and self.parameters.contends_for == "workers":
            loop = asyncio.get_running_loop()
            self._holds = [loop.create_task(self._hold(host)) for _ in range(self.parameters.threads)]
            return
        if isinstance(host, ModelledHost):
            for _ in range(self.parameters.threads):
                self.acted()
            return
        work = _count if self.parameters.contends_for == "interpreter" else _digest
        for index in range(self.parameters.threads):
            thread = threading.Thread(
                target=_burn, args=(self._out, self.parameters.share, work), name=f"cpu-burn-{index}", daemon=True
            )
            self._threads.append(thread)
            thread.start()
            self.acted()

    async def _hold(self, host: WorkerHost) -> None:
        """Hold one worker, turn after turn."""
        while not self._out.is_set():
            self.acted()
            if isinstance(host, ModelledHost):
                await host.hold_worker(TURN_S)
            else:
                await host.run_in_worker(partial(_take_turn, self._out, self.parameters.share))

    async def rollback(self, host: Host) -> None:
        """End the threads, let the workers go, and wait for both."""
        self._out.set()
        if isinstance(host, ModelledHost):
            host.spare(self)
            for hold in self._holds:
                hold.cancel()
        await asyncio.gather(*self._holds, return_exceptions=True)
        self._holds = []
        while self._threads:
            await asyncio.to_thread(self._threads[-1].join)
            self._threads.pop()


def _take_turn(out: threading.Event, share: float) -> None:
    """Burn in a worker until the turn ends that is under way for all of them."""
    _burn(out, share, _count, (time.perf_counter() // TURN_S + 1.0) * TURN_S)


def _burn(out: threading.Event, share: float, work: Callable[[], None], until: float = math.inf) -> None:
    """Work for ``share`` of each period until ``out`` is set, or ``until`` by ``time.perf_counter``."""
    while not out.is_set() and (began := time.perf_counter()) < until:
        while time.perf_counter() < began + share * PERIOD_S and not out.is_set():
            work()
        if share < 1.0:
            out.wait(max(0.0, min((1.0 - share) * PERIOD_S, until - time.perf_counter())))


def _count() -> None:
    """Keep the interpreter busy for some tens of microseconds, its lock held."""
    number = 0
    for step in range(1000):
        number ^= step


def _digest() -> None:
    """Keep a core busy for some hundred microseconds, the interpreter's lock let go."""
    hashlib.sha256(_BLOCK)
