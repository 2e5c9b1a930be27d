"""Micro-batching: what queues while a model is busy goes into its next call together; an idle model is called at once.

The batch grows with the load by itself (natural batching): no request waits for others unless a window is set. What the
event loop has at hand already is let in first, some turns of the loop long: under load many requests are a turn or two
away from joining, and a call that leaves with the first of them makes all the others wait for it.

Each request gets its own rows back, and its own error. Nothing here knows HTTP, metrics or spans; every wait is a
timer, a future or a turn of the event loop, so that it runs on a virtual one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from service import compute as kinds
from service.compute import Compute
from service.errors import WrongOutput
from service.models.base import Items, Output, Predictor

QUIET_TURNS = 2
"""Turns of the loop without a newcomer after which nobody is on the way: one reads the socket, the next joins."""
MOST_TURNS = 8
"""Turns of the loop that a call waits at most: beyond, a busy loop would hold it up for its own sake."""
Outcome = Output | Exception


@dataclass(frozen=True)
class BatchLimits:
    """How far requests are put together.

    ``rows`` is the most in one call (a single request may bring more and then goes alone); 1 turns batching off.
    ``window_s`` is how long an idle model waits for company, in seconds of the event loop; 0 waits for nobody.
    """

    rows: int = 64
    window_s: float = 0.0


@dataclass(slots=True, eq=False)
class Ticket:
    """One request's place: ``begun`` when the call that it is part of starts, ``outcome`` when that has ended.

    ``started`` is that start by the batcher's clock.
    """

    items: Items
    joined: float
    begun: asyncio.Future[None]
    outcome: asyncio.Future[Outcome]
    started: float = 0.0

    async def output(self) -> Output:
        """Wait for the output of this request's rows, or raise what the model raised for them."""
        outcome = await self.outcome
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


class Batcher:
    """The calls of one loaded model. It belongs to one event loop and has a task only while it has work."""

    def __init__(
        self,
        predict: Predictor,
        *,
        compute: Compute,
        slots: asyncio.Semaphore,
        lanes: int,
        limits: BatchLimits,
        now: Callable[[], float],
        on_batch: Callable[[int], None],
    ) -> None:
        """``slots`` bounds the calls of all models, ``lanes`` those of this one.

        ``now`` is read at each start; ``on_batch`` is told how many requests each call has.
        """
        self._predict, self._compute, self._slots, self._lanes = predict, compute, slots, lanes
        self._limits, self._now, self._on_batch = limits, now, on_batch
        self._waiting: dict[Ticket, None] = {}
        self._rows = self._joined = 0
        self._full: asyncio.Event | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def join(self, items: Items) -> Ticket:
        """Queue one request; whoever stops waiting for its ticket must ``leave``."""
        loop = asyncio.get_running_loop()
        ticket = Ticket(items, loop.time(), loop.create_future(), loop.create_future())
        self._waiting[ticket] = None
        self._rows += len(items)
        self._joined += 1
        if len(self._tasks) < self._lanes:
            task = loop.create_task(self._run())  # it starts after what else arrived in this turn of the loop
            self._tasks.add(task)
        elif self._full is not None and self._rows >= self._limits.rows:
            self._full.set()
        return ticket

    def leave(self, ticket: Ticket) -> None:
        """Drop a request that nobody waits for any more; harmless when it has its outcome."""
        if ticket in self._waiting:
            self._remove(ticket)
        ticket.outcome.cancel()

    async def _run(self) -> None:
        """Call the model until nobody waits."""
        try:
            while self._waiting:
                if self._limits.window_s > 0.0:
                    await self._company()
                if self._limits.rows > 1:
                    await self._at_hand()
                async with self._slots:
                    await self._call(self._take())
        finally:
            task = asyncio.current_task()
            if task is not None:
                self._tasks.discard(task)

    async def _at_hand(self) -> None:
        """Let the loop turn while each turn or two bring newcomers, they fit into one call, and it is not too long."""
        quiet, joined = 0, self._joined
        for _ in range(MOST_TURNS):
            if quiet == QUIET_TURNS or not 0 < self._rows < self._limits.rows:
                return
            await asyncio.sleep(0)
            quiet, joined = (quiet + 1 if self._joined == joined else 0), self._joined

    async def _company(self) -> None:
        """Wait until the oldest request has waited for the window or a call is full."""
        if self._rows >= self._limits.rows:
            return
        self._full = asyncio.Event()
        try:
            async with asyncio.timeout_at(next(iter(self._waiting)).joined + self._limits.window_s):
                await self._full.wait()
        except TimeoutError:
            pass
        finally:
            self._full = None

    def _take(self) -> list[Ticket]:
        """Take the oldest requests, as many as one call may have."""
        batch: list[Ticket] = []
        rows = 0
        for ticket in self._waiting:
            rows += len(ticket.items)
            if batch and rows > self._limits.rows:
                break
            batch.append(ticket)
        for ticket in batch:
            self._remove(ticket)
        return batch

    def _remove(self, ticket: Ticket) -> None:
        del self._waiting[ticket]
        self._rows -= len(ticket.items)

    async def _call(self, batch: Sequence[Ticket]) -> None:
        """Predict for ``batch`` in one call and hand out what came of it."""
        if not batch:
            return
        started = self._now()
        for ticket in batch:
            ticket.started = started
            if not ticket.begun.done():
                ticket.begun.set_result(None)
        self._on_batch(len(batch))
        work = partial(predict_together, self._predict, [ticket.items for ticket in batch])
        try:
            outcomes: Iterable[Outcome] = await self._compute.run(kinds.PREDICT, work)
        except Exception as error:  # noqa: BLE001 - the seam itself failed: each request says so
            outcomes = [error] * len(batch)
        for ticket, outcome in zip(batch, outcomes, strict=True):
            if not ticket.outcome.done():
                ticket.outcome.set_result(outcome)


def predict_together(predict: Predictor, requests: Sequence[Items]) -> list[Outcome]:
    """Return the outcome of each request from one call with the rows of all.

    Where that call fails each request is predicted alone, so that one which breaks the model fails alone.
    """
    if len(requests) > 1:
        counts = [len(items) for items in requests]
        with suppress(Exception):  # whose fault it is shows when each is alone
            return [*_cut(_checked(predict([row for items in requests for row in items]), sum(counts)), counts)]
    return [_alone(predict, items) for items in requests]


def _alone(predict: Predictor, items: Items) -> Outcome:
    try:
        return _checked(predict(items), len(items))
    except Exception as error:  # noqa: BLE001 - whatever the model raises is this request's outcome
        return error


def _checked(output: Output, rows: int) -> Output:
    """Return ``output`` if it has one entry a row; an answer must never carry another request's rows."""
    for part in (output.values, output.classes, output.confidence):
        if len(part) != rows and (part or part is output.values):
            raise WrongOutput(len(part), rows)
    return output


def _cut(output: Output, counts: Sequence[int]) -> Iterable[Output]:
    """Yield each request's part of ``output``."""
    end = 0
    for count in counts:
        start, end = end, end + count
        part = slice(start, end)
        yield Output(output.values[part], output.classes[part], output.confidence[part])
