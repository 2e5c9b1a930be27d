"""The event loop of the live generator: asyncio's own, with timers that are right to microseconds.

epoll waits in whole milliseconds, so every timed start would come up to a millisecond late and count as latency. uvloop
rounds its clock to milliseconds as well.
"""

from __future__ import annotations

import asyncio
import select
import selectors
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

if sys.platform == "linux":

    class PreciseSelector(selectors.EpollSelector):
        """epoll that waits by ``select`` on the epoll descriptor itself, whose timeout is in microseconds."""

        def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
            """Wait for at most ``timeout`` seconds and return what is ready."""
            if timeout is not None and timeout > 0.0:
                select.select((self.fileno(),), (), (), timeout)
                timeout = 0.0
            return super().select(timeout)


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Return a fresh loop, precise where the platform can be."""
    return asyncio.SelectorEventLoop(PreciseSelector()) if sys.platform == "linux" else asyncio.new_event_loop()


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run ``main`` as ``asyncio.run`` does, on that loop."""
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(main)
