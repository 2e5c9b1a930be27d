r"""The searchable text of spans: one line a span, one term a tag, so that a search is a substring test in C.

A term is key, U+001E, value. A line is its terms, each between two U+001F. Lines are joined by newlines. Control
characters inside keys and values are replaced, and long values by their hash, on both sides of the comparison.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from stack.tracestore.attributes import text_of, value_of
from stack.tracestore.model import KINDS, STATUS_ERROR

EDGE = "\x1f"
JOINT = "\x1e"
LONGEST = 256
_CLEAN = str.maketrans({EDGE: "␟", JOINT: "␞", "\n": "␊"})
_STATUS = ("UNSET", "OK", "ERROR")
_RESOURCE = "resource."
_ALIASES = {"scope.name": "otel.scope.name", "scope.version": "otel.scope.version"}


def line_of(span: Span) -> str:
    """Return the line of a span: its tags, those of its events and links, and what Jaeger derives from its fields."""
    pairs = _pairs(span.attributes)
    failed = span.status.code == STATUS_ERROR or ("error", "true") in pairs
    pairs.append(("error", "true" if failed else "false"))
    pairs.append(("span.status", _STATUS[span.status.code] if 0 <= span.status.code < len(_STATUS) else "UNSET"))
    if span.status.message:
        pairs.append(("otel.status_description", _short(span.status.message)))
    if span.trace_state:
        pairs.append(("w3c.tracestate", _short(span.trace_state)))
    for event in span.events:
        pairs.append(("event", _short(event.name)))
        pairs.extend(_pairs(event.attributes))
    for link in span.links:
        pairs.extend(_pairs(link.attributes))
    return _line(pairs)


def shared_line(resource: Iterable[KeyValue], scope: InstrumentationScope, kind: int) -> str:
    """Return the line that all spans of one resource, scope and kind have in common."""
    pairs = [(f"{_RESOURCE}{key}", text) for key, text in _pairs(resource)]
    pairs.extend(_pairs(scope.attributes))
    if scope.name:
        pairs.append(("otel.scope.name", _short(scope.name)))
    if scope.version:
        pairs.append(("otel.scope.version", _short(scope.version)))
    if 0 < kind < len(KINDS):
        pairs.append(("span.kind", KINDS[kind]))
    return _line(pairs)


def needles(key: str, value: str) -> tuple[bytes, bytes]:
    """Return what to look for, for one tag of a query: in the span's own line, and in a resource's line.

    ``resource.x`` asks for the resource's ``x`` alone; ``error`` takes what Go's ``ParseBool`` takes.
    """
    key = _ALIASES.get(key, key)
    if key == "error":
        value = _truth(value)
    elif key == "span.kind":
        value = value.lower()
    elif key == "span.status" or (key == "otel.status_code" and value in {"OK", "ERROR"}):
        key, value = "span.status", value.upper()
    own = _needle(key, value)
    return own, own if key.startswith(_RESOURCE) else _needle(f"{_RESOURCE}{key}", value)


def _needle(key: str, value: str) -> bytes:
    return f"{EDGE}{key.translate(_CLEAN)}{JOINT}{_short(value).translate(_CLEAN)}{EDGE}".encode(
        "utf-8", "surrogatepass"
    )


def _pairs(attributes: Iterable[KeyValue]) -> list[tuple[str, str]]:
    return [(pair.key, _short(text_of(value_of(pair.value)))) for pair in attributes]


def _line(pairs: list[tuple[str, str]]) -> str:
    line = EDGE.join([f"{key}{JOINT}{text}" for key, text in pairs])
    if line.count(EDGE) != max(0, len(pairs) - 1) or line.count(JOINT) != len(pairs) or "\n" in line:
        line = EDGE.join([f"{key.translate(_CLEAN)}{JOINT}{text.translate(_CLEAN)}" for key, text in pairs])
    return f"{EDGE}{line}{EDGE}"


def _short(text: str) -> str:
    if len(text) <= LONGEST:
        return text
    return f"blake2b:{hashlib.blake2b(text.encode('utf-8', 'surrogatepass'), digest_size=12).hexdigest()}"


def _truth(text: str) -> str:
    if text in {"1", "t", "T", "true", "TRUE", "True"}:
        return "true"
    if text in {"0", "f", "F", "false", "FALSE", "False"}:
        return "false"
    return text
