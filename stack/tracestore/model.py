"""A trace as the store hands it out: plain frozen records, free of protobuf, of SQL and of any wire format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Value = str | bool | int | float | bytes
"""An attribute's value. Arrays and maps are their JSON text, as in Jaeger."""

NO_SERVICE = "OTLPResourceNoServiceName"
"""What Jaeger calls a service that does not say its name."""

KINDS = ("", "internal", "server", "client", "producer", "consumer")
"""OTLP's span kinds by their number; empty for unspecified."""

STATUS_UNSET, STATUS_OK, STATUS_ERROR = range(3)


@dataclass(frozen=True, slots=True)
class Resource:
    """The process that made a span."""

    service: str
    attributes: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Scope:
    """The instrumentation library that made a span."""

    name: str
    version: str
    attributes: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened during a span. Time in nanoseconds since the epoch."""

    time_ns: int
    name: str
    attributes: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Link:
    """A reference from one span to another, possibly of another trace."""

    trace_id: bytes
    span_id: bytes
    attributes: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class StoredSpan:
    """One span. Times in nanoseconds since the epoch; ids are 16 and 8 bytes, ``parent_id`` empty for a root."""

    trace_id: bytes
    span_id: bytes
    parent_id: bytes
    name: str
    kind: int
    start_ns: int
    end_ns: int
    attributes: Mapping[str, Value]
    events: tuple[Event, ...]
    links: tuple[Link, ...]
    status: int
    status_message: str
    trace_state: str
    resource: Resource
    scope: Scope

    @property
    def duration_ns(self) -> int:
        """How long the span lasted; a span that ends before it starts lasted nothing."""
        return max(0, self.end_ns - self.start_ns)

    @property
    def failed(self) -> bool:
        """Whether the span says that it failed, by its status or by an ``error`` attribute."""
        return self.status == STATUS_ERROR or self.attributes.get("error") in {True, "true"}


@dataclass(frozen=True, slots=True)
class StoredTrace:
    """All spans of one trace that the store has, by start time. Never empty."""

    trace_id: bytes
    spans: tuple[StoredSpan, ...]

    @property
    def start_ns(self) -> int:
        """When the first span started."""
        return self.spans[0].start_ns

    @property
    def duration_ns(self) -> int:
        """From the first start to the last end."""
        return max(0, max(span.end_ns for span in self.spans) - self.start_ns)


@dataclass(frozen=True, slots=True)
class TraceQuery:
    """What a search asks for: ONE span must match all of it. Times and durations in nanoseconds, bounds inclusive."""

    service: str | None = None
    operation: str | None = None
    tags: tuple[tuple[str, str], ...] = ()
    start_ns: int | None = None
    end_ns: int | None = None
    shortest_ns: int | None = None
    longest_ns: int | None = None
    limit: int = 100


@dataclass(frozen=True, slots=True)
class Operation:
    """A span name of a service, with the kind of its spans."""

    name: str
    kind: str


def trace_id_text(trace_id: bytes) -> str:
    """Return a trace id as Jaeger prints it: 32 hex digits, or 16 when the upper half is zero."""
    text = trace_id.hex()
    return text[16:] if text.startswith("0" * 16) else text
