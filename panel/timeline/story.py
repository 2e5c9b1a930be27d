"""What happened in a stretch of time: faults, and what the alarms did. No Streamlit."""

from __future__ import annotations

from dataclasses import dataclass

from faults.drills.report.signs import MarkStage
from panel.queries import Band

__all__ = ["Dot", "Mark", "MarkStage", "Story"]


@dataclass(frozen=True)
class Mark:
    """A moment at which an alert reached a stage. Unix seconds."""

    at: float
    alert: str
    stage: MarkStage


@dataclass(frozen=True)
class Dot:
    """A single measurement that leads to its trace: Prometheus's exemplar. ``value`` in the unit of its series."""

    at: float
    value: float
    trace_id: str


@dataclass(frozen=True)
class Story:
    """Everything that is drawn into every chart of ``[start, end]`` (Unix seconds)."""

    start: float
    end: float
    bands: tuple[Band, ...] = ()
    marks: tuple[Mark, ...] = ()

    def within(self, start: float, end: float) -> Story:
        """Return what of it lies in ``[start, end]``."""
        bands = (Band(b.kind, max(b.start, start), min(b.end, end)) for b in self.bands)
        marks = (mark for mark in self.marks if start <= mark.at <= end)
        return Story(start, end, tuple(band for band in bands if band.start < band.end), tuple(marks))
