"""Callers that go away while they wait: their work is dropped instead of being done for nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any

from starlette.types import Receive

from service.errors import CallerGone

WATCH_AFTER_S = 0.05
"""Who waits no longer than this is not watched: a quick answer pays for one timer."""


async def disconnected(receive: Receive) -> None:
    """Return when the client of a request, whose body has been read, has closed its connection."""
    while (await receive())["type"] != "http.disconnect":
        pass


class UntilGone:
    """Breaks its ``with`` block off with ``CallerGone`` once ``gone()`` returns; it is asked after ``WATCH_AFTER_S``.

    For the body of one task, which is not cancelled for any other reason by this.
    """

    __slots__ = ("_gone", "_left", "_task", "_timer", "_watching")

    def __init__(self, gone: Callable[[], Awaitable[None]] | None) -> None:
        self._gone, self._left = gone, False
        self._task: asyncio.Task[Any] | None = None
        self._watching: asyncio.Task[None] | None = None

    def __enter__(self) -> None:
        self._task = asyncio.current_task() if self._gone is not None else None
        if self._task is None:
            return
        self._timer = asyncio.get_running_loop().call_later(WATCH_AFTER_S, self._begin)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is None:
            return
        self._timer.cancel()
        if self._watching is not None:
            self._watching.cancel()
        if self._left and kind is asyncio.CancelledError and self._task.uncancel() == 0:
            raise CallerGone from None

    def _begin(self) -> None:
        self._watching = asyncio.get_running_loop().create_task(self._watch())

    async def _watch(self) -> None:
        if self._gone is not None and self._task is not None:
            await self._gone()
            self._left = True
            self._task.cancel()
