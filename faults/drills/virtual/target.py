"""The service as the rest of a virtual world meets it: it answers, hangs, is gone, or cannot be reached.

Who supervises it starts it again when it was killed, as live: after a delay that doubles while it dies quickly. It
lights no fault and takes no sample.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Literal

from faults.base import FaultRecord
from faults.drills.virtual.life import Given, Life
from stack.units import RestartPolicy

State = Literal["starting", "serving", "gone"]
FIRST_PID = 1000


class Target:
    """The one service of a world, through all of its lives."""

    def __init__(self, given: Given, policy: RestartPolicy | None = None) -> None:
        self._given, self._policy = given, policy or RestartPolicy()
        self._loop = asyncio.get_running_loop()
        self._number = 0
        self._born = 0.0
        self._quick_deaths = 0
        self._life: Life | None = None
        self._starting: asyncio.Task[None] | None = None
        self._away: dict[object, None] = {}
        self._hung: set[object] = set()
        self._awake = asyncio.Event()
        self._awake.set()
        self._down: dict[object, None] = {}
        self.state: State = "gone"
        self.lost: list[FaultRecord] = []
        """What burned in lives that were killed, as it was then."""
        self.back_at: float | None = None
        """When it last answered again, Unix seconds."""
        self.on_killed: list[Callable[[], None]] = []

    # -- what it is now ------------------------------------------------------------------------------------------

    @property
    def life(self) -> Life | None:
        """Who answers; ``None`` while nobody does. One that hangs is there all the same."""
        return self._life if self.state == "serving" else None

    @property
    def pid(self) -> int | None:
        """The id of its process, which is there from its start on; ``None`` while there is none."""
        return None if self.state == "gone" else FIRST_PID + self._number

    @property
    def unreachable_because(self) -> str:
        """Why no connection comes about; empty where one does."""
        if self._away:
            return "no such host"
        return "" if self.state == "serving" else "Connection refused"

    @property
    def hangs(self) -> bool:
        """Whether it stands still."""
        return not self._awake.is_set()

    async def awake(self) -> None:
        """Return once it does not stand still."""
        await self._awake.wait()

    # -- its lives -----------------------------------------------------------------------------------------------

    async def begin(self) -> None:
        """Start it for the first time; return when it serves."""
        await self._start()

    def kill(self) -> bool:
        """Kill its process, as SIGKILL does; whoever supervises it starts it again. Say whether there was one."""
        if self.state == "gone":
            return False
        self._end()
        if not self._down:
            self._restart()
        return True

    def _end(self) -> None:
        lived_s = self._loop.time() - self._born
        quick = lived_s < self._policy.quick_s
        self._quick_deaths = min(self._quick_deaths + 1, self._policy.attempts - 1) if quick else 0
        self.state = "gone"
        if self._starting is not None:
            self._starting.cancel()
            self._starting = None
        if self._life is not None:
            now = self._given.clock.time()
            self.lost += [_lost(record, now) for record in self._life.injector.records()]
            self._life.end()
            self._life = None
        for tell in self.on_killed:
            tell()

    def _restart(self) -> None:
        self._number += 1
        self._starting = asyncio.create_task(self._start_later(self._policy.delay_s(self._quick_deaths)))

    async def _start_later(self, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        await self._start()

    async def _start(self) -> None:
        self._born, self.state = self._loop.time(), "starting"
        started_at = self._given.clock.time()
        await asyncio.sleep(self._given.timings.process.starts_in_s)
        life = Life(self._given, self._number)
        life.machine.started_at = started_at
        try:
            await life.start()
        except asyncio.CancelledError:
            life.end()
            raise
        self._life, self.state, self._starting = life, "serving", None
        if self._number:
            self.back_at = self._given.clock.time()

    # -- what is done to it --------------------------------------------------------------------------------------

    def stop(self, holder: object) -> None:
        """Have it stand still for ``holder``."""
        self._hung.add(holder)
        self._awake.clear()

    def go_on(self, holder: object) -> None:
        """Let it go on, unless somebody else wants it to stand still."""
        if holder in self._hung:
            self._hung.discard(holder)
            if not self._hung:
                self._awake.set()
                self.back_at = self._given.clock.time()

    def take_down(self, holder: object) -> None:
        """Kill it, and have it stay down until ``bring_up``."""
        self._down[holder] = None
        if self.state != "gone":
            self._end()
        elif self._starting is not None:
            self._starting.cancel()
            self._starting = None

    def bring_up(self, holder: object) -> None:
        """Let it be started again, unless somebody else keeps it down."""
        if holder in self._down:
            del self._down[holder]
            if not self._down and self.state == "gone" and self._starting is None:
                self._quick_deaths = 0
                self._restart()

    def cut(self, holder: object) -> None:
        """Take it off its networks for ``holder``."""
        self._away[holder] = None

    def join(self, holder: object) -> None:
        """Put it back."""
        if holder in self._away:
            del self._away[holder]
            if self._away:
                return
            self.back_at = self._given.clock.time()

    def serve(self, work: Callable[[Life], Coroutine[Any, Any, None]]) -> asyncio.Task[Any]:
        """Have the life of this moment do ``work``, once it is awake; raise ``LookupError`` where there is none."""
        life = self.life
        if life is None:
            raise LookupError("nobody serves")
        return life.run(self._once_awake(life, work) if self.hangs else work(life))

    async def _once_awake(self, life: Life, work: Callable[[Life], Coroutine[Any, Any, None]]) -> None:
        await self._awake.wait()
        await work(life)

    async def close(self) -> None:
        """End everything."""
        if self._starting is not None:
            self._starting.cancel()
            with suppress(asyncio.CancelledError):
                await self._starting
        if self._life is not None:
            self._life.end()


def _lost(record: FaultRecord, now: float) -> FaultRecord:
    """Return what is known of a fault whose process was killed."""
    if record.state == "ended":
        return record
    return record.model_copy(
        update={
            "state": "ended",
            "ended_at": now,
            "end_reason": "shutdown",
            "error": "the service that held it was killed",
        }
    )
