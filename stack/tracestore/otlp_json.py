"""Spans in OTLP's JSON, losing nothing: ids in hex, 64-bit numbers as strings, enums as numbers, defaults left out.

Source: the OpenTelemetry Protocol specification 1.x, "JSON Protobuf Encoding". It never reads JSON (``otlp`` does).
Resources and scopes, few as they are, take protobuf's own way; spans are written field by field, in a third of the
time.
"""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from typing import cast

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, TracesData

Json = str | bool | int | float | None | list["Json"] | dict[str, "Json"]


def resource_spans(data: TracesData) -> list[Json]:
    """Return the ``resourceSpans`` of a message; resource, scope and status stand there even when they are empty."""
    return [
        _filled(
            {
                "resource": _plain(resource.resource),
                "scopeSpans": [
                    _filled(
                        {
                            "scope": _plain(scope.scope),
                            "spans": [span_json(span) for span in scope.spans],
                            "schemaUrl": scope.schema_url,
                        },
                        keep="scope",
                    )
                    for scope in resource.scope_spans
                ],
                "schemaUrl": resource.schema_url,
            },
            keep="resource",
        )
        for resource in data.resource_spans
    ]


def span_json(span: Span) -> Json:
    """Return one span."""
    status: dict[str, Json] = {"message": span.status.message, "code": span.status.code}
    return _filled(
        {
            "traceId": span.trace_id.hex(),
            "spanId": span.span_id.hex(),
            "traceState": span.trace_state,
            "parentSpanId": span.parent_span_id.hex(),
            "flags": span.flags,
            "name": span.name,
            "kind": span.kind,
            "startTimeUnixNano": _long(span.start_time_unix_nano),
            "endTimeUnixNano": _long(span.end_time_unix_nano),
            "attributes": _pairs(span.attributes),
            "droppedAttributesCount": span.dropped_attributes_count,
            "events": [_event(event) for event in span.events],
            "droppedEventsCount": span.dropped_events_count,
            "links": [_link(link) for link in span.links],
            "droppedLinksCount": span.dropped_links_count,
            "status": _filled(status),
        },
        keep="status",
    )


def value_json(value: AnyValue) -> dict[str, Json]:
    """Return a value under the name of its type; nothing for one that is unset."""
    which = value.WhichOneof("value")
    if which is None or which not in _WRITERS:
        return _plain(value)
    name, write = _WRITERS[which]
    return {name: write(value)}


def _event(event: Span.Event) -> Json:
    return _filled(
        {
            "timeUnixNano": _long(event.time_unix_nano),
            "name": event.name,
            "attributes": _pairs(event.attributes),
            "droppedAttributesCount": event.dropped_attributes_count,
        }
    )


def _link(link: Span.Link) -> Json:
    return _filled(
        {
            "traceId": link.trace_id.hex(),
            "spanId": link.span_id.hex(),
            "traceState": link.trace_state,
            "attributes": _pairs(link.attributes),
            "droppedAttributesCount": link.dropped_attributes_count,
            "flags": link.flags,
        }
    )


def _pairs(attributes: Iterable[KeyValue]) -> list[Json]:
    return [{"key": pair.key, "value": value_json(pair.value)} for pair in attributes]


def _filled(fields: dict[str, Json], keep: str = "") -> dict[str, Json]:
    """Return the fields without those of default value, except for the one to ``keep``."""
    return {name: value for name, value in fields.items() if value or name == keep}


def _long(number: int) -> str:
    return str(number) if number else ""


def _double(number: float) -> Json:
    """Return a number; those that JSON lacks become the words of protobuf's JSON."""
    if math.isfinite(number):
        return number
    return "NaN" if math.isnan(number) else ("Infinity" if number > 0 else "-Infinity")


def _plain(message: Message) -> dict[str, Json]:
    return cast("dict[str, Json]", MessageToDict(message, use_integers_for_enums=True))


_WRITERS: Mapping[str, tuple[str, Callable[[AnyValue], Json]]] = {
    "string_value": ("stringValue", lambda value: value.string_value),
    "int_value": ("intValue", lambda value: str(value.int_value)),
    "bool_value": ("boolValue", lambda value: value.bool_value),
    "double_value": ("doubleValue", lambda value: _double(value.double_value)),
    "bytes_value": ("bytesValue", lambda value: b64encode(value.bytes_value).decode("ascii")),
    "array_value": (
        "arrayValue",
        lambda value: _filled({"values": [value_json(item) for item in value.array_value.values]}),
    ),
    "kvlist_value": ("kvlistValue", lambda value: _filled({"values": _pairs(value.kvlist_value.values)})),
}
