"""Traces in the JSON of Jaeger's v1 query API, with the tags that Jaeger derives from OTLP's fields.

Source: Jaeger's ``internal/uimodel`` (the JSON) and the OpenTelemetry Collector's ``pkg/translator/jaeger`` (the tags).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

from stack.tracestore.attributes import text_of
from stack.tracestore.logs import LogRecord
from stack.tracestore.model import (
    KINDS,
    STATUS_ERROR,
    STATUS_OK,
    Event,
    Resource,
    StoredSpan,
    StoredTrace,
    Value,
    trace_id_text,
)

_SAFE_INTEGER = 2**53 - 1
_REF_TYPE = "opentracing.ref_type"


class KeyValue(TypedDict):
    """A typed tag."""

    key: str
    type: str
    value: str | bool | int | float


class Reference(TypedDict):
    """A span that this one belongs to or follows."""

    refType: str
    traceID: str
    spanID: str


class Log(TypedDict):
    """An event. Time in microseconds since the epoch."""

    timestamp: int
    fields: list[KeyValue]


class Span(TypedDict):
    """A span. Times in microseconds."""

    traceID: str
    spanID: str
    operationName: str
    references: list[Reference]
    startTime: int
    duration: int
    tags: list[KeyValue]
    logs: list[Log]
    processID: str
    warnings: list[str] | None


class Process(TypedDict):
    """Who made spans."""

    serviceName: str
    tags: list[KeyValue]


class Trace(TypedDict):
    """A trace."""

    traceID: str
    spans: list[Span]
    processes: dict[str, Process]
    warnings: list[str] | None


class Record(TypedDict):
    """A log record, which Jaeger does not have. Time in microseconds; ids are empty where the record has none."""

    traceID: str
    spanID: str
    timestamp: int
    severity: str
    severityNumber: int
    body: str
    serviceName: str
    attributes: list[KeyValue]
    resource: list[KeyValue]


def record_json(record: LogRecord) -> Record:
    """Return a log record as ``/api/logs`` gives it."""
    return {
        "traceID": trace_id_text(bytes.fromhex(record.trace_id)) if record.trace_id else "",
        "spanID": record.span_id,
        "timestamp": record.time_unix_nano // 1000,
        "severity": record.severity_text,
        "severityNumber": record.severity_number,
        "body": record.body,
        "serviceName": record.service,
        "attributes": _tags(record.attributes),
        "resource": _tags(record.resource),
    }


def trace_json(trace: StoredTrace) -> Trace:
    """Return a trace as ``/api/traces`` gives it."""
    processes: dict[str, Process] = {}
    names: list[tuple[Process, str]] = []
    by_resource: dict[int, str] = {}
    spans: list[Span] = []
    for span in trace.spans:
        name = by_resource.get(id(span.resource))
        if name is None:
            process = _process(span.resource)
            name = next((known for other, known in names if other == process), "")
            if not name:
                name = f"p{len(names) + 1}"
                names.append((process, name))
                processes[name] = process
            by_resource[id(span.resource)] = name
        spans.append(_span(span, name))
    return {"traceID": trace_id_text(trace.trace_id), "spans": spans, "processes": processes, "warnings": None}


def span_tags(span: StoredSpan) -> list[KeyValue]:
    """Return a span's tags: its scope, its attributes, then what Jaeger derives from kind, status and trace state."""
    derived: dict[str, Value] = {}
    if span.scope.name:
        derived["otel.scope.name"] = span.scope.name
    if span.scope.version:
        derived["otel.scope.version"] = span.scope.version
    tags = _tags(derived) + _tags(span.attributes)
    derived = {}
    if 0 < span.kind < len(KINDS):
        derived["span.kind"] = KINDS[span.kind]
    if span.status in {STATUS_OK, STATUS_ERROR}:
        derived["otel.status_code"] = "ERROR" if span.status == STATUS_ERROR else "OK"
    if span.status == STATUS_ERROR:
        derived["error"] = True
    if span.status_message:
        derived["otel.status_description"] = span.status_message
    if span.trace_state:
        derived["w3c.tracestate"] = span.trace_state
    return [tag for tag in tags if tag["key"] not in derived] + _tags(derived)


def _span(span: StoredSpan, process: str) -> Span:
    return {
        "traceID": trace_id_text(span.trace_id),
        "spanID": span.span_id.hex(),
        "operationName": span.name,
        "references": _references(span),
        "startTime": span.start_ns // 1000,
        "duration": span.duration_ns // 1000,
        "tags": span_tags(span),
        "logs": [_log(event) for event in span.events],
        "processID": process,
        "warnings": None,
    }


def _process(resource: Resource) -> Process:
    return {"serviceName": resource.service, "tags": _tags(resource.attributes)}


def _references(span: StoredSpan) -> list[Reference]:
    """Return the parent first, then the links; a link to the parent only gives the parent's reference its type."""
    references: list[Reference] = []
    trace_id = trace_id_text(span.trace_id)
    if span.parent_id:
        references.append({"refType": "CHILD_OF", "traceID": trace_id, "spanID": span.parent_id.hex()})
    for link in span.links:
        kind = "CHILD_OF" if link.attributes.get(_REF_TYPE) == "child_of" else "FOLLOWS_FROM"
        if span.parent_id and link.trace_id == span.trace_id and link.span_id == span.parent_id:
            references[0]["refType"] = kind
        else:
            linked: Reference = {"refType": kind, "traceID": trace_id_text(link.trace_id), "spanID": link.span_id.hex()}
            references.append(linked)
    return references


def _log(event: Event) -> Log:
    named: dict[str, Value] = {"event": event.name} if event.name and "event" not in event.attributes else {}
    return {"timestamp": event.time_ns // 1000, "fields": _tags(named) + _tags(event.attributes)}


def _tags(attributes: Mapping[str, Value]) -> list[KeyValue]:
    return [_tag(key, value) for key, value in attributes.items()]


def _tag(key: str, value: Value) -> KeyValue:
    """Return a typed tag; integers that JavaScript cannot hold, binary and numbers that JSON lacks become text."""
    if isinstance(value, bool):
        return {"key": key, "type": "bool", "value": value}
    if isinstance(value, int):
        return {"key": key, "type": "int64", "value": value if abs(value) <= _SAFE_INTEGER else str(value)}
    if isinstance(value, float):
        finite = value - value == 0
        return {"key": key, "type": "float64", "value": value if finite else text_of(value)}
    if isinstance(value, bytes):
        return {"key": key, "type": "binary", "value": text_of(value)}
    return {"key": key, "type": "string", "value": value}
