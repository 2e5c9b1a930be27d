"""What the operator lets faults do: which kinds, for how long, how much of the traffic, with which values, on whom.

Limits only ever tighten what a kind takes by itself. They are read outside (``faults.limitfile``) and handed in;
nothing here reads a file or knows who asks.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import cast

from pydantic import JsonValue

from faults.active import endpoint_pattern
from faults.base import MAX_TTL_S, FaultRequest, Preset

Schema = dict[str, JsonValue]
_WILD = re.compile(r"\*|\?|\{[^/{}]*\}")
_PROBES: tuple[Mapping[str, str], ...] = ({"*": "", "?": "/", "{": "\0"}, {"*": "\0/\0\0", "?": "\0", "{": "\0\0"})
"""The narrowest and the widest that a target's wildcards can mean, in characters that no path has."""


@dataclass(frozen=True)
class Bounds:
    """What one parameter may be: within numbers, or out of some values. ``None`` leaves a side as the kind has it."""

    least: float | None = None
    most: float | None = None
    choices: tuple[JsonValue, ...] | None = None

    def problem(self, value: JsonValue) -> str | None:
        """Return what is wrong with ``value``, if anything is; an empty value is the kind's own affair."""
        if value is None:
            return None
        if self.choices is not None and value not in self.choices:
            return f"one of {', '.join(map(str, self.choices))}"
        if isinstance(value, int | float):
            if self.least is not None and value < self.least:
                return f"at least {self.least:g}"
            if self.most is not None and value > self.most:
                return f"at most {self.most:g}"
        return None

    def nearest(self, value: JsonValue) -> JsonValue:
        """Return the allowed value that is nearest to ``value``, for which ``problem`` is not empty."""
        if self.choices is not None:
            return self.choices[0]
        low = isinstance(value, int | float) and self.least is not None and value < self.least
        bound = self.least if low else self.most
        return int(bound) if isinstance(value, int) and bound is not None else bound


@dataclass(frozen=True)
class KindLimits:
    """The limits of one kind. ``models`` and ``endpoints`` are what a target may name; ``None`` is all of them."""

    forbidden: bool = False
    max_ttl_s: float = MAX_TTL_S
    max_probability: float = 1.0
    parameters: Mapping[str, Bounds] = field(default_factory=lambda: MappingProxyType({}))
    models: tuple[str, ...] | None = None
    endpoints: tuple[str, ...] | None = None

    def problems(self, request: FaultRequest, parameters: Mapping[str, JsonValue], only: str | None) -> Iterator[str]:
        """Yield what ``request`` wants beyond these limits; ``only`` is the one path that its kind acts on."""
        if request.ttl_s > self.max_ttl_s:
            yield f"ttl_s: at most {self.max_ttl_s:g}"
        if request.probability > self.max_probability:
            yield f"probability: at most {self.max_probability:g}"
        for name, bounds in self.parameters.items():
            if (wanted := bounds.problem(parameters.get(name))) is not None:
                yield f"parameters.{name}: {wanted}"
        if self.models is not None and request.target.model not in self.models:
            yield f"target.model: one of {', '.join(self.models) or 'none'}"
        endpoint = request.target.endpoint or only
        if self.endpoints is not None and not (endpoint and any(_within(endpoint, one) for one in self.endpoints)):
            yield f"target.endpoint: within {', '.join(self.endpoints) or 'none'}"

    def with_defaults(self, schema: Schema, given: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
        """Return ``given`` with the nearest allowed value where it leaves out one whose default is not allowed."""
        properties = _properties(schema)
        moved = {
            name: bounds.nearest(properties[name].get("default"))
            for name, bounds in self.parameters.items()
            if name not in given and name in properties and bounds.problem(properties[name].get("default")) is not None
        }
        return {**moved, **given}

    def tightened(self, schema: Schema) -> Schema:
        """Return ``schema``, of a kind's parameters, with these bounds in it."""
        if not self.parameters:
            return schema
        tight = copy.deepcopy(schema)
        for name, each in _properties(tight).items():
            if (bounds := self.parameters.get(name)) is None:
                continue
            if bounds.problem(each.get("default")) is not None:
                each["default"] = bounds.nearest(each.get("default"))
            _tighten(value_schema(each), bounds)
        return tight

    def fitting(self, presets: Mapping[str, Preset], schema: Schema) -> dict[str, Preset]:
        """Return the presets that lie within these limits."""
        if self.forbidden:
            return {}
        defaults = {name: each.get("default") for name, each in _properties(self.tightened(schema)).items()}
        return {
            name: preset
            for name, preset in presets.items()
            if preset.probability <= self.max_probability
            and all(
                bounds.problem({**defaults, **preset.parameters}.get(parameter)) is None
                for parameter, bounds in self.parameters.items()
            )
        }


_NONE = KindLimits()


@dataclass(frozen=True)
class Limits:
    """The limits of every kind; ``source`` is the file that they stand in, for messages."""

    kinds: Mapping[str, KindLimits] = field(default_factory=lambda: MappingProxyType({}))
    others: KindLimits = _NONE
    """Of the kinds that are not named."""
    source: str = ""

    def of(self, kind: str) -> KindLimits:
        """Return the limits of ``kind``."""
        return self.kinds.get(kind, self.others)


UNLIMITED = Limits()


def value_schema(schema: Schema) -> Schema:
    """Return the part of a parameter's ``schema`` that bounds its value: ``null`` is no value."""
    alternatives = schema.get("anyOf")
    for each in alternatives if isinstance(alternatives, list) else ():
        if isinstance(each, dict) and each.get("type") != "null":
            return each
    return schema


def _properties(schema: Schema) -> dict[str, Schema]:
    return cast("dict[str, Schema]", schema.get("properties") or {})


def _tighten(schema: Schema, bounds: Bounds) -> None:
    if bounds.choices is not None:
        schema["enum"] = list(bounds.choices)
        schema.pop("const", None)
    for bound, inclusive, exclusive in (
        (bounds.least, "minimum", "exclusiveMinimum"),
        (bounds.most, "maximum", "exclusiveMaximum"),
    ):
        if bound is not None:
            schema.pop(exclusive, None)
            schema[inclusive] = int(bound) if schema.get("type") == "integer" else bound


def _within(endpoint: str, allowed: str) -> bool:
    """Say whether everything that the glob ``endpoint`` can mean is meant by the glob ``allowed``, too."""
    pattern = endpoint_pattern(allowed)
    meanings: Sequence[str] = [_WILD.sub(lambda found, probe=probe: probe[found[0][0]], endpoint) for probe in _PROBES]  # type: ignore[misc]
    return endpoint == allowed or all(pattern.fullmatch(meaning) for meaning in meanings)
