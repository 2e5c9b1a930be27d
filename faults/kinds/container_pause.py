"""Container paused: a container of the stack is frozen by the engine: it keeps its connections and answers nobody."""

from __future__ import annotations

from faults.base import register
from faults.hosts import ContainerHost
from faults.outside import ContainerFault


@register
class ContainerPause(ContainerFault):
    """Freezes every process in the container at once; the engine lets them go on at the end."""

    kind = "container_pause"
    title = "Container paused"
    summary = "The container of a part stands still, its connections open."

    async def act(self, host: ContainerHost) -> None:
        """Freeze it."""
        await host.pause(self, self.parameters.part, self.ttl_s)
