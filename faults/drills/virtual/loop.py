"""An event loop whose time jumps: where another would sleep until the next timer, it is that time at once.

It has no selector, no sockets and no threads. Everything in it runs in the order of its times, and at one time in the
order in which it was asked for. Much of what a request costs on asyncio's own loop is the loop: this one does no more
than that needs, and its handles are lists, which are made without a call of Python's.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context, copy_context
from heapq import heapify, heappop, heappush
from typing import Any, NoReturn, TypeVar, TypeVarTuple, Unpack, cast

from faults.drills.virtual.errors import NothingAhead, ThreadAsked

Arguments = TypeVarTuple("Arguments")
T = TypeVar("T")

RESOLUTION_S = 1e-9
"""Timers this close together fire in one turn."""
MOST_TIMERS = 1024
"""Timers that are kept before those that were cancelled are swept out; twice as many as are left, where these are more.
"""
_CALLBACK, _ARGUMENTS = 2, 3


class _Handle(list[Any]):
    """A callback that is due, or will be: its time, its place among those of that time, callback, arguments, context.

    It has what asyncio calls of its own handles.
    """

    __slots__ = ()

    def cancel(self) -> None:
        """Call nothing."""
        self[_CALLBACK], self[_ARGUMENTS] = None, ()

    def cancelled(self) -> bool:
        """Return whether it was cancelled."""
        return self[_CALLBACK] is None

    def when(self) -> float:
        """Return its time."""
        at: float = self[0]
        return at


class VirtualLoop(asyncio.BaseEventLoop):
    """An asyncio loop on a clock of its own, which starts at 0 seconds."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._ready: deque[_Handle] = deque()
        self._timers: list[_Handle] = []
        self._asked = 0
        self._most_timers = MOST_TIMERS
        self._task_factory: Callable[..., asyncio.Task[Any]] | None  # the base class's own, as the following two
        self._stopping: bool
        self._closed: bool

    def time(self) -> float:
        """Return the virtual time in seconds."""
        return self._now

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> NoReturn:  # type: ignore[override]
        """Refuse: a thread runs beside the virtual clock, and every timer would fire before it is done."""
        _ = executor, args
        raise ThreadAsked(getattr(func, "__qualname__", repr(func)))

    def create_task(
        self,
        coro: Generator[Any, None, T] | Coroutine[Any, Any, T],
        *,
        name: object = None,
        context: Context | None = None,
    ) -> asyncio.Task[T]:
        """Return a task that begins in the next turn."""
        factory = self._task_factory or _task
        task = factory(self, coro) if context is None else factory(self, coro, context=context)
        if name is not None:
            task.set_name(str(name))
        return task

    def call_soon(
        self, callback: Callable[[Unpack[Arguments]], object], *args: *Arguments, context: Context | None = None
    ) -> asyncio.Handle:
        """Have ``callback`` called in the next turn."""
        if self._closed:
            raise RuntimeError("Event loop is closed")
        handle = _Handle((0.0, 0, callback, args, copy_context() if context is None else context))
        self._ready.append(handle)
        return cast("asyncio.Handle", handle)

    def call_soon_threadsafe(
        self, callback: Callable[[Unpack[Arguments]], object], *args: *Arguments, context: Context | None = None
    ) -> asyncio.Handle:
        """Have ``callback`` called in the next turn; signal handlers ask this way, threads there are none."""
        return self.call_soon(callback, *args, context=context)

    def call_later(
        self,
        delay: float,
        callback: Callable[[Unpack[Arguments]], object],
        *args: *Arguments,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Have ``callback`` called ``delay`` seconds from now."""
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[Arguments]], object],
        *args: *Arguments,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Have ``callback`` called at ``when``; those of one time are called in the order of the asking."""
        if self._closed:
            raise RuntimeError("Event loop is closed")
        self._asked += 1
        timer = _Handle((when, self._asked, callback, args, copy_context() if context is None else context))
        heappush(self._timers, timer)
        if len(self._timers) > self._most_timers:
            self._sweep()
        return cast("asyncio.TimerHandle", timer)

    def _sweep(self) -> None:
        """Let go of the timers that were cancelled."""
        self._timers[:] = [one for one in self._timers if one[_CALLBACK] is not None]
        heapify(self._timers)
        self._most_timers = max(MOST_TIMERS, 2 * len(self._timers))

    def _jump(self) -> None:
        """Let it be the time of the next timer."""
        timers = self._timers
        while timers and timers[0][_CALLBACK] is None:
            heappop(timers)
        if not timers:
            raise NothingAhead(self._now)
        self._now = max(self._now, timers[0][0])

    def _run_once(self) -> None:
        """Do turn after turn until the loop shall stop: what is due now, or else what is next, at its time."""
        ready, timers = self._ready, self._timers
        while True:
            if not ready and not self._stopping:
                self._jump()
            due = self._now + RESOLUTION_S
            while timers and timers[0][0] < due:
                ready.append(heappop(timers))
            for _ in range(len(ready)):
                handle = ready.popleft()
                _, _, callback, args, context = handle
                if callback is None:
                    continue
                try:
                    context.run(callback, *args)
                except (SystemExit, KeyboardInterrupt):
                    raise
                except BaseException as error:  # noqa: BLE001 - as asyncio has it: the loop goes on
                    message = f"Exception in callback {callback!r}"
                    self.call_exception_handler({"message": message, "exception": error})
            if self._stopping:
                return

    def _process_events(self, event_list: list[NoReturn]) -> None:
        """Do nothing: there are no events from outside."""

    def _write_to_self(self) -> None:
        """Do nothing: the loop never sleeps, so that nobody has to wake it."""


async def wait(seconds: float) -> None:
    """Return ``seconds`` later, as ``asyncio.sleep`` does, with less ado."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[None] = asyncio.Future(loop=loop)
    timer = loop.call_at(loop.time() + seconds, _wake, future)
    try:
        await future
    except BaseException:
        timer.cancel()
        raise


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _task(loop: asyncio.AbstractEventLoop, work: Any, **options: Any) -> asyncio.Task[Any]:
    return asyncio.Task(work, loop=loop, **options)
