"""The operator's limits as a file: ``limits.yaml`` in the stack's home, or what ``FIREDRILL_LIMITS`` names.

Every process that holds faults reads it once, when it starts; a bad file stops the start. It changes nothing and
enforces nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, ValidationError
from pydantic_core import ErrorDetails

import faults.kinds  # noqa: F401 - fills the catalogue
from faults.base import MAX_TTL_S, catalogue
from faults.errors import BadLimits
from faults.limits import Bounds, KindLimits, Limits, Schema, value_schema
from stack.home import Home
from stack.rules.durations import parse_duration
from stack.rules.errors import BadDuration

ENVIRONMENT = "FIREDRILL_LIMITS"
FILE = "limits.yaml"
MAX_BYTES = 256 * 1024
EVERY = "*"
_LEAST_TTL_S = 1.0


def _seconds(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return parse_duration(value)
    except BadDuration as error:
        raise ValueError(str(error)) from None


Duration = Annotated[float, BeforeValidator(_seconds), Field(ge=_LEAST_TTL_S, le=MAX_TTL_S, allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Bounds(_Part):
    min: float | None = Field(default=None, allow_inf_nan=False)
    max: float | None = Field(default=None, allow_inf_nan=False)
    allowed: list[JsonValue] | None = Field(default=None, min_length=1)


class _Targets(_Part):
    models: list[str] | None = None
    endpoints: list[str] | None = None


class _Kind(_Part):
    forbidden: bool | None = None
    max_ttl: Duration = MAX_TTL_S
    max_probability: float = Field(default=1.0, gt=0.0, le=1.0)
    parameters: dict[str, _Bounds] = Field(default_factory=dict)
    targets: _Targets = Field(default_factory=_Targets)


class _File(_Part):
    version: Literal[1]
    kinds: dict[str, _Kind] = Field(default_factory=dict)


def read_limits(home: Home, environment: Mapping[str, str] = os.environ) -> Limits:
    """Return the limits of the stack in ``home``; none where there is no file. Raises ``BadLimits``."""
    named = environment.get(ENVIRONMENT)
    path = Path(named).expanduser() if named else home.root / FILE
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        if not named:
            return Limits()
        raise BadLimits(str(path), [f"there is no such file, and {ENVIRONMENT} names it"]) from None
    except OSError as error:
        raise BadLimits(str(path), [f"cannot be read: {error.strerror or error}"]) from None
    return parse_limits(raw, str(path))


def parse_limits(raw: bytes, source: str) -> Limits:
    """Return the limits that ``raw`` states; raise ``BadLimits`` with a line for everything that is wrong."""
    if len(raw) > MAX_BYTES:
        raise BadLimits(source, [f"larger than {MAX_BYTES // 1024} KiB"])
    try:
        root = _composed(raw.decode("utf-8"), source)
        stated = _File.model_validate(yaml.SafeLoader("").construct_document(root))
    except UnicodeDecodeError as error:
        raise BadLimits(source, [f"not UTF-8 text (at byte {error.start})"]) from None
    except ValidationError as error:
        found = error.errors(include_url=False)
        raise BadLimits(source, [_sentence(root, detail) for detail in found]) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark is not None else ""
        raise BadLimits(source, [f"{line}not valid YAML: {getattr(error, 'problem', None) or error}"]) from None
    problems = [f"line {_line(root, at)}: {'.'.join(at)}: {what}" for at, what in _misfits(stated)]
    if problems:
        raise BadLimits(source, problems)
    common = stated.kinds.get(EVERY, _Kind())
    apart = common.model_copy(update={"targets": _Targets()})
    named = {
        name: _limits(stated.kinds.get(name, _Kind()), common if kind.place == "service" else apart)
        for name, kind in catalogue().items()
    }
    return Limits(MappingProxyType(named), _limits(_Kind(), common), source)


def _limits(kind: _Kind, common: _Kind) -> KindLimits:
    """Return what holds for a kind: the tighter of what is said of it and of all.

    Targets that are said of all are left out of ``common`` for kinds that act on more than requests and models.
    """
    forbidden = common.forbidden if kind.forbidden is None else kind.forbidden
    models = kind.targets.models if kind.targets.models is not None else common.targets.models
    endpoints = kind.targets.endpoints if kind.targets.endpoints is not None else common.targets.endpoints
    return KindLimits(
        forbidden=bool(forbidden),
        max_ttl_s=min(kind.max_ttl, common.max_ttl),
        max_probability=min(kind.max_probability, common.max_probability),
        parameters=MappingProxyType(
            {
                name: Bounds(each.min, each.max, None if each.allowed is None else tuple(each.allowed))
                for name, each in kind.parameters.items()
            }
        ),
        models=None if models is None else tuple(models),
        endpoints=None if endpoints is None else tuple(endpoints),
    )


def _misfits(stated: _File) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield where and why something is said that no kind could keep."""
    for name, kind in stated.kinds.items():
        if name == EVERY:
            if kind.parameters:
                yield ("kinds", name, "parameters"), "parameters belong to one kind; name it"
            continue
        if name not in catalogue():
            yield ("kinds", name), f"no such kind of fault; known kinds: {', '.join(sorted(catalogue()))}"
            continue
        schema = catalogue()[name].parameters_type.model_json_schema()
        properties: dict[str, Schema] = schema.get("properties", {})
        for parameter, bounds in kind.parameters.items():
            at = ("kinds", name, "parameters", parameter)
            if parameter not in properties:
                yield at, f"no such parameter; {name} has: {', '.join(properties) or 'none'}"
            elif (problem := _misfit(value_schema(properties[parameter]), bounds)) is not None:
                yield at, problem


def _misfit(schema: Schema, bounds: _Bounds) -> str | None:
    """Return why ``bounds`` cannot hold for a parameter of this ``schema``."""
    if bounds.allowed is not None:
        known = schema.get("enum") or ([schema["const"]] if "const" in schema else None)
        known = [False, True] if schema.get("type") == "boolean" else known
        if not isinstance(known, list):
            return "`allowed` is for parameters with fixed values; this one takes min and max"
        odd = [value for value in bounds.allowed if value not in known]
        return f"expected some of {', '.join(map(str, known))}, got {', '.join(map(str, odd))}" if odd else None
    if schema.get("type") not in {"number", "integer"}:
        return "min and max are for numbers; this one takes `allowed`, where its values are fixed"
    return _misfit_of_number(schema, bounds)


def _misfit_of_number(schema: Schema, bounds: _Bounds) -> str | None:
    if bounds.min is not None and bounds.max is not None and bounds.min > bounds.max:
        return f"min {bounds.min:g} is above max {bounds.max:g}"
    given = [bound for bound in (bounds.min, bounds.max) if bound is not None]
    if schema["type"] == "integer" and not all(bound.is_integer() for bound in given):
        return "expected whole numbers"
    low, high = schema.get("minimum", schema.get("exclusiveMinimum")), schema.get("maximum")
    for bound in given:
        below = isinstance(low, int | float) and (bound < low or (bound == low and "exclusiveMinimum" in schema))
        if below or (isinstance(high, int | float) and bound > high):
            return f"{bound:g} is not within the kind's own bounds, {low} to {high}"
    return None


def _composed(text: str, source: str) -> yaml.MappingNode:
    """Return the file's node tree, without aliases and without keys that stand twice."""
    for event in yaml.parse(text, yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            line = event.start_mark.line + 1 if event.start_mark else 1
            raise BadLimits(source, [f"line {line}: aliases are not used in this file"])
    root = yaml.compose(text, yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode):
        raise BadLimits(source, ["line 1: expected a mapping with `version: 1` and `kinds`"])
    twice = list(_twice(root))
    if twice:
        raise BadLimits(source, twice)
    return root


def _twice(node: yaml.Node) -> Iterator[str]:
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            if key.value in seen:
                yield f"line {key.start_mark.line + 1}: {key.value}: stands twice"
            if isinstance(key, yaml.ScalarNode):
                seen.add(key.value)
            yield from _twice(value)


def _sentence(root: yaml.Node, detail: ErrorDetails) -> str:
    at = tuple(str(part) for part in detail["loc"])
    if detail["type"] == "extra_forbidden":
        message = "unknown key"
    elif detail["type"] == "missing":
        message = "is missing"
    else:
        said = detail["msg"].removeprefix("Value error, ")
        message = f"{said[:1].lower()}{said[1:]}, got {detail['input']!r:.80}"
    return f"line {_line(root, at)}: {'.'.join(at) or 'the file'}: {message}"


def _line(root: yaml.Node, at: tuple[str, ...]) -> int:
    """Return the line of the deepest node on the way to ``at``."""
    node, line = root, root.start_mark.line + 1
    for part in at:
        children = node.value if isinstance(node, yaml.MappingNode) else ()
        for key, child in children:
            if key.value == part:
                node, line = child, key.start_mark.line + 1
                break
        else:
            break
    return line
