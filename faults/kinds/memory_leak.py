"""Memory leak: the process really takes memory, page by page, up to a bound, and gives all of it back at the end."""

from __future__ import annotations

import asyncio
import contextlib
import mmap
import random
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from pydantic import Field

from faults.base import Effect, Fault, Host, Parameters, Point, Preset, Target, register
from faults.errors import FaultError
from faults.hosts import ModelledHost
from faults.memory import available_bytes

MIB = 1024 * 1024
STEP_S = 0.1
RESERVE_MIB = 512
"""What is always left to the machine."""
MOST_SHARE = 0.5
"""Of what was available when the leak began it takes this much at most."""
UNKNOWN_MIB = 256
"""The most that it takes where the system does not say how much is left."""


class NoMemoryToLeak(FaultError):  # noqa: N818 - reads as a fact where it is raised
    """The machine has too little memory for a leak to be harmless."""

    def __init__(self, available: int) -> None:
        super().__init__(f"only {available // MIB} MiB are available, and {RESERVE_MIB} MiB are left to the machine")


class MemoryLeakParameters(Parameters):
    """How fast the process grows, and how far."""

    mib_per_s: float = Field(default=16.0, ge=0.1, le=1024.0, description="Growth in MiB per second.")
    most_mib: int = Field(
        default=512,
        ge=1,
        le=16_384,
        description="Where it stops, in MiB; never beyond half of what is available, and 512 MiB are always left.",
    )


@register
class MemoryLeak(Fault[MemoryLeakParameters]):
    """Maps memory of its own and writes to every page of it, so that it counts as resident."""

    kind = "memory_leak"
    title = "Memory leak"
    summary = "The service needs more and more memory, up to a bound."
    parameters_type = MemoryLeakParameters
    clock = "modelled"
    effect = Effect(
        promql='max(process_resident_memory_bytes{job="firedrill"})',
        moves="up",
        meaning="memory of the service's process, in bytes",
        unit="1",
    )
    presets: ClassVar[Mapping[str, Preset]] = MappingProxyType(
        {
            "Half a gigabyte": Preset(parameters={"mib_per_s": 64, "most_mib": 512}),
            "Slow leak": Preset(parameters={"mib_per_s": 1, "most_mib": 512}),
            "Small step": Preset(parameters={"mib_per_s": 256, "most_mib": 64}),
        }
    )

    def __init__(self, parameters: MemoryLeakParameters, target: Target, rng: random.Random) -> None:
        super().__init__(parameters, target, rng)
        self._blocks: list[mmap.mmap] = []
        self._leaking: asyncio.Task[None] | None = None

    @classmethod
    def growth_s(cls, parameters: MemoryLeakParameters) -> float:
        """Return when it stops growing."""
        return parameters.most_mib / parameters.mib_per_s

    def points(self, host: Host) -> frozenset[Point]:
        """Act as a whole."""
        return frozenset()

    async def apply(self, host: Host) -> None:
        """Take the first pages now, and go on until the bound."""
        bound = bound_bytes(self.parameters.most_mib * MIB, _available(host))
        step = max(mmap.PAGESIZE, int(self.parameters.mib_per_s * MIB * STEP_S))
        left = bound - self._take(host, min(step, bound))
        self._leaking = asyncio.get_running_loop().create_task(self._leak(host, left, step))

    async def _leak(self, host: Host, left: int, step: int) -> None:
        while left > 0:
            await asyncio.sleep(STEP_S)
            available = _available(host)
            if available is not None and available < RESERVE_MIB * MIB + step:
                continue  # others need it now
            left -= self._take(host, min(step, left))

    def _take(self, host: Host, size: int) -> int:
        """Map ``size`` bytes, touch every page, and return ``size``; of a modelled host it is only said."""
        if isinstance(host, ModelledHost):
            host.take_memory(self, size)
            self.acted()
            return size
        block = mmap.mmap(-1, size)
        block[:: mmap.PAGESIZE] = b"\x01" * -(-size // mmap.PAGESIZE)
        self._blocks.append(block)
        self.acted()
        return size

    async def rollback(self, host: Host) -> None:
        """Stop growing and unmap everything: the memory goes back to the system at once."""
        if self._leaking is not None:
            self._leaking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._leaking
            self._leaking = None
        while self._blocks:
            self._blocks.pop().close()
        if isinstance(host, ModelledHost):
            host.give_back_memory(self)


def _available(host: Host) -> int | None:
    return host.available_bytes if isinstance(host, ModelledHost) else available_bytes()


def bound_bytes(asked: int, available: int | None) -> int:
    """Return how many bytes may be taken of ``asked`` while ``available`` are left; raise ``NoMemoryToLeak``."""
    if available is None:
        return min(asked, UNKNOWN_MIB * MIB)
    allowed = min(int(available * MOST_SHARE), available - RESERVE_MIB * MIB)
    if allowed < MIB:
        raise NoMemoryToLeak(available)
    return min(asked, allowed)
