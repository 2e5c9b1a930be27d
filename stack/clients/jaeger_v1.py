"""The JSON of Jaeger's v1 query API, as far as it is read here, and traces out of it. Unknown keys are ignored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pydantic import BaseModel, Field

from stack.clients.traces import Span, SpanEvent, Trace, TraceLog


class Tag(BaseModel):
    """A typed tag."""

    key: str
    value: str | bool | int | float | None = None


class Problem(BaseModel):
    """One error of the envelope."""

    msg: str = ""


class Answer(BaseModel):
    """What is around every answer."""

    errors: list[Problem] | None = None


class Names(Answer):
    """Services or operations."""

    data: list[str] | None = None


class RawReference(BaseModel):
    """A span that another belongs to or follows."""

    ref_type: str = Field(alias="refType")
    trace_id: str = Field(alias="traceID")
    span_id: str = Field(alias="spanID")


class RawLog(BaseModel):
    """An event. Time in microseconds."""

    timestamp: int
    fields: list[Tag] = []


class RawSpan(BaseModel):
    """A span. Times in microseconds."""

    trace_id: str = Field(alias="traceID")
    span_id: str = Field(alias="spanID")
    operation: str = Field(alias="operationName")
    references: list[RawReference] | None = None
    start_us: int = Field(alias="startTime")
    duration_us: int = Field(alias="duration")
    tags: list[Tag] | None = None
    logs: list[RawLog] | None = None
    process: str = Field(alias="processID")


class RawProcess(BaseModel):
    """Who made spans."""

    service: str = Field(alias="serviceName")


class RawTrace(BaseModel):
    """A trace."""

    trace_id: str = Field(alias="traceID")
    spans: list[RawSpan]
    processes: dict[str, RawProcess]


class Traces(Answer):
    """Traces found."""

    data: list[RawTrace] | None = None


class RawRecord(BaseModel):
    """A log record, which Firedrill's own store gives and Jaeger does not. Time in microseconds."""

    timestamp: int
    severity: str = ""
    body: str = ""
    span_id: str = Field("", alias="spanID")
    service: str = Field("", alias="serviceName")
    attributes: list[Tag] = []


class Records(Answer):
    """Log records found."""

    data: list[RawRecord] | None = None


def log_of(raw: RawRecord) -> TraceLog:
    """Return a log record as the client gives it."""
    return TraceLog(raw.timestamp / 1e6, raw.severity, raw.body, raw.span_id, raw.service, _texts(raw.attributes))


def trace_of(raw: RawTrace) -> Trace:
    """Return a trace as the client gives it."""
    spans = [_span(span, raw.processes) for span in raw.spans]
    return Trace(raw.trace_id, tuple(sorted(spans, key=lambda span: span.start)))


def _span(raw: RawSpan, processes: Mapping[str, RawProcess]) -> Span:
    tags = _texts(raw.tags or ())
    process = processes.get(raw.process)
    return Span(
        span_id=raw.span_id,
        parent_id=_parent(raw),
        operation=raw.operation,
        service="" if process is None else process.service,
        start=raw.start_us / 1e6,
        duration_s=raw.duration_us / 1e6,
        tags=tags,
        events=tuple(_event(log) for log in raw.logs or ()),
        error=tags.get("error") == "true" or tags.get("otel.status_code") == "ERROR",
    )


def _parent(raw: RawSpan) -> str | None:
    """Return the first reference into the same trace, one by ``CHILD_OF`` before others."""
    inside = [reference for reference in raw.references or () if reference.trace_id == raw.trace_id]
    inside.sort(key=lambda reference: reference.ref_type != "CHILD_OF")
    return inside[0].span_id if inside else None


def _event(raw: RawLog) -> SpanEvent:
    attributes = _texts(raw.fields)
    return SpanEvent(raw.timestamp / 1e6, attributes.pop("event", ""), attributes)


def _texts(tags: Iterable[Tag]) -> dict[str, str]:
    """Return values as text, the way a search compares them."""
    return {tag.key: text_of(tag.value) for tag in tags}


def text_of(value: str | bool | float | None) -> str:
    """Return a value as text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value)
