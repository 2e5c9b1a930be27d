"""Where model work runs on a virtual clock: at once, its result kept back for as long as the work would have taken.

Predictions share workers as they do live; loads and expositions have their own. There are no threads.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TypeVar

from faults.drills.virtual.loop import wait
from faults.drills.virtual.recall import recalled
from service import compute as kinds

T = TypeVar("T")

_PREDICTIONS = frozenset({kinds.PREDICT, kinds.DECODE})
OTHERS = 2
"""Workers of everything but predictions, as ``ThreadCompute`` has them."""


class Turns:
    """The service's own event loop: one request at a time, each for ``seconds()``; who comes meanwhile waits."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds, self._free_at = seconds, 0.0

    @property
    def busy_for_s(self) -> float:
        """For how long those who are there already keep it busy."""
        return max(0.0, self._free_at - asyncio.get_running_loop().time())

    async def idle(self) -> None:
        """Wait until all who are there by now have had their turns."""
        if (seconds := self.busy_for_s) > 0.0:
            await wait(seconds)

    async def take(self) -> None:
        """Wait for a turn, and until it is over."""
        now = asyncio.get_running_loop().time()
        self._free_at = max(now, self._free_at) + self._seconds()
        await wait(self._free_at - now)


class Places:
    """So many at once; who comes when all are taken waits, first come, first served. Not a coroutine a time."""

    def __init__(self, number: int) -> None:
        self._free = number
        self._waiting: deque[asyncio.Future[None]] = deque()

    def take(self) -> bool:
        """Take a place and return True, or return False where there is none."""
        if self._free <= 0:
            return False
        self._free -= 1
        return True

    async def come(self) -> None:
        """Take a place, when there is one."""
        if self.take():
            return
        coming: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(coming)
        try:
            await coming
        except asyncio.CancelledError:
            if coming.done() and not coming.cancelled():  # it had just been given one
                self.leave()
            raise

    def leave(self) -> None:
        """Give a place back, to who has waited the longest."""
        while self._waiting:
            first = self._waiting.popleft()
            if not first.done():
                first.set_result(None)
                return
        self._free += 1


class VirtualCompute:
    """``Compute`` with as many workers as live, whose work takes ``seconds(kind)`` of the loop's time.

    Its result is heard of when the service's own loop comes to it, which is busy with ``turns``.
    """

    def __init__(self, workers: int, seconds: Callable[[str], float], turns: Turns) -> None:
        self._turns = turns
        self._predictions, self._rest = Places(workers), Places(OTHERS)
        self._seconds = seconds

    async def run(self, kind: str, function: Callable[[], T]) -> T:
        """Return ``function()`` once a worker has had its time for it; raise what it raises, then."""
        workers = self._predictions if kind in _PREDICTIONS else self._rest
        try:
            if not workers.take():
                await workers.come()
            try:
                return recalled(function) if kind == kinds.LOAD else function()
            finally:
                try:
                    if kind != kinds.TRAIN:
                        await wait(self._seconds(kind))
                finally:
                    workers.leave()
        finally:
            if self._turns.busy_for_s > 0.0:
                await self._turns.idle()

    async def hold(self, until: Callable[[], float]) -> None:
        """Keep a worker of predictions, when its turn comes, until ``until()`` on the loop's clock, asked then."""
        await self._predictions.come()
        try:
            await asyncio.sleep(max(0.0, until() - asyncio.get_running_loop().time()))
        finally:
            self._predictions.leave()
