"""Callers that go away while they wait: their work is dropped instead of being done for nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from starlette.types import Receive

from service.errors import CallerGone

WATCH_AFTER_S = 0.05
"""Who waits no longer than this is not watched: a quick answer pays for one timer."""


async def disconnected(receive: Receive) -> None:
    """Return when the client of a request, whose body has been read, has closed its connection."""
    while (await receive())["type"] != "http.disconnect":
        pass


@contextmanager
def until_gone(gone: Callable[[], Awaitable[None]] | None) -> Iterator[None]:
    """Break the block off with ``CallerGone`` once ``gone()`` returns; it is asked after ``WATCH_AFTER_S`` seconds.

    For the body of one task, which is not cancelled for any other reason by this.
    """
    task = asyncio.current_task()
    if gone is None or task is None:
        yield
        return
    loop = asyncio.get_running_loop()
    watching: list[asyncio.Task[None]] = []
    left = False

    async def watch() -> None:
        nonlocal left
        await gone()
        left = True
        task.cancel()

    timer = loop.call_later(WATCH_AFTER_S, lambda: watching.append(loop.create_task(watch())))
    try:
        yield
    except asyncio.CancelledError:
        if not left or task.uncancel() > 0:
            raise
        raise CallerGone from None
    finally:
        timer.cancel()
        for each in watching:
            each.cancel()
