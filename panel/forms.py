"""A form from a JSON schema: which fields a fault kind's parameters need, and what comes back. No Streamlit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, cast

from pydantic import JsonValue

Schema = Mapping[str, JsonValue]
FieldKind = Literal["integer", "number", "choice", "flag", "text", "list"]
_KINDS: Mapping[str, FieldKind] = {"integer": "integer", "number": "number", "boolean": "flag", "array": "list"}
_UNITS: Mapping[str, str] = {"s": "s", "ms": "ms", "mib": "MiB", "mb": "MB", "bytes": "bytes"}


class BadFormValue(Exception):  # noqa: N818 - reads as a fact where it is raised
    """A field holds something that cannot be sent."""

    def __init__(self, field: str, given: str, expected: str) -> None:
        super().__init__(f"{field}: {given!r} is not {expected}")


@dataclass(frozen=True)
class FormField:
    """One field of a form. Bounds are inclusive; an ``optional`` field may stay empty and is then not sent."""

    name: str
    title: str
    kind: FieldKind
    default: JsonValue
    optional: bool
    description: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    item: FieldKind = "text"

    def with_default(self, value: JsonValue) -> FormField:
        """Return the same field, filled with ``value``: a preset."""
        return FormField(**{**self.__dict__, "default": value})

    @property
    def help(self) -> str:
        """The description with the bounds and what an empty field means."""
        low, high = self.minimum, self.maximum
        bounds = ""
        if low is not None and high is not None:
            bounds = f"From {low:g} to {high:g}."
        elif low is not None:
            bounds = f"At least {low:g}."
        elif high is not None:
            bounds = f"At most {high:g}."
        empty = "May stay empty." if self.optional else ""
        return " ".join(part for part in (self.description, bounds, empty) if part)


def fields(schema: Schema) -> tuple[FormField, ...]:
    """Return the fields of an object schema, in its order."""
    properties = cast("Mapping[str, Schema]", schema.get("properties") or {})
    definitions = cast("Mapping[str, Schema]", schema.get("$defs") or {})
    return tuple(_field(name, each, definitions) for name, each in properties.items())


def with_preset(form: Iterable[FormField], parameters: Mapping[str, JsonValue]) -> tuple[FormField, ...]:
    """Fill the fields with a preset's parameters; what the preset does not name keeps its default."""
    return tuple(f.with_default(parameters[f.name]) if f.name in parameters else f for f in form)


def parameters(form: Iterable[FormField], values: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Return what is to be sent for the entered ``values``: lists are parsed, empty optional fields left out."""
    sent: dict[str, JsonValue] = {}
    for field in form:
        value = values.get(field.name)
        if field.kind == "list" and isinstance(value, str):
            value = _list(field, value)
        if (value is None or value in ("", [])) and field.optional:
            continue
        sent[field.name] = value
    return sent


def _field(name: str, raw: Schema, definitions: Mapping[str, Schema]) -> FormField:
    schema, optional = _resolved(raw, definitions)
    choices = cast("list[JsonValue]", schema.get("enum") or ([schema["const"]] if "const" in schema else []))
    item, _ = _resolved(cast("Schema", schema.get("items") or {}), definitions)
    return FormField(
        name=name,
        title=_title(name, str(raw.get("title") or "")),
        kind="choice" if choices else _KINDS.get(str(schema.get("type")), "text"),
        default=raw.get("default", schema.get("default")),
        optional=optional,
        description=str(raw.get("description") or schema.get("description") or ""),
        minimum=_bound(schema, "minimum", "exclusiveMinimum", 1),
        maximum=_bound(schema, "maximum", "exclusiveMaximum", -1),
        choices=tuple(str(choice) for choice in choices),
        item=_KINDS.get(str(item.get("type")), "text"),
    )


def _title(name: str, given: str) -> str:
    """Return a field's title: the given one, unless it is only its name with capitals; then in words, with its unit."""
    if given and given != name.replace("_", " ").title():
        return given
    words = name.split("_")
    is_unit = len(words) > 1 and words[-1] in _UNITS and words[-2] != "per"
    unit = f" ({_UNITS[words.pop()]})" if is_unit else ""
    return " ".join(words).capitalize() + unit


def _resolved(raw: Schema, definitions: Mapping[str, Schema]) -> tuple[Schema, bool]:
    """Follow a reference and take ``null`` out of a choice of types; say whether ``null`` was among them."""
    alternatives = cast("list[Schema]", raw.get("anyOf") or raw.get("oneOf") or raw.get("allOf") or [])
    kept = [each for each in alternatives if each.get("type") != "null"]
    optional = len(kept) < len(alternatives)
    if kept:
        inner, deeper = _resolved(kept[0], definitions)
        return inner, optional or deeper
    reference = raw.get("$ref")
    if isinstance(reference, str):
        return _resolved(definitions[reference.rsplit("/", 1)[-1]], definitions)
    return raw, optional


def _bound(schema: Schema, inclusive: str, exclusive: str, inwards: int) -> float | None:
    """Return a bound as an inclusive one: one further in for integers, a millionth for numbers."""
    if isinstance(bound := schema.get(inclusive), int | float):
        return float(bound)
    if isinstance(bound := schema.get(exclusive), int | float):
        return float(bound) + inwards * (1.0 if schema.get("type") == "integer" else 1e-6)
    return None


def _list(field: FormField, text: str) -> list[JsonValue]:
    words = [word for word in text.replace(",", " ").split() if word]
    if field.item == "text":
        return list(words)
    try:
        return [int(word) if field.item == "integer" else float(word) for word in words]
    except ValueError:
        raise BadFormValue(field.title, text, f"a list of {field.item} values, separated by commas") from None
