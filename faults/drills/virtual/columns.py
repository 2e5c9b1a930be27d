"""The table that all scrapers of a world write to: which series there are, and each scrape as a row of values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from faults.drills.virtual.recording import STALE_BITS, Labels, RecordedSeries

EXPORTED = "exported_"


@dataclass(frozen=True)
class Job:
    """What Prometheus adds to the labels of a target's samples."""

    name: str
    instance: str
    labels: Mapping[str, str] = field(default_factory=dict)

    def of(self, metric: str, labels: Mapping[str, str]) -> Labels:
        """Return the labels of a series as they are stored.

        A label of the target's own name gives way (``exported_``), an empty one is none.
        """
        added = {**self.labels, "job": self.name, "instance": self.instance}
        stored = {(EXPORTED + name if name in added else name): value for name, value in labels.items() if value}
        return tuple(sorted({"__name__": metric, **stored, **added}.items()))


class Columns:
    """Gives each series a column, the same for every scraper and for every life of the target."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._known: dict[Labels, int] = {}

    def of(self, metric: str, labels: Mapping[str, str]) -> int:
        """Return the column of a series of the target."""
        return self.of_stored(self._job.of(metric, labels))

    def of_stored(self, labels: Labels) -> int:
        """Return the column of a series by all of its labels."""
        return self._known.setdefault(labels, len(self._known))

    @property
    def labels(self) -> Sequence[Labels]:
        """The series by column."""
        return tuple(self._known)


class Rows:
    """The scrapes of one scraper, in their order. What is not in a row that was in the one before went stale."""

    def __init__(self) -> None:
        self._times_ms: list[int] = []
        self._columns: list[Sequence[int]] = []
        self._values: list[NDArray[np.float64]] = []

    def add(self, time_ms: int, columns: Sequence[int], values: Sequence[float]) -> None:
        """Add a scrape."""
        self._times_ms.append(time_ms)
        self._columns.append(columns)
        self._values.append(np.array(values, dtype=np.float64))

    def series(self, columns: Columns) -> tuple[RecordedSeries, ...]:
        """Return what was scraped as series with stale markers, by labels."""
        labels = columns.labels
        shape = (len(self._times_ms), len(labels))
        values = np.zeros(shape)
        there = np.zeros(shape, dtype=np.bool_)
        for row, (places, found) in enumerate(zip(self._columns, self._values, strict=True)):
            values[row, places] = found
            there[row, places] = True
        gone = np.zeros(shape, dtype=np.bool_)
        gone[1:] = there[:-1] & ~there[1:]
        values[gone] = np.array([STALE_BITS], dtype=np.uint64).view(np.float64)[0]
        kept = there | gone
        times_ms = np.array(self._times_ms, dtype=np.int64)
        order = sorted(range(len(labels)), key=labels.__getitem__)
        return tuple(
            RecordedSeries(labels[column], times_ms[kept[:, column]], values[kept[:, column], column].copy())
            for column in order
            if there[:, column].any()
        )
