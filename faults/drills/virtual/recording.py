"""What was scraped of a virtual world: samples as Prometheus would have stored them. Plain values; nothing is run here.

Times of samples are Unix milliseconds. A series that is gone, or whose target is, ends in a stale marker: the NaN with
the bits 0x7ff0000000000002 (Prometheus, model/value/value.go), which must never pass through arithmetic.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faults.base import FaultRecord
from faults.drills.evidence import TraceEvidence
from faults.drills.virtual.scenario import Scenario
from faults.drills.wire import TrafficStatus

Labels = tuple[tuple[str, str], ...]
"""Sorted by name, ``__name__`` among them."""
STALE_BITS = 0x7FF0000000000002


@dataclass(frozen=True, eq=False)
class RecordedSeries:
    """One series: ``times_ms`` (int64, rising) and ``values`` (float64), both of shape (n_samples,)."""

    labels: Labels
    times_ms: NDArray[np.int64]
    values: NDArray[np.float64]

    def stale(self) -> NDArray[np.bool_]:
        """Return which of the samples are stale markers."""
        marks: NDArray[np.bool_] = self.values.view(np.uint64) == np.uint64(STALE_BITS)
        return marks


@dataclass(frozen=True)
class Scrapes:
    """What one scraper saw. It scraped at ``phase_s`` seconds after each multiple of the interval."""

    phase_s: float
    series: tuple[RecordedSeries, ...]


@dataclass(frozen=True)
class Recording:
    """Everything that came of one scenario. Times are Unix seconds of the virtual clock."""

    scenario: Scenario
    started_at: float
    """A multiple of the scrape interval, so that phases mean the same to scraper and judge."""
    ended_at: float
    fault_at: float | None
    """When the first fault was lit."""
    rollback_at: float | None
    """When the last fault had ended."""
    back_at: float | None
    """When a service that a fault had brought down answered again; ``None`` where it never was away."""
    faults: tuple[FaultRecord, ...]
    scrapes: tuple[Scrapes, ...]
    traffic: TrafficStatus
    """What was sent in all, and what became of it."""
    traces: tuple[TraceEvidence, ...] = ()
    notes: tuple[str, ...] = ()
    """What a reader has to know of how it was brought about, such as that a fault was modelled."""
