"""Samples on the grid of a test: each at the first evaluation that saw it. Nothing is evaluated."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from faults.drills.export.notation import STALE, Slot
from faults.drills.virtual.recording import Labels, RecordedSeries

ALIGNED_S = 60.0
"""A test begins at a multiple of this, since the steps of a subquery do; else at one of its interval."""
JITTER_S = 0.005
"""By how much a scrape may be late and still count as on time."""


@dataclass(frozen=True)
class Grid:
    """The steps of a test: ``origin`` is Unix seconds of its time 0.

    ``halved``: samples lie half an interval before the evaluation that first sees them, and the steps are as short. No
    sample then lies on the edge of a window of whole intervals, which Prometheus 2 counts in and Prometheus 3 does not.
    """

    origin: float
    interval_s: float
    halved: bool = False

    @property
    def step_s(self) -> float:
        """From one slot to the next."""
        return self.interval_s / 2 if self.halved else self.interval_s

    def slots(self, series: RecordedSeries) -> list[Slot]:
        """Return what of ``series`` stands at each step, from time 0 on. Of two samples at one step the later stays."""
        slots: list[Slot] = []
        for time_ms, value, stale in zip(
            series.times_ms.tolist(), series.values.tolist(), series.stale().tolist(), strict=True
        ):
            scrape = math.ceil((time_ms / 1000 - self.origin - JITTER_S) / self.interval_s)
            slot = 2 * scrape - 1 if self.halved else scrape
            if slot >= 0:
                slots.extend([None] * (slot + 1 - len(slots)))
                slots[slot] = STALE if stale else value
        return slots


def grid_of(started_at: float, interval_s: float, *, halved: bool = False) -> Grid:
    """Return the grid of a test whose first sample was at ``started_at``; it has room for that when ``halved``."""
    aligned = ALIGNED_S if math.isclose(math.remainder(ALIGNED_S, interval_s), 0.0, abs_tol=1e-9) else interval_s
    origin = math.floor(started_at / aligned + 1e-9) * aligned
    return Grid(origin - aligned if halved else origin, interval_s, halved=halved)


def merged(series: Iterable[RecordedSeries], grid: Grid) -> dict[Labels, list[Slot]]:
    """Return the slots of all ``series`` by their labels, in their order; of the same labels only one is left."""
    found: dict[Labels, list[Slot]] = {}
    for one in series:
        slots = grid.slots(one)
        known = found.get(one.labels)
        if known is not None:
            length = max(len(known), len(slots))
            padded = [[*each, *[None] * (length - len(each))] for each in (known, slots)]
            slots = [old if new is None else new for old, new in zip(*padded, strict=True)]
        if any(slot is not None for slot in slots):
            found[one.labels] = slots
    return dict(sorted(found.items(), key=lambda item: (dict(item[0]).get("__name__", ""), item[0])))
