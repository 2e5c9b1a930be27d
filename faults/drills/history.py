"""Gives Prometheus a past for the time of a drill: samples of before the stack's own, as blocks in its folder.

Windows of hours and days then have something to look back on. Only gaps are filled, never beside a real sample, and
what was put there is taken away again, in exactly those spans. It goes by what Prometheus says of itself; where the
folder of its storage is not on this machine, there is no history.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel

from faults.drills.errors import HistoryFailed
from faults.drills.parts import History, HistorySeries
from stack.blocks import PastSeries, make_blocks, selector
from stack.clients.prometheus import PrometheusClient
from stack.clients.storage import FLAG, StorageClient
from stack.errors import SourceError, StackError
from stack.pace import Pace
from stack.rules.measures import counts_a_window

MOST_SAMPLES = 2_000_000
LOADED_WITHIN_S = 100.0
"""Prometheus looks for new blocks once a minute."""
TRIGGER = "firedrill_history_trigger"
"""A series of one sample, long ago. To take it away makes Prometheus look for new blocks at once."""
_TRIGGER_AGE_S = 25 * 86400.0
_GAP_INTERVALS = 5.0
_READY_EVERY_S = 2.0
_LABEL = re.compile(r'([A-Za-z_]\w*)="((?:[^"\\]|\\.)*)"')


class Span(BaseModel):
    """Samples of one series from ``start`` to ``end``, both included, Unix seconds."""

    labels: dict[str, str]
    start: float
    end: float


class Supplied(BaseModel):
    """What a drill puts into the storage, as its intent in the journal has it."""

    folder: str
    blocks: list[str]
    spans: list[Span]


def labels_of(series: str) -> Mapping[str, str]:
    """Return the labels of ``series`` as a drill file writes it, with its name as ``__name__``."""
    name, _, rest = series.partition("{")
    return {"__name__": name.strip(), **{key: re.sub(r"\\(.)", r"\1", text) for key, text in _LABEL.findall(rest)}}


def free_spans(start: float, end: float, taken: Sequence[float], interval_s: float) -> tuple[tuple[float, float], ...]:
    """Return the parts of ``start`` to ``end`` without samples; ``taken`` are the times of samples, sorted.

    A part keeps one interval away from the samples beside it; what is shorter than five intervals is no gap.
    """
    edges = [start - interval_s, *(at for at in taken if start <= at <= end), end + interval_s]
    gaps = ((left + interval_s, right - interval_s) for left, right in itertools.pairwise(edges))
    return tuple((left, right) for left, right in gaps if right - left >= (_GAP_INTERVALS - 2) * interval_s)


class Historian:
    """Puts history into the storage of the Prometheus of ``prometheus`` and takes it away. Its methods block."""

    def __init__(
        self, prometheus: PrometheusClient, pace: Pace, staging: Path, *, now: Callable[[], float] = time.time
    ) -> None:
        """``staging`` is a folder for what is not yet where Prometheus looks."""
        self._prometheus, self._pace, self._staging, self._now = prometheus, pace, staging, now
        self._storage = StorageClient(prometheus.url, timeout_s=30.0)

    def obstacle(self) -> str | None:
        """Return why this stack cannot be given a history; ``None`` where it can. Raises ``SourceError``."""
        flags = self._prometheus.flags()
        if flags.get("web.enable-admin-api") != "true":
            return f"Prometheus runs without {FLAG}, so that it could not be taken away again"
        folder = Path(flags.get("storage.tsdb.path", ""))
        if not (folder / "wal").is_dir() or not os.access(folder, os.W_OK):
            return f"the folder of Prometheus's storage ({folder}) cannot be written from here, as in containers"
        return None

    def prepare(self, history: History, name: str) -> Supplied:
        """Make the blocks of ``history``, put nowhere yet; raise ``HistoryFailed`` or ``StackError``."""
        obstacle = self.obstacle()
        if obstacle is not None:
            raise HistoryFailed(obstacle)
        now, interval_s = self._now(), self._pace.interval_s
        past: list[PastSeries] = []
        spans: list[Span] = []
        for one in history.series:
            labels = labels_of(one.series)
            start = now - self._pace.scale(one.since or history.covers)
            end = now - self._pace.scale(one.until)
            for left, right in free_spans(start, end, self._taken(labels, start, now), interval_s):
                points = [*self._points(one, start, left, right)]
                past.append(PastSeries(labels, points))
                spans.append(Span(labels=dict(labels), start=points[0][0], end=points[-1][0]))
        if sum(len(one.points) for one in past) > MOST_SAMPLES:
            raise HistoryFailed(f"it would be more than {MOST_SAMPLES:,} samples; cover less, or fewer series")
        past.sort(key=lambda one: (one.labels["__name__"], sorted(one.labels.items())))
        folder = Path(self._prometheus.flags()["storage.tsdb.path"])
        work = self._staging / name
        shutil.rmtree(work, ignore_errors=True)
        blocks = make_blocks(past, work) if past else ()
        return Supplied(folder=str(folder), blocks=[block.name for block in blocks], spans=spans)

    def _points(self, one: HistorySeries, origin: float, left: float, right: float) -> Iterator[tuple[float, float]]:
        interval_s = self._pace.interval_s
        value = one.value or 0.0
        if counts_a_window(labels_of(one.series)["__name__"]):
            value = self._pace.scale(value)
        for index in range(math.floor((right - left) / interval_s) + 1):
            at = round(left + index * interval_s, 3)
            yield at, value if one.per_second is None else one.per_second * (at - origin)

    def _taken(self, labels: Mapping[str, str], start: float, now: float) -> list[float]:
        """Return when exactly that series has samples since ``start``, sorted."""
        found = self._prometheus.raw(f"{selector(labels)}[{math.ceil(now - start) + 1}s]", now)
        return sorted(at for series in found if dict(series.labels) == dict(labels) for at, _ in series.points)

    def place(self, supplied: Supplied, name: str) -> None:
        """Move the blocks that ``prepare`` made to where Prometheus looks, and make it look."""
        for block in supplied.blocks:
            (self._staging / name / "blocks" / block).rename(Path(supplied.folder) / block)
        shutil.rmtree(self._staging / name, ignore_errors=True)
        self._look_now()

    def _look_now(self) -> None:
        now = self._now()
        self._storage.delete(TRIGGER, now - 2 * _TRIGGER_AGE_S, now)
        self._storage.clean()

    def loaded(self, supplied: Supplied) -> bool:
        """Return whether Prometheus shows what was supplied."""
        return all(self._taken(span.labels, span.end - 1.0, span.end + 0.5) for span in supplied.spans)

    def take_away(self, supplied: Supplied) -> str | None:
        """Take away what was supplied, as often as asked; return why it is still there, or ``None``."""
        try:
            for span in supplied.spans:
                self._storage.delete(self._exactly(span), span.start, span.end)
            self.arm()  # found when Prometheus looks, which it does while it cleans
            self._storage.clean()
            left = [block for block in supplied.blocks if (Path(supplied.folder) / block).is_dir()]
            for block in left:  # never read by Prometheus; or being rewritten just now, and then gone with the old one
                shutil.rmtree(Path(supplied.folder) / block, ignore_errors=True)
            there = [span for span in supplied.spans if self._taken(span.labels, span.start - 0.5, span.end + 0.5)]
        except StackError as error:
            return str(error)
        if there:
            return f"Prometheus still shows the synthetic history of {selector(there[0].labels)}"
        return None

    def _exactly(self, span: Span) -> str:
        """Return the selector of the series of ``span`` and of none that has more labels."""
        wide = f"{selector(span.labels)}[{math.ceil(span.end - span.start) + 1}s]"
        names = {name for series in self._prometheus.raw(wide, span.end + 0.5) for name in series.labels}
        return selector({**dict.fromkeys(names, ""), **span.labels})

    def arm(self) -> None:
        """Put a sample into the storage that can be taken away to make Prometheus look; at best once in a while."""
        try:
            if self.obstacle() is not None:
                return
            folder = Path(self._prometheus.flags()["storage.tsdb.path"])
            lay_trigger(folder, self._staging / "trigger", now=self._now())
        except (StackError, OSError):
            return  # then Prometheus looks within a minute


def lay_trigger(folder: Path, work: Path, *, now: float) -> None:
    """Put the sample that is there to be taken away into the storage in ``folder``; ``work`` is used meanwhile."""
    shutil.rmtree(work, ignore_errors=True)
    sample = PastSeries({"__name__": TRIGGER}, [(round(now - _TRIGGER_AGE_S, 3), 1.0)])
    for block in make_blocks([sample], work):
        block.rename(folder / block.name)
    shutil.rmtree(work, ignore_errors=True)


async def keep_armed(historian: Historian, prometheus: PrometheusClient) -> None:
    """Arm ``historian`` as soon as Prometheus answers."""
    while True:
        try:
            await asyncio.to_thread(prometheus.flags)
        except SourceError:
            await asyncio.sleep(_READY_EVERY_S)
            continue
        await asyncio.to_thread(historian.arm)
        return
