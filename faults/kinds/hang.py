"""Hang: the service's process is stopped from outside. It keeps its connections and answers nobody."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, Literal

from pydantic import Field

from faults.base import Fault, Host, Parameters, Point, Preset, register
from faults.hosts import ProcessHost
from faults.outside import SERVICE_UP, no_processes_because


class HangParameters(Parameters):
    """How many of the service's replicas."""

    replicas: Literal["all", "one"] = Field(
        default="all", description="all: each process that serves; one: one of them, drawn by the seed."
    )


@register
class Hang(Fault[HangParameters]):
    """Sends SIGSTOP, and SIGCONT at its end; should the conductor be gone by then, a guard process does."""

    kind = "hang"
    title = "Hang"
    summary = "The service's process stands still, its connections open."
    parameters_type = HangParameters
    clock = "modelled"
    place = "stack"
    effect = SERVICE_UP
    presets: ClassVar[Mapping[str, Preset]] = MappingProxyType(
        {
            "The whole service hangs": Preset(parameters={"replicas": "all"}),
            "One replica hangs": Preset(parameters={"replicas": "one"}),
        }
    )

    @classmethod
    def unavailable(cls, host: Host) -> str | None:
        """Say why no signal reaches the service."""
        return no_processes_because(host)

    def points(self, host: Host) -> frozenset[Point]:
        """Act as a whole."""
        return frozenset()

    async def apply(self, host: Host) -> None:
        """Stop the processes."""
        if not isinstance(host, ProcessHost):
            raise TypeError(host)
        there = host.service_processes()
        if there and self.parameters.replicas == "one":
            chosen = self.rng.choice(sorted(there))
            there = {chosen: there[chosen]}
        stopped = await host.stop(self, list(there.values()), self.ttl_s)
        if not stopped:
            raise ProcessLookupError("no process of the service runs, so that there is none to stop")
        for _ in range(stopped):
            self.acted()

    async def rollback(self, host: Host) -> None:
        """Let them go on."""
        if isinstance(host, ProcessHost):
            await host.go_on(self)
