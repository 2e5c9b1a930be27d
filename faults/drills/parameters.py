"""Checks a fault's parameters against the JSON schema that the control endpoint gives for its kind.

It knows the part of JSON Schema that pydantic writes for flat parameters: types, enums, bounds, lists, required and
unknown keys. What it does not know it lets pass, for the control endpoint has the last word.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from pydantic import JsonValue

Schema = Mapping[str, JsonValue]
_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}


def parameter_problems(schema: Schema, parameters: Mapping[str, JsonValue]) -> tuple[str, ...]:
    """Return a sentence for each thing in ``parameters`` that ``schema`` (of an object) does not allow."""
    return tuple(_problems(schema, dict(parameters), "", schema))


def _problems(schema: Schema, value: JsonValue, path: str, root: Schema) -> Iterator[str]:
    reference = schema.get("$ref")
    if isinstance(reference, str):
        definitions = root.get("$defs")
        found = definitions.get(reference.rsplit("/", 1)[-1]) if isinstance(definitions, dict) else None
        if isinstance(found, dict):
            yield from _problems(found, value, path, root)
        return
    choices = schema.get("anyOf") or schema.get("oneOf")
    if isinstance(choices, list):
        tried = [list(_problems(choice, value, path, root)) for choice in choices if isinstance(choice, dict)]
        if tried and all(tried):
            yield min(tried, key=len)[0]
        return
    yield from _plain_problems(schema, value, path, root)


def _plain_problems(schema: Schema, value: JsonValue, path: str, root: Schema) -> Iterator[str]:
    here = path or "parameters"
    allowed = schema.get("enum") or ([schema["const"]] if "const" in schema else None)
    if isinstance(allowed, list):
        if value not in allowed:
            yield f"{here}: expected one of {', '.join(str(one) for one in allowed)}, got {value!r}"
        return
    kind = schema.get("type")
    if isinstance(kind, str) and not _is(kind, value):
        yield f"{here}: expected {kind}, got {value!r}"
        return
    if isinstance(value, int | float) and not isinstance(value, bool):
        yield from _out_of_bounds(schema, value, here)
    elif isinstance(value, dict):
        yield from _object_problems(schema, value, path, root)
    elif isinstance(value, list):
        yield from _list_problems(schema, value, path, root)


def _is(kind: str, value: JsonValue) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES.get(kind, (object,)))


def _out_of_bounds(schema: Schema, value: float, here: str) -> Iterator[str]:
    if not math.isfinite(value):
        yield f"{here}: expected a finite number, got {value!r}"
        return
    for key, holds, words in (
        ("minimum", float.__ge__, "at least"),
        ("exclusiveMinimum", float.__gt__, "more than"),
        ("maximum", float.__le__, "at most"),
        ("exclusiveMaximum", float.__lt__, "less than"),
    ):
        bound = schema.get(key)
        if isinstance(bound, int | float) and not holds(float(value), float(bound)):
            yield f"{here}: expected {words} {bound:g}, got {value:g}"


def _object_problems(schema: Schema, value: Mapping[str, JsonValue], path: str, root: Schema) -> Iterator[str]:
    properties = schema.get("properties")
    known = properties if isinstance(properties, dict) else {}
    required = schema.get("required")
    for name in required if isinstance(required, list) else ():
        if name not in value:
            yield f"{_below(path, str(name))}: is missing"
    for name, one in value.items():
        part = known.get(name)
        if isinstance(part, dict):
            yield from _problems(part, one, _below(path, name), root)
        elif schema.get("additionalProperties") is False:
            yield f"{_below(path, name)}: unknown; known are {', '.join(sorted(known)) or 'none'}"


def _list_problems(schema: Schema, value: Sequence[JsonValue], path: str, root: Schema) -> Iterator[str]:
    least, most, items = schema.get("minItems"), schema.get("maxItems"), schema.get("items")
    if isinstance(least, int) and len(value) < least:
        yield f"{path}: expected at least {least} items, got {len(value)}"
    if isinstance(most, int) and len(value) > most:
        yield f"{path}: expected at most {most} items, got {len(value)}"
    if isinstance(items, dict):
        for index, one in enumerate(value):
            yield from _problems(items, one, f"{path}[{index}]", root)


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
