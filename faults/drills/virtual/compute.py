"""Where model work runs on a virtual clock: at once, its result kept back for as long as the work would have taken.

Predictions share workers as they do live; loads and expositions have their own. There are no threads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from faults.drills.virtual.recall import recalled
from service import compute as kinds

T = TypeVar("T")

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
            await asyncio.sleep(seconds)

    async def take(self) -> None:
        """Wait for a turn, and until it is over."""
        now = asyncio.get_running_loop().time()
        self._free_at = max(now, self._free_at) + self._seconds()
        await asyncio.sleep(self._free_at - now)


class VirtualCompute:
    """``Compute`` with as many workers as live, whose work takes ``seconds(kind)`` of the loop's time.

    Its result is heard of when the service's own loop comes to it, which is busy with ``turns``.
    """

    def __init__(self, workers: int, seconds: Callable[[str], float], turns: Turns) -> None:
        self._turns = turns
        self._predictions, self._rest = asyncio.Semaphore(workers), asyncio.Semaphore(OTHERS)
        self._seconds = seconds

    async def run(self, kind: str, function: Callable[[], T]) -> T:
        """Return ``function()`` once a worker has had its time for it; raise what it raises, then."""
        try:
            async with self._predictions if kind in {kinds.PREDICT, kinds.DECODE} else self._rest:
                try:
                    return recalled(function) if kind == kinds.LOAD else function()
                finally:
                    if kind != kinds.TRAIN:
                        await asyncio.sleep(self._seconds(kind))
        finally:
            await self._turns.idle()

    async def hold(self, until: Callable[[], float]) -> None:
        """Keep a worker of predictions, when its turn comes, until ``until()`` on the loop's clock, asked then."""
        async with self._predictions:
            await asyncio.sleep(max(0.0, until() - asyncio.get_running_loop().time()))
