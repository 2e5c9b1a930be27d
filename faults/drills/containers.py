"""The containers of the stack, for faults that act on them: paused, killed, disconnected, and all of it taken back.

Each change is written down before it is made. The engine is asked in threads, and only where the service runs in a
container at all.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from faults.drills.leftovers import Changed, Leftovers
from stack import docker_faults
from stack.docker_engine import DockerError, EngineRefused, EngineUnavailable
from stack.docker_record import load_record
from stack.endpoints import HOST, Endpoints
from stack.home import Home

LOOK_EVERY_S = 15.0
NOT_IN_CONTAINERS = "the service is no container here; use crash or hang"
What = Literal["paused", "killed", "cut off"]


@dataclass(frozen=True)
class _Hold:
    change: Changed
    note: Path


class Containers:
    """The containers of the stack in one home."""

    def __init__(
        self, home: Home, endpoints: Endpoints, leftovers: Leftovers, *, now: Callable[[], float] = time.time
    ) -> None:
        self._home, self._endpoints, self._leftovers, self._now = home, endpoints, leftovers, now
        self._holds: dict[object, _Hold] = {}
        self._project = ""
        self._looked_at = float("-inf")
        self.unavailable_because: str | None = NOT_IN_CONTAINERS
        """Why no container can be acted on from here, as a clause; ``None`` where one can; as of the last look."""

    async def look(self) -> None:
        """See whether the engine is in reach, unless that was seen a moment ago."""
        if time.monotonic() - self._looked_at < LOOK_EVERY_S:
            return
        self._looked_at = time.monotonic()
        if self._endpoints.host("service") == HOST and load_record(self._home) is None:
            self.unavailable_because = NOT_IN_CONTAINERS
            return
        try:
            self._project = await asyncio.to_thread(docker_faults.own_project, self._home)
        except EngineUnavailable as error:
            self.unavailable_because = (
                f"the conductor reaches no Docker engine at {error.where} ({error.reason}); "
                "docs/docker.md says how to give it one"
            )
        except DockerError as error:
            self.unavailable_because = str(error)
        else:
            self.unavailable_because = None

    async def change(self, holder: object, part: str, what: What, within_s: float) -> None:
        """Do ``what`` to the container of ``part`` for ``holder``; raise ``EngineRefused`` or ``EngineUnavailable``.

        One fault at a time acts on a container: two could not be taken back one after the other.
        """
        if any((hold.change.part, hold.change.project) == (part, self._project) for hold in self._holds.values()):
            raise EngineRefused(f"act on {part}", "another fault acts on its container; put that out first")
        until = self._now() + within_s
        networks = await asyncio.to_thread(_networks, self._project, part)
        change = Changed(
            what=what,
            project=self._project,
            part=part,
            networks=networks if what == "cut off" else {},
            until=until,
        )
        self._holds[holder] = _Hold(change, self._leftovers.note(change))
        await asyncio.to_thread(bring_about, change)

    async def restore(self, holder: object) -> None:
        """Undo what was done for ``holder``; harmless when repeated. Raises what ``change`` raises."""
        hold = self._holds.get(holder)
        if hold is None:
            return
        await asyncio.to_thread(take_back, hold.change)
        self._leftovers.forget(hold.note)
        self._holds.pop(holder, None)


def _networks(project_name: str, part: str) -> dict[str, tuple[str, ...]]:
    with docker_faults.project_named(project_name) as project:
        return docker_faults.networks(project, part)


def bring_about(change: Changed) -> None:
    """Do ``change``; raise ``EngineRefused`` or ``EngineUnavailable``. Blocks."""
    with docker_faults.project_named(change.project) as project:
        if change.what == "paused":
            docker_faults.freeze(project, change.part)
        elif change.what == "killed":
            docker_faults.kill(project, change.part)
        else:
            docker_faults.disconnect(project, change.part, list(change.networks))


def take_back(change: Changed) -> None:
    """Undo ``change`` as far as it still stands; raise ``EngineRefused`` or ``EngineUnavailable``. Blocks."""
    with docker_faults.project_named(change.project) as project:
        if change.what == "paused":
            docker_faults.let_go_on(project, change.part)
        elif change.what == "killed":
            docker_faults.start(project, change.part)
        else:
            docker_faults.reconnect(project, change.part, change.networks)
