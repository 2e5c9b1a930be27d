"""What acts on the service of a virtual world from outside: signals and a container engine, both modelled.

The kinds of fault that ask for them run as they are; what a signal does is up to ``Target``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from faults.base import Place
from faults.drills.virtual.target import Target
from faults.traffic.generator import Generator

TRAFFIC = "traffic"


class OutsideHost:
    """The conductor's place: it serves no models and reaches the service's process and both containers."""

    no_processes_because: str | None = None
    no_containers_because: str | None = None

    def __init__(self, target: Target, generator: Generator, scratch: Path) -> None:
        self._target, self._generator, self._scratch = target, generator, scratch

    @property
    def place(self) -> Place:
        """The conductor."""
        return "stack"

    @property
    def models(self) -> tuple[str, ...]:
        """No models."""
        return ()

    @property
    def scratch(self) -> Path:
        """A folder of the world's own."""
        return self._scratch

    async def reload_model(self, name: str) -> bool:  # noqa: ARG002 - the protocol's signature
        """Nothing to load."""
        return False

    async def unload_model(self, name: str) -> None:
        """Nothing to unload."""

    # -- processes -----------------------------------------------------------------------------------------------

    def service_processes(self) -> Mapping[int, int]:
        """Return the process of the one replica, while there is one."""
        pid = self._target.pid
        return {} if pid is None else {0: pid}

    def expect_ends(self, holder: object, within_s: float) -> None:
        """Do nothing: the modelled supervisor never gives up."""

    def kill(self, pid: int) -> bool:
        """End the service's process; return whether it was there."""
        return pid == self._target.pid and self._target.kill()

    async def stop(self, holder: object, pids: Sequence[int], within_s: float) -> int:  # noqa: ARG002 - as above
        """Stop the service's process for ``holder``; the fault's own end lets it go on."""
        if self._target.pid not in pids:
            return 0
        self._target.stop(holder)
        return 1

    async def go_on(self, holder: object) -> None:
        """Let it go on."""
        self._target.go_on(holder)

    # -- containers ----------------------------------------------------------------------------------------------

    async def pause(self, holder: object, part: str, within_s: float) -> None:  # noqa: ARG002 - as above
        """Freeze the container of ``part``."""
        if not self._silenced(holder, part):
            self._target.stop(holder)

    async def take_down(self, holder: object, part: str, within_s: float) -> None:  # noqa: ARG002 - as above
        """Kill the container of ``part``; it stays down."""
        if not self._silenced(holder, part):
            self._target.take_down(holder)

    async def cut_off(self, holder: object, part: str, within_s: float) -> None:  # noqa: ARG002 - as above
        """Take the container of ``part`` off its networks."""
        if not self._silenced(holder, part):
            self._target.cut(holder)

    async def restore(self, holder: object) -> None:
        """Undo what was done for ``holder``."""
        self._generator.leave_alone(holder)
        self._target.go_on(holder)
        self._target.join(holder)
        self._target.bring_up(holder)

    def _silenced(self, holder: object, part: str) -> bool:
        """Have the traffic generator send nothing, where it is the part."""
        if part == TRAFFIC:
            self._generator.multiply(holder, 0.0)
        return part == TRAFFIC
