"""Attribute values: from OTLP to Python, and to the text by which a search compares them.

The text is that of the OpenTelemetry Collector's ``Value.AsString``, which Jaeger's search compares.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterable
from decimal import Decimal

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from stack.tracestore.model import Value

JsonValue = str | bool | int | float | None | list["JsonValue"] | dict[str, "JsonValue"]
_SCALARS = frozenset({"string_value", "int_value", "double_value", "bool_value", "bytes_value"})
_MAX_DEPTH = 32


def value_of(value: AnyValue) -> Value:
    """Return an OTLP value as a Python one; arrays and maps as JSON text, an unset value as the empty string."""
    which = value.WhichOneof("value")
    if which in _SCALARS:
        scalar: Value = getattr(value, which)
        return scalar
    if which is None:
        return ""
    return json.dumps(_plain(value, 0), ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def values_of(attributes: Iterable[KeyValue]) -> dict[str, Value]:
    """Return OTLP attributes as a mapping; of a repeated key the last value."""
    return {pair.key: value_of(pair.value) for pair in attributes}


def text_of(value: Value) -> str:
    """Return the text by which a search compares a value."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _float_text(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    return str(value)


def _float_text(number: float) -> str:
    """Return a float as Go's JSON encoder prints it: no exponent between 1e-6 and 1e21."""
    if not math.isfinite(number):
        return "NaN" if math.isnan(number) else ("+Inf" if number > 0 else "-Inf")
    size = abs(number)
    if size < 1e21 and number == int(number):
        return str(int(number))
    text = repr(number)
    if "e" not in text:
        return text
    if 1e-6 <= size < 1e21:
        return format(Decimal(text), "f")
    mantissa, exponent = text.split("e")
    return f"{mantissa}e{exponent[0] if exponent[0] == '-' else '+'}{exponent.lstrip('+-').lstrip('0')}"


def _plain(value: AnyValue, depth: int) -> JsonValue:
    """Return a value as JSON would carry it; nesting beyond a bound is cut off."""
    which = value.WhichOneof("value")
    if depth > _MAX_DEPTH or which is None:
        return None
    if which == "array_value":
        return [_plain(item, depth + 1) for item in value.array_value.values]
    if which == "kvlist_value":
        return {pair.key: _plain(pair.value, depth + 1) for pair in value.kvlist_value.values}
    plain = value_of(value)
    return text_of(plain) if isinstance(plain, bytes) else plain
