"""The stack as faults from outside see it: the conductor's own host. It passes on to processes and containers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from faults.base import Place
from faults.drills.containers import Containers, take_back
from faults.drills.guard import let_go_on
from faults.drills.leftovers import Leftovers, Stopped
from faults.drills.processes import ServiceProcesses
from stack.docker_engine import DockerError
from stack.endpoints import Endpoints
from stack.home import Home

RETRY_S = 3.0
_log = logging.getLogger(__name__)


class StackHost:
    """Acts on the processes and containers of the stack in ``home``."""

    def __init__(self, home: Home, endpoints: Endpoints) -> None:
        self._home = home
        self._leftovers = Leftovers(home.run / "leftovers")
        self._processes = ServiceProcesses(home, endpoints, self._leftovers)
        self._containers = Containers(home, endpoints, self._leftovers)

    async def look(self) -> None:
        """Find out anew what is in reach, at most now and then."""
        await self._containers.look()

    async def clean_up(self) -> None:
        """Take back what a conductor before this one has left; try again until nothing is left."""
        while True:
            left = False
            for note, leftover in self._leftovers.of_others():
                try:
                    if isinstance(leftover, Stopped):
                        let_go_on(leftover.processes)
                    else:
                        await asyncio.to_thread(take_back, leftover)
                except DockerError as error:
                    _log.warning("%s of %s is not taken back yet: %s", leftover.what, note.name, error)
                    left = True
                else:
                    self._leftovers.forget(note)
                    _log.info("took back what a conductor before this one had %s", leftover.what)
            if not left:
                return
            await asyncio.sleep(RETRY_S)

    # -- as a host -----------------------------------------------------------------------------------------------

    @property
    def place(self) -> Place:
        """Outside of the service."""
        return "stack"

    @property
    def models(self) -> tuple[str, ...]:
        """No models of its own."""
        return ()

    @property
    def scratch(self) -> Path:
        """A folder of the running stack."""
        return self._home.run / "scratch"

    async def reload_model(self, name: str) -> bool:  # noqa: ARG002 - the protocol's signature
        """Nothing to load."""
        return False

    async def unload_model(self, name: str) -> None:
        """Nothing to unload."""

    # -- processes -----------------------------------------------------------------------------------------------

    @property
    def no_processes_because(self) -> str | None:
        """Why no signal reaches the service from here."""
        return self._processes.unavailable_because

    def service_processes(self) -> Mapping[int, int]:
        """Return the id of the process of each replica that is there now."""
        return self._processes.running()

    def expect_ends(self, holder: object, within_s: float) -> None:
        """Have the supervisor start the service again however often it ends."""
        self._processes.expect_ends(holder, within_s)

    def kill(self, pid: int) -> bool:
        """End a process of the service."""
        return self._processes.kill(pid)

    async def stop(self, holder: object, pids: Sequence[int], within_s: float) -> int:
        """Stop processes of the service."""
        return await self._processes.stop(holder, pids, within_s)

    async def go_on(self, holder: object) -> None:
        """Let what was stopped go on."""
        await self._processes.go_on(holder)

    # -- containers ----------------------------------------------------------------------------------------------

    @property
    def no_containers_because(self) -> str | None:
        """Why no container can be acted on from here."""
        return self._containers.unavailable_because

    async def pause(self, holder: object, part: str, within_s: float) -> None:
        """Freeze a container."""
        await self._containers.change(holder, part, "paused", within_s)

    async def take_down(self, holder: object, part: str, within_s: float) -> None:
        """Kill a container."""
        await self._containers.change(holder, part, "killed", within_s)

    async def cut_off(self, holder: object, part: str, within_s: float) -> None:
        """Disconnect a container."""
        await self._containers.change(holder, part, "cut off", within_s)

    async def restore(self, holder: object) -> None:
        """Undo what was done to a container."""
        await self._containers.restore(holder)
