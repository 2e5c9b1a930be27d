"""The JSON of Jaeger's v3 query API (OTLP JSON in an envelope), as far as it is read here, and traces out of it.

Whatever a trace came by, v1 or v3, it comes out alike: the tags that v1 derives from OTLP's fields are derived here.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from stack.clients.jaeger_v1 import text_of
from stack.clients.traces import Span, SpanEvent, Trace

KINDS = ("", "internal", "server", "client", "producer", "consumer")
NO_SERVICE = "OTLPResourceNoServiceName"
_ERROR = 2
_STATUS = {1: "OK", _ERROR: "ERROR"}
Plain = str | bool | int | float | None | list["Plain"] | dict[str, "Plain"]


class Otlp(BaseModel):
    """Base of all: the names here are Python's, those of the wire are in camel case."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class AnyValue(Otlp):
    """A value; at most one of the fields is set. 64-bit integers may come as text, numbers that JSON lacks, too."""

    string_value: str | None = None
    bool_value: bool | None = None
    int_value: int | None = None
    double_value: float | None = None
    bytes_value: str | None = None
    array_value: ArrayValue | None = None
    kvlist_value: KeyValueList | None = None


class ArrayValue(Otlp):
    """Values in order."""

    values: list[AnyValue] = []


class KeyValue(Otlp):
    """An attribute."""

    key: str
    value: AnyValue = Field(default_factory=AnyValue)


class KeyValueList(Otlp):
    """Values by name."""

    values: list[KeyValue] = []


class RawEvent(Otlp):
    """An event."""

    time_unix_nano: int = 0
    name: str = ""
    attributes: list[KeyValue] = []


class RawLink(Otlp):
    """A reference to another span."""

    trace_id: str = ""
    span_id: str = ""


class RawStatus(Otlp):
    """How a span ended."""

    code: int = 0
    message: str = ""


class RawSpan(Otlp):
    """A span."""

    trace_id: str
    span_id: str
    parent_span_id: str = ""
    trace_state: str = ""
    name: str = ""
    kind: int = 0
    start_time_unix_nano: int = 0
    end_time_unix_nano: int = 0
    attributes: list[KeyValue] = []
    events: list[RawEvent] = []
    links: list[RawLink] = []
    status: RawStatus = Field(default_factory=RawStatus)


class RawScope(Otlp):
    """The library that made spans."""

    name: str = ""
    version: str = ""


class ScopeSpans(Otlp):
    """Spans of one library."""

    scope: RawScope = Field(default_factory=RawScope)
    spans: list[RawSpan] = []


class RawResource(Otlp):
    """The process that made spans."""

    attributes: list[KeyValue] = []


class ResourceSpans(Otlp):
    """Spans of one process."""

    resource: RawResource = Field(default_factory=RawResource)
    scope_spans: list[ScopeSpans] = []


class Result(Otlp):
    """OTLP's traces data."""

    resource_spans: list[ResourceSpans] = []


class Found(Otlp):
    """The envelope of one message of the stream."""

    result: Result


class Services(Otlp):
    """Names; an empty list may be left out."""

    services: list[str] = []


class Operation(Otlp):
    """A span name."""

    name: str


class Operations(Otlp):
    """Names with kinds; an empty list may be left out."""

    operations: list[Operation] = []


class Failure(Otlp):
    """What went wrong."""

    http_code: int = 0
    message: str = ""


class Failed(Otlp):
    """The gateway's form of an error."""

    error: Failure


def traces_of(found: Iterable[Found]) -> list[Trace]:
    """Return the traces that the messages of an answer hold, each with its spans by start."""
    spans: defaultdict[str, list[Span]] = defaultdict(list)
    for message in found:
        for resource in message.result.resource_spans:
            named = {pair.key: pair.value for pair in resource.resource.attributes}
            service = _text(named["service.name"]) if "service.name" in named else ""
            for scope in resource.scope_spans:
                for raw in scope.spans:
                    spans[raw.trace_id].append(_span(raw, scope.scope, service or NO_SERVICE))
    return [
        Trace(short(trace_id), tuple(sorted(each, key=lambda span: span.start))) for trace_id, each in spans.items()
    ]


def short(trace_id: str) -> str:
    """Return a trace id as v1 and the pages print it: 16 digits where the upper half is zero."""
    return trace_id[16:] if len(trace_id) == 32 and trace_id.startswith("0" * 16) else trace_id


def _span(raw: RawSpan, scope: RawScope, service: str) -> Span:
    tags = {
        name: text for name, text in (("otel.scope.name", scope.name), ("otel.scope.version", scope.version)) if text
    }
    tags |= {pair.key: _text(pair.value) for pair in raw.attributes}
    tags |= dict(_derived(raw))
    return Span(
        span_id=raw.span_id,
        parent_id=_parent(raw),
        operation=raw.name,
        service=service,
        start=raw.start_time_unix_nano / 1e9,
        duration_s=max(0, raw.end_time_unix_nano - raw.start_time_unix_nano) / 1e9,
        tags=tags,
        events=tuple(_event(event) for event in raw.events),
        error=tags.get("error") == "true" or tags.get("otel.status_code") == "ERROR",
    )


def _derived(raw: RawSpan) -> Iterator[tuple[str, str]]:
    """Yield the tags that v1 makes of a span's own fields."""
    if 0 < raw.kind < len(KINDS):
        yield "span.kind", KINDS[raw.kind]
    if raw.status.code in _STATUS:
        yield "otel.status_code", _STATUS[raw.status.code]
    if raw.status.code == _ERROR:
        yield "error", "true"
    if raw.status.message:
        yield "otel.status_description", raw.status.message
    if raw.trace_state:
        yield "w3c.tracestate", raw.trace_state


def _parent(raw: RawSpan) -> str | None:
    """Return the parent; for a span without one, the first span of the same trace that it links to, as v1 does."""
    if raw.parent_span_id.strip("0"):
        return raw.parent_span_id
    return next((link.span_id for link in raw.links if link.trace_id == raw.trace_id), None)


def _event(raw: RawEvent) -> SpanEvent:
    attributes = {pair.key: _text(pair.value) for pair in raw.attributes}
    named = attributes.pop("event", "")
    return SpanEvent(raw.time_unix_nano / 1e9, named or raw.name, attributes)


def _text(value: AnyValue) -> str:
    """Return a value as the text by which a search compares it."""
    plain = _plain(value)
    if isinstance(plain, float) and not math.isfinite(plain):
        return "NaN" if math.isnan(plain) else ("+Inf" if plain > 0 else "-Inf")
    if isinstance(plain, list | dict):
        return json.dumps(plain, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return text_of(plain)


def _plain(value: AnyValue) -> Plain:
    if value.array_value is not None:
        return [_plain(item) for item in value.array_value.values]
    if value.kvlist_value is not None:
        return {pair.key: _plain(pair.value) for pair in value.kvlist_value.values}
    scalars = (value.string_value, value.bool_value, value.int_value, value.double_value, value.bytes_value)
    return next((scalar for scalar in scalars if scalar is not None), None)
