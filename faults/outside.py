"""What kinds of fault have in common that act on processes and containers from outside. It registers no kind itself."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, Literal

from pydantic import Field

from faults.base import Effect, Fault, Host, Parameters, Place, Point, Preset
from faults.hosts import ContainerHost, ProcessHost

SERVICE_UP = Effect(
    promql='min(up{job="firedrill"}) or vector(0)',
    moves="down",
    meaning="whether every process of the service answers Prometheus",
    unit="1",
)
ELSEWHERE = "it acts from outside of the service"


def no_processes_because(host: Host) -> str | None:
    """Return why no signal reaches the service from ``host``, as a clause; ``None`` where it does."""
    return host.no_processes_because if isinstance(host, ProcessHost) else ELSEWHERE


class ContainerParameters(Parameters):
    """Which container."""

    part: Literal["service", "traffic"] = Field(default="service", description="Whose container: a part of the stack.")


class ContainerFault(Fault[ContainerParameters]):
    """Does one thing to one container, which its host undoes at the end."""

    parameters_type = ContainerParameters
    clock = "modelled"
    place: ClassVar[Place] = "stack"
    effect = SERVICE_UP
    presets: ClassVar[Mapping[str, Preset]] = MappingProxyType(
        {
            "The service": Preset(parameters={"part": "service"}),
            "The traffic": Preset(parameters={"part": "traffic"}),
        }
    )

    @classmethod
    def unavailable(cls, host: Host) -> str | None:
        """Say why no container is in reach."""
        return host.no_containers_because if isinstance(host, ContainerHost) else ELSEWHERE

    def points(self, host: Host) -> frozenset[Point]:
        """Act as a whole."""
        return frozenset()

    async def apply(self, host: Host) -> None:
        """Act on the container."""
        if not isinstance(host, ContainerHost):
            raise TypeError(host)
        await self.act(host)
        self.acted()

    async def rollback(self, host: Host) -> None:
        """Undo it."""
        if isinstance(host, ContainerHost):
            await host.restore(self)

    @abstractmethod
    async def act(self, host: ContainerHost) -> None:
        """Do it, for at most ``ttl_s`` seconds."""
