"""An event loop whose time jumps: where another would sleep until the next timer, it is that time at once.

It has no selector, no sockets and no threads. Everything in it runs in the order of its times, and at one time in the
order in which it was asked for. Half of what a request costs on asyncio's own loop is the loop: this one does no more
than that needs.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextvars import Context, copy_context
from heapq import heapify, heappop, heappush
from typing import Any, NoReturn, TypeVarTuple, Unpack

from faults.drills.virtual.errors import NothingAhead, ThreadAsked

Arguments = TypeVarTuple("Arguments")

RESOLUTION_S = 1e-9
"""Timers this close together fire in one turn."""
MOST_CANCELLED = 512
"""Cancelled timers that are left in the heap before it is swept."""


class _Handle(asyncio.Handle):
    """A callback that is due; without the source that asyncio's own would note in its debug mode."""

    __slots__ = ()

    def __init__(self, callback: Callable[..., object], args: Any, loop: VirtualLoop, context: Context | None) -> None:
        self._context = copy_context() if context is None else context
        self._loop = loop
        self._callback, self._args = callback, args
        self._cancelled, self._repr = False, None
        self._source_traceback = None

    def cancel(self) -> None:
        """Call nothing."""
        self._cancelled = True
        self._args = ()


class _Timer(asyncio.TimerHandle):
    """A callback with its time."""

    __slots__ = ()

    def __init__(
        self, when: float, callback: Callable[..., object], args: Any, loop: VirtualLoop, context: Context | None
    ) -> None:
        self._context = copy_context() if context is None else context
        self._loop = loop
        self._callback, self._args = callback, args
        self._cancelled, self._repr = False, None
        self._source_traceback = None
        self._when, self._scheduled = when, True

    def cancel(self) -> None:
        """Call nothing."""
        if not self._cancelled:
            if self._scheduled:
                self._loop._timer_handle_cancelled(self)  # noqa: SLF001 - its own loop
            self._cancelled = True
            self._args = ()


class VirtualLoop(asyncio.BaseEventLoop):
    """An asyncio loop on a clock of its own, which starts at 0 seconds."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._ready: deque[asyncio.Handle] = deque()
        self._timers: list[tuple[float, int, _Timer]] = []
        self._asked = self._cancelled = 0
        self._stopping: bool  # the base class's own

    def time(self) -> float:
        """Return the virtual time in seconds."""
        return self._now

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> NoReturn:  # type: ignore[override]
        """Refuse: a thread runs beside the virtual clock, and every timer would fire before it is done."""
        _ = executor, args
        raise ThreadAsked(getattr(func, "__qualname__", repr(func)))

    def call_soon(
        self, callback: Callable[[Unpack[Arguments]], object], *args: *Arguments, context: Context | None = None
    ) -> asyncio.Handle:
        """Have ``callback`` called in the next turn."""
        if self.is_closed():
            raise RuntimeError("Event loop is closed")
        handle = _Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

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
        if self.is_closed():
            raise RuntimeError("Event loop is closed")
        timer = _Timer(when, callback, args, self, context)
        self._asked += 1
        heappush(self._timers, (when, self._asked, timer))
        return timer

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:  # noqa: ARG002 - asyncio calls it so
        """Count a timer that was cancelled, and sweep them out when they are many."""
        self._cancelled += 1
        if self._cancelled > MOST_CANCELLED and 2 * self._cancelled > len(self._timers):
            self._timers = [one for one in self._timers if not one[2].cancelled()]
            heapify(self._timers)
            self._cancelled = 0

    def _run_once(self) -> None:
        """Do one turn: what is due now, or else what is next, at its time."""
        ready, timers = self._ready, self._timers
        if not ready and not self._stopping:
            while timers and timers[0][2].cancelled():
                heappop(timers)
                self._cancelled -= 1
            if not timers:
                raise NothingAhead(self._now)
            self._now = max(self._now, timers[0][0])
        due = self._now + RESOLUTION_S
        while timers and timers[0][0] < due:
            timer = heappop(timers)[2]
            timer._scheduled = False  # noqa: SLF001 - so that cancelling it is not counted any more
            if timer.cancelled():
                self._cancelled -= 1
            else:
                ready.append(timer)
        for _ in range(len(ready)):
            handle: Any = ready.popleft()
            if handle._cancelled:  # noqa: SLF001 - asyncio's own fields, read as its own loop does
                continue
            try:
                handle._context.run(handle._callback, *handle._args)  # noqa: SLF001 - as above
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as error:  # noqa: BLE001 - as asyncio has it: the loop goes on
                message = f"Exception in callback {handle!r}"
                self.call_exception_handler({"message": message, "exception": error, "handle": handle})

    def _process_events(self, event_list: list[NoReturn]) -> None:
        """Do nothing: there are no events from outside."""

    def _write_to_self(self) -> None:
        """Do nothing: the loop never sleeps, so that nobody has to wake it."""
