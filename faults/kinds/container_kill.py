"""Container killed: a container of the stack is killed by the engine and stays down until the fault ends."""

from __future__ import annotations

from faults.base import register
from faults.hosts import ContainerHost
from faults.outside import ContainerFault


@register
class ContainerKill(ContainerFault):
    """Kills what runs in the container; the engine starts it again at the end, not before."""

    kind = "container_kill"
    title = "Container killed"
    summary = "The container of a part is killed, and stays down."
    restarts = True

    async def act(self, host: ContainerHost) -> None:
        """Kill it."""
        await host.take_down(self, self.parameters.part, self.ttl_s)
