"""Crash: the service's process is killed from outside, once or as often as it comes back."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, Literal

from pydantic import Field

from faults.base import Fault, Host, Parameters, Point, Preset, Target, register
from faults.hosts import ProcessHost
from faults.outside import SERVICE_UP, no_processes_because


class CrashParameters(Parameters):
    """How often, and how many of its replicas."""

    mode: Literal["loop", "once"] = Field(
        default="loop", description="loop: whenever it is there again, so that it cannot serve; once: a single time."
    )
    every_s: float = Field(
        default=0.5, ge=0.1, le=600.0, description="Seconds from one look for something to kill to the next, in a loop."
    )
    replicas: Literal["all", "one"] = Field(
        default="all", description="all: each process that serves; one: always the same of them, drawn by the seed."
    )


@register
class Crash(Fault[CrashParameters]):
    """Sends SIGKILL. Whoever supervises the service starts it again; while this burns, for as often as it takes."""

    kind = "crash"
    title = "Crash"
    summary = "The service's process is killed, again whenever it is back."
    parameters_type = CrashParameters
    clock = "modelled"
    place = "stack"
    restarts = True
    effect = SERVICE_UP
    presets: ClassVar[Mapping[str, Preset]] = MappingProxyType(
        {
            "Crash loop": Preset(parameters={"mode": "loop"}),
            "A single crash": Preset(parameters={"mode": "once"}),
            "Every ten seconds": Preset(parameters={"mode": "loop", "every_s": 10}),
            "One replica keeps crashing": Preset(parameters={"mode": "loop", "replicas": "one"}),
        }
    )

    def __init__(self, parameters: CrashParameters, target: Target, rng: random.Random) -> None:
        super().__init__(parameters, target, rng)
        self._killing: asyncio.Task[None] | None = None

    @classmethod
    def unavailable(cls, host: Host) -> str | None:
        """Say why no signal reaches the service."""
        return no_processes_because(host)

    def points(self, host: Host) -> frozenset[Point]:
        """Act as a whole."""
        return frozenset()

    async def apply(self, host: Host) -> None:
        """Kill it, and go on killing where that is asked for."""
        if not isinstance(host, ProcessHost):
            raise TypeError(host)
        there = host.service_processes()
        if not there:
            raise ProcessLookupError("no process of the service runs, so that there is none to kill")
        only = self.rng.choice(sorted(there)) if self.parameters.replicas == "one" else None
        host.expect_ends(self, self.ttl_s)
        self._kill(host, only)
        if self.parameters.mode == "loop":
            self._killing = asyncio.get_running_loop().create_task(self._go_on(host, only))

    async def rollback(self, host: Host) -> None:
        """Kill no more; the service comes back by itself."""
        if self._killing is not None:
            self._killing.cancel()
            await asyncio.wait({self._killing})
        if isinstance(host, ProcessHost):
            host.expect_ends(self, 0.0)

    async def _go_on(self, host: ProcessHost, only: int | None) -> None:
        while True:
            await asyncio.sleep(self.parameters.every_s)
            self._kill(host, only)

    def _kill(self, host: ProcessHost, only: int | None) -> None:
        for replica, pid in host.service_processes().items():
            if only in {None, replica} and host.kill(pid):
                self.acted()
