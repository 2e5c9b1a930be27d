"""Network cut: a container of the stack is disconnected from its networks: it runs, and nobody reaches it."""

from __future__ import annotations

from faults.base import register
from faults.hosts import ContainerHost
from faults.outside import ContainerFault


@register
class NetworkCut(ContainerFault):
    """Takes the container out of its networks and puts it back at the end, under the names that it had."""

    kind = "network_cut"
    title = "Network cut"
    summary = "The container of a part is cut off from the others."

    async def act(self, host: ContainerHost) -> None:
        """Disconnect it."""
        await host.cut_off(self, self.parameters.part, self.ttl_s)
