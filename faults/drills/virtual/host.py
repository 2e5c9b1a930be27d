"""The service of a virtual world as the faults see it: the real one's host, with a modelled machine beneath it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from pathlib import Path

from faults.drills.virtual.compute import VirtualCompute
from faults.drills.virtual.machine import Machine
from faults.service_host import ServiceHost

NEARLY = 1e-6
"""Of a period: a time this close to a multiple is that multiple, or rounding would make the next one no later."""


class VirtualServiceHost(ServiceHost):
    """One start of the service; memory and processor are those of ``machine``."""

    def __init__(self, scratch: Path, machine: Machine, compute: VirtualCompute) -> None:
        super().__init__(scratch, exports_spans=True)
        self._machine, self._own_compute = machine, compute

    @property
    def available_bytes(self) -> int:
        """How much memory is left."""
        return self._machine.available_bytes

    def take_memory(self, holder: object, size: int) -> None:
        """Grow by ``size`` bytes for ``holder``."""
        self._machine.take_memory(holder, size)

    def give_back_memory(self, holder: object) -> None:
        """Give back what was taken for ``holder``."""
        self._machine.give_back_memory(holder)

    def burn(self, holder: object, threads: float, contends_for: str) -> None:
        """Have threads burn for ``holder``."""
        self._machine.burn(holder, threads, contends_for)

    def spare(self, holder: object) -> None:
        """End what burns for ``holder``."""
        self._machine.spare(holder)

    async def hold_worker(self, period_s: float) -> None:
        """Keep a worker, when its turn comes, until the next whole multiple of ``period_s``."""
        await self._own_compute.hold(next_multiple(period_s))

    async def run_in_worker(self, work: Callable[[], None]) -> None:
        """Refuse real work: it would take real time and none of the virtual."""
        _ = work
        raise NotImplementedError("a modelled host is asked for hold_worker")


def next_multiple(period_s: float) -> Callable[[], float]:
    """Return what says, when asked, which is the next whole multiple of ``period_s`` on the running loop's clock."""
    return lambda: (math.floor(asyncio.get_running_loop().time() / period_s + NEARLY) + 1) * period_s
