"""OTLP protobuf by hand: finished spans and log records as the bytes of their messages.

Building protobuf objects costs several times as much as the few fields that are needed, and bytes, unlike objects, are
nothing for the garbage collector to walk while they wait for the next export. Nothing is sent here.

Source: opentelemetry-proto 1.x (``trace.proto``, ``logs.proto``, ``common.proto``, ``resource.proto``) and protobuf's
encoding guide. The tests hold every message against the classes generated from those files.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from opentelemetry.trace import Link, SpanContext, StatusCode
from opentelemetry.util.types import AnyValue

_TIMES = struct.Struct("<BQBQ")
_FIXED64 = struct.Struct("<BQ")
_DOUBLE = struct.Struct("<Bd")
_FLAGS = struct.Struct("<I")
_ONE_BYTE = tuple([bytes([number]) for number in range(128)])
_INT64 = range(-(2**63), 2**63)
_UINT64 = 2**64
_FEW = range(1000)
SHORT = 24
LONG = 110
"""Bytes up to which a key and its value surely fit into a message whose length is one byte."""

_SPAN_ATTRIBUTE, _EVENT_ATTRIBUTE, _LINK_ATTRIBUTE = b"\x4a", b"\x1a", b"\x22"
_RECORD_ATTRIBUTE, _RESOURCE_ATTRIBUTE = b"\x32", b"\x0a"
_HAS_IS_REMOTE, _IS_REMOTE = 0x100, 0x200

Attributes = Mapping[str, AnyValue]
Event = tuple[str, int, Attributes]
"""Name, time in nanoseconds since the epoch, attributes."""


def varint(number: int) -> bytes:
    """Return an unsigned number as a protobuf varint."""
    if number < 128:
        return _ONE_BYTE[number]
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def field(tag: bytes, payload: bytes) -> bytes:
    """Return a length-delimited field."""
    size = len(payload)
    return tag + (_ONE_BYTE[size] if size < 128 else varint(size)) + payload


def any_value(value: AnyValue) -> bytes:  # noqa: PLR0911 - a case for each kind of value
    """Return an ``AnyValue``; numbers beyond 64 bits and objects of other kinds become their text."""
    if isinstance(value, str):
        return field(b"\x0a", value.encode("utf-8", "replace"))
    if isinstance(value, bool):
        return b"\x10\x01" if value else b"\x10\x00"
    if isinstance(value, int) and value in _INT64:
        return b"\x18" + varint(value % _UINT64)
    if isinstance(value, float):
        return _DOUBLE.pack(0x21, value)
    if value is None:
        return b""
    if isinstance(value, bytes):
        return field(b"\x3a", value)
    if isinstance(value, Mapping):
        return field(b"\x32", attributes(b"\x0a", value))
    if isinstance(value, Sequence):
        return field(b"\x2a", b"".join([field(b"\x0a", any_value(part)) for part in value]))
    return field(b"\x0a", str(value).encode("utf-8", "replace"))


def attributes(tag: bytes, items: Attributes) -> bytes:
    """Return a ``KeyValue`` under ``tag`` for each item."""
    return b"".join([_attribute(tag, name, value) for name, value in items.items()])


def _attribute(tag: bytes, name: str, value: AnyValue) -> bytes:
    """Return one ``KeyValue``; the usual kinds of values in a straight line, all others by ``any_value``."""
    kind = type(value)
    if kind is str and isinstance(value, str):
        if len(value) < SHORT:
            return _repeated(tag, name, value)
        content = value.encode("utf-8", "replace")
        key, size = _key(name), len(content)
        if len(key) + size < LONG:
            return b"".join(
                (tag, _ONE_BYTE[len(key) + size + 3], key, _ONE_BYTE[size + 2], b"\x0a", _ONE_BYTE[size], content)
            )
    elif kind is float:
        key = _key(name)
        if len(key) < LONG:
            return b"".join((tag, _ONE_BYTE[len(key) + 10], key, b"\x09", _DOUBLE.pack(0x21, value)))
    elif kind is int and value in _FEW and isinstance(value, int):
        return _repeated(tag, name, value)
    return _key_value(tag, name, any_value(value))


def _key_value(tag: bytes, name: str, content: bytes) -> bytes:
    key, size = _key(name), len(content)
    length = _ONE_BYTE[size] if size < 128 else varint(size)
    size += len(key) + len(length)
    return b"".join((tag, _ONE_BYTE[size] if size < 128 else varint(size), key, length, content))


@lru_cache(maxsize=2048)
def _repeated(tag: bytes, name: str, value: str | int) -> bytes:
    """Return an attribute that is likely to come again: methods, paths, models, statuses; no ids, they are longer."""
    return _key_value(tag, name, any_value(value))


@lru_cache(maxsize=1024)
def _key(name: str) -> bytes:
    """Return ``KeyValue.key`` with the tag of the value that follows it; names repeat, so they are kept."""
    return field(b"\x0a", str(name).encode("utf-8", "replace")) + b"\x12"


@lru_cache(maxsize=1024)
def _name_and_kind(name: str, kind: int) -> bytes:
    """Return ``Span.name`` and ``Span.kind``; OTLP's numbers of kinds are one above the API's."""
    return field(b"\x2a", name.encode("utf-8", "replace")) + b"\x30" + varint(kind + 1)


@lru_cache(maxsize=64)
def _severity(number: int, text: str) -> bytes:
    return b"\x10" + varint(number) + field(b"\x1a", text.encode("utf-8", "replace"))


def span_message(
    *,
    trace_id: int,
    span_id: int,
    parent_id: int,
    parent_is_remote: bool,
    trace_state: str,
    flags: int,
    name: str,
    kind: int,
    start_ns: int,
    end_ns: int,
    attributes_: Attributes,
    dropped_attributes: int,
    events: Iterable[Event],
    dropped_events: int,
    links: Iterable[Link],
    status: StatusCode,
    description: str | None,
) -> bytes:
    """Return a finished ``Span`` as an item of ``ScopeSpans.spans``; times in nanoseconds since the epoch."""
    out = [
        b"\x0a\x10",
        trace_id.to_bytes(16, "big"),
        b"\x12\x08",
        span_id.to_bytes(8, "big"),
        field(b"\x1a", trace_state.encode("ascii", "replace")) if trace_state else b"",
        b"\x22\x08" + parent_id.to_bytes(8, "big") if parent_id else b"",
        _name_and_kind(name, kind),
        _TIMES.pack(0x39, start_ns, 0x41, end_ns),
        attributes(_SPAN_ATTRIBUTE, attributes_) if attributes_ else b"",
    ]
    if dropped_attributes:
        out.append(b"\x50" + varint(dropped_attributes))
    for event_name, time_ns, said in events:
        event = _FIXED64.pack(0x09, time_ns) + field(b"\x12", event_name.encode("utf-8", "replace"))
        out.append(field(b"\x5a", event + attributes(_EVENT_ATTRIBUTE, said)))
    if dropped_events:
        out.append(b"\x60" + varint(dropped_events))
    out.extend(field(b"\x6a", _link(link)) for link in links)
    if status is not StatusCode.UNSET:
        told = field(b"\x12", description.encode("utf-8", "replace")) if description else b""
        out.append(field(b"\x7a", told + b"\x18" + _ONE_BYTE[status.value]))
    out.append(_span_flags(flags, parent_is_remote))
    return field(b"\x12", b"".join(out))


@lru_cache(maxsize=512)
def _span_flags(flags: int, parent_is_remote: bool) -> bytes:
    return b"\x85\x01" + _FLAGS.pack(flags | _HAS_IS_REMOTE | (_IS_REMOTE if parent_is_remote else 0))


def _link(link: Link) -> bytes:
    context: SpanContext = link.context
    return b"".join(
        (
            b"\x0a\x10" + context.trace_id.to_bytes(16, "big"),
            b"\x12\x08" + context.span_id.to_bytes(8, "big"),
            attributes(_LINK_ATTRIBUTE, link.attributes or {}),
            b"\x35" + _FLAGS.pack(context.trace_flags | _HAS_IS_REMOTE | (_IS_REMOTE if context.is_remote else 0)),
        )
    )


def record_message(
    *,
    time_ns: int,
    observed_ns: int,
    severity: int,
    severity_text: str,
    body: AnyValue,
    attributes_: Attributes,
    trace_id: int,
    span_id: int,
    flags: int,
) -> bytes:
    """Return a ``LogRecord`` as an item of ``ScopeLogs.log_records``; times in nanoseconds since the epoch."""
    out = [
        _FIXED64.pack(0x09, time_ns),
        _severity(severity, severity_text),
        _body(body) if type(body) is str and len(body) < SHORT else field(b"\x2a", any_value(body)),
        attributes(_RECORD_ATTRIBUTE, attributes_) if attributes_ else b"",
    ]
    if trace_id:
        out += (b"\x45", _FLAGS.pack(flags), b"\x4a\x10", trace_id.to_bytes(16, "big"))
        out += (b"\x52\x08", span_id.to_bytes(8, "big"))
    out.append(_FIXED64.pack(0x59, observed_ns))
    return field(b"\x12", b"".join(out))


@lru_cache(maxsize=256)
def _body(event: str) -> bytes:
    """Return ``LogRecord.body`` of a short text: the names of events repeat."""
    return field(b"\x2a", any_value(event))


def scope_message(name: str, version: str | None) -> bytes:
    """Return an ``InstrumentationScope`` as the head of a ``ScopeSpans`` or ``ScopeLogs``."""
    told = field(b"\x12", version.encode()) if version else b""
    return field(b"\x0a", field(b"\x0a", name.encode("utf-8", "replace")) + told)


def resource_message(items: Attributes) -> bytes:
    """Return a ``Resource`` as the head of a ``ResourceSpans`` or ``ResourceLogs``."""
    return field(b"\x0a", attributes(_RESOURCE_ATTRIBUTE, items))


def request_message(resource: bytes, scopes: Mapping[bytes, Sequence[bytes]]) -> bytes:
    """Return an export request: items by scope, all of one resource. Spans and logs have the same outline."""
    body = [field(b"\x12", head + b"".join(items)) for head, items in scopes.items()]
    return field(b"\x0a", resource + b"".join(body))
