"""A trace as the trace client returns it, whichever API it came by: plain frozen records, times in seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class SpanEvent:
    """Something that happened during a span. Time in Unix seconds."""

    time: float
    name: str
    attributes: Mapping[str, str]


@dataclass(frozen=True)
class Span:
    """One span. ``start`` in Unix seconds; ``parent_id`` is ``None`` for a root; values of tags as text."""

    span_id: str
    parent_id: str | None
    operation: str
    service: str
    start: float
    duration_s: float
    tags: Mapping[str, str]
    events: tuple[SpanEvent, ...]
    error: bool


@dataclass(frozen=True)
class Trace:
    """A trace with its spans by start time."""

    trace_id: str
    spans: tuple[Span, ...]

    @property
    def start(self) -> float:
        """When the first span started, Unix seconds."""
        return min((span.start for span in self.spans), default=0.0)

    @property
    def duration_s(self) -> float:
        """From the first start to the last end, in seconds."""
        return max((span.start + span.duration_s for span in self.spans), default=0.0) - self.start

    @property
    def root(self) -> Span | None:
        """The first span without a parent, else the first; ``None`` for a trace without spans."""
        return next((span for span in self.spans if span.parent_id is None), next(iter(self.spans), None))

    @property
    def error(self) -> bool:
        """Whether any span failed."""
        return any(span.error for span in self.spans)


@dataclass(frozen=True)
class TraceLog:
    """A log record of a trace. Time in Unix seconds; ``span_id`` is empty where the record names no span."""

    time: float
    severity: str
    body: str
    span_id: str
    service: str
    attributes: Mapping[str, str]
