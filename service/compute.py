"""Where model work runs: in threads when live, inline on a virtual clock and in tests. Nothing else starts threads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

T = TypeVar("T")

PREDICT = "predict"
LOAD = "load"
TRAIN = "train"
DECODE = "decode"
RENDER = "render"


class Compute(Protocol):
    """Runs blocking work without blocking the event loop, as far as its kind of time allows."""

    async def run(self, kind: str, function: Callable[[], T]) -> T:
        """Return ``function()`` or raise what it raises; ``kind`` is one of the names above."""


class ThreadCompute:
    """Live compute: predictions in a pool of their own, so that a load or a scrape never stands in their way."""

    def __init__(self, workers: int) -> None:
        self._predictions = ThreadPoolExecutor(workers, "predict")
        self._rest = ThreadPoolExecutor(2, "compute")

    async def run(self, kind: str, function: Callable[[], T]) -> T:
        """Run ``function`` in a thread and await its result."""
        pool = self._predictions if kind in {PREDICT, DECODE} else self._rest
        return await asyncio.get_running_loop().run_in_executor(pool, function)

    def close(self) -> None:
        """Take no more work and wait for what is running."""
        self._predictions.shutdown(cancel_futures=True)
        self._rest.shutdown(cancel_futures=True)


class InlineCompute:
    """Compute without threads: the answer comes ``service_time_s(kind)`` seconds later by the loop's own clock."""

    def __init__(self, service_time_s: Callable[[str], float] | None = None) -> None:
        self._service_time_s = service_time_s

    async def run(self, kind: str, function: Callable[[], T]) -> T:
        """Run ``function`` at once, in the event loop, then wait out the service time."""
        result = function()
        if self._service_time_s is not None:
            await asyncio.sleep(self._service_time_s(kind))
        return result
