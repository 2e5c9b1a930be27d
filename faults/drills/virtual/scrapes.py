"""What Prometheus would have scraped of the service: samples at its times, ``up``, and what goes when the target goes.

A scrape acts on nothing but what faults make of it. What a slow one shows is as it was when the answer came, and its
samples bear that time: Prometheus dates them back to when it asked, but no evaluation sees them before they are there.
A scrape's sample count is the whole exposition's, however few series are kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Protocol

from faults.drills.virtual.columns import Columns, Job, Rows
from faults.drills.virtual.life import Life
from faults.drills.virtual.readings import Reading, Wanted
from faults.drills.virtual.target import Target
from faults.drills.virtual.timings import TRANSFER
from faults.middleware import HttpCall
from service import compute as kinds

PATH = "/metrics"
UP = "up"
DURATION, SAMPLES, KEPT, ADDED = (
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "scrape_samples_post_metric_relabeling",
    "scrape_series_added",
)
BAD_STATUS = 400
SLOW_S = 0.1
"""From here on a scrape is slow, and its samples are dated when they came."""


class Source(Protocol):
    """Reads the numbers of one life."""

    def read(self) -> Reading:
        """Return columns and values as they are now."""


class Sources:
    """The readings of the life that answers, made once for each."""

    def __init__(self, build: Callable[[Life, Wanted], Source], wanted: Wanted, *, count: bool) -> None:
        """``count``: whether the size of a whole exposition is wanted."""
        self._build, self._wanted, self._count = build, wanted, count
        self._life: Life | None = None
        self._source: Source | None = None
        self._whole: Source | None = None

    def read(self, life: Life) -> tuple[Reading, int]:
        """Return the wanted numbers of ``life``, and how many there are in all, 0 where that is not wanted."""
        if life is not self._life or self._source is None:
            self._life = life
            self._source = self._build(life, self._wanted)
            self._whole = self._build(life, lambda _name: True) if self._count else None
        return self._source.read(), len(self._whole.read()[0]) if self._whole is not None else 0


class Scraper:
    """One Prometheus's scrapes of the one target."""

    def __init__(
        self,
        target: Target,
        columns: Columns,
        sources: Sources,
        *,
        wanted: Wanted,
        timeout_s: float,
        others: Mapping[str, str],
    ) -> None:
        """``others``: jobs of the stack beside the service's, with their instances, which are always up."""
        self.rows = Rows()
        self._target, self._sources, self._timeout_s = target, sources, timeout_s
        self._up = columns.of(UP, {})
        self._reports = {name: columns.of(name, {}) for name in (DURATION, SAMPLES, KEPT, ADDED) if wanted(name)}
        self._others = [columns.of_stored(Job(name, instance).of(UP, {})) for name, instance in others.items()]
        self._before: frozenset[int] = frozenset()
        self._pending: set[asyncio.Task[None]] = set()

    def scrape(self, at_ms: int) -> None:
        """Scrape now, for the timestamp ``at_ms``; one that takes its time goes on beside everything else."""
        target, life = self._target, self._target.life
        if target.unreachable_because or life is None:
            self._failed(at_ms, 0.0)
        elif target.hangs or life.injector.acts_on_requests or life.turns.busy_for_s > 0.0:
            task = asyncio.create_task(self._patiently(at_ms))
            self._pending.add(task)
            task.add_done_callback(self._pending.discard)
        else:
            self._take(life, at_ms, life.seconds(kinds.RENDER) + life.seconds(TRANSFER))

    async def _patiently(self, at_ms: int) -> None:
        """Scrape a target that hangs, is busy, or is acted on; give up after the timeout."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        answered: asyncio.Future[bool | str] = loop.create_future()

        async def ask(life: Life) -> None:
            await asyncio.sleep(life.turns.busy_for_s)
            answer = await _acted_on(life)
            if self._target.hangs:
                await self._target.awake()
            if not answered.done():
                answered.set_result(answer)

        def broke_off(_task: asyncio.Task[None]) -> None:
            if not answered.done():
                answered.set_result(False)

        asking = self._target.serve(ask)
        asking.add_done_callback(broke_off)
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await answered
        except TimeoutError:
            asking.cancel()
            answer = False
        life = self._target.life
        took_s = loop.time() - began
        there_ms = at_ms + round(took_s * 1000) if took_s >= SLOW_S else at_ms
        if answer is False or life is None:
            self._failed(there_ms, took_s)
        elif answer is True:
            self._take(life, there_ms, took_s + life.seconds(kinds.RENDER) + life.seconds(TRANSFER))
        else:
            self._row(there_ms, ([], []), 0, up=1.0, took_s=took_s)

    def _take(self, life: Life, at_ms: int, took_s: float) -> None:
        if took_s > self._timeout_s:
            self._failed(at_ms, self._timeout_s)
            return
        reading, size = self._sources.read(life)
        self._row(at_ms, reading, size, up=1.0, took_s=took_s)

    def _failed(self, at_ms: int, took_s: float) -> None:
        self._row(at_ms, ([], []), 0, up=0.0, took_s=took_s)

    def _row(self, at_ms: int, reading: Reading, size: int, *, up: float, took_s: float) -> None:
        """Add the row of a scrape, with what Prometheus says of the scrape itself."""
        columns, values = list(reading[0]), list(reading[1])
        now = frozenset(columns)
        added = len(now - self._before) if self._before else size
        reports = {DURATION: took_s, SAMPLES: float(size), KEPT: float(size), ADDED: float(added)}
        self._before = now
        columns += [self._up, *self._others, *self._reports.values()]
        values += [up, *(1.0 for _ in self._others), *(reports[name] for name in self._reports)]
        self.rows.add(at_ms, columns, values)


async def _acted_on(life: Life) -> bool | str:
    """Let faults act on a scrape; say whether it brings the metrics, or ``"empty"`` where it brings none."""
    try:
        reply = await life.injector.request(HttpCall(PATH, ""))
    except Exception:  # noqa: BLE001 - whatever a fault raises is an answer 500
        return False
    if reply is None:
        return True
    if reply.status >= BAD_STATUS or reply.text is None:
        return False
    return "empty" if not reply.text.strip() else False  # no fault answers with an exposition that can be read
