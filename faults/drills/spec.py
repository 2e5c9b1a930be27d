"""Drill files: what is lit, which alerts must ring and by when. Read and checked here, never run.

A file is YAML, ``version: 1``. Its durations are Prometheus durations in production time; whoever runs the drill
divides them by the stack's pace. Unknown keys, duplicate keys and anchors are refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, ValidationError, model_validator
from pydantic_core import ErrorDetails

from faults.base import MAX_TTL_S, Target
from faults.drills.errors import BadDrill
from faults.drills.wire import TrafficSettings
from stack.errors import StackError
from stack.rules.durations import parse_duration

MAX_BYTES = 64 * 1024
LIBRARY = Path(__file__).parent / "library"


def _seconds(value: object) -> object:
    if isinstance(value, float):
        return value  # a default, or a model built in code
    if not isinstance(value, str):
        msg = f"expected a duration with its unit, such as 30s or 5m, got {value!r}"
        raise ValueError(msg)  # noqa: TRY004 - pydantic turns a ValueError into a problem of the file
    try:
        return float(parse_duration(value))
    except (StackError, ValueError) as error:
        msg = f"expected a duration such as 30s, 5m or 1h30m, got {value!r}"
        raise ValueError(msg) from error


Duration = Annotated[float, BeforeValidator(_seconds)]
"""Seconds of production time, written in Prometheus's notation."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SteadyState(_Part):
    """How quiet it must be before the fault."""

    within: Duration = Field(default=600.0, ge=0.0, description="How long to wait for the steady state.")
    hold: Duration = Field(default=60.0, ge=0.0, description="How long every expected alert must have been inactive.")


class FaultStep(_Part):
    """One fault of a drill."""

    kind: str
    parameters: dict[str, JsonValue] = Field(default_factory=dict)
    target: Target = Field(default_factory=Target)
    probability: float = Field(default=1.0, gt=0.0, le=1.0)
    ttl: Duration = Field(gt=0.0, le=MAX_TTL_S, description="Until the fault ends by itself; mandatory.")
    at: Duration = Field(default=0.0, ge=0.0, le=MAX_TTL_S, description="Delay after the steady state was reached.")
    seed: int | None = Field(default=None, ge=0)


class Expectation(_Part):
    """One alert that must ring."""

    alert: str = Field(min_length=1)
    labels: dict[str, str] = Field(default_factory=dict, description="Labels that the alert must carry, among others.")
    firing_within: Duration = Field(gt=0.0, le=MAX_TTL_S, description="After the first fault.")
    delivered_within: Duration = Field(
        default=180.0, gt=0.0, le=MAX_TTL_S, description="After firing, and after resolving."
    )
    resolved_within: Duration = Field(gt=0.0, le=MAX_TTL_S, description="After the rollback.")


class Drill(_Part):
    """One drill file. Durations are seconds of production time."""

    version: Literal[1]
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    title: str = Field(min_length=1, max_length=200)
    description: str = ""
    traffic: TrafficSettings | None = None
    steady_state: SteadyState = Field(default_factory=SteadyState)
    faults: tuple[FaultStep, ...] = Field(min_length=1, max_length=20)
    expect: tuple[Expectation, ...] = Field(min_length=1, max_length=50)
    allow: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _no_contradiction(self) -> Drill:
        seen: set[tuple[str, frozenset[tuple[str, str]]]] = set()
        for expectation in self.expect:
            key = (expectation.alert, frozenset(expectation.labels.items()))
            if key in seen:
                msg = f"alert {expectation.alert} with the same labels is expected twice"
                raise ValueError(msg)
            seen.add(key)
        both = {expectation.alert for expectation in self.expect if not expectation.labels} & set(self.allow)
        if both:
            msg = f"{', '.join(sorted(both))}: an alert is either expected or merely allowed, not both"
            raise ValueError(msg)
        return self


def parse_drill(text: str, source: str = "the drill") -> Drill:
    """Return the drill that ``text`` describes, or raise ``BadDrill`` with every problem found and its line."""
    root = _node(text, source)
    structure = [*_odd_keys(root)]
    if structure:
        raise BadDrill(source, structure)
    try:
        return Drill.model_validate(yaml.safe_load(text))
    except ValidationError as error:
        found = [detail for detail in error.errors() if not _follows(detail, error.errors())]
        raise BadDrill(source, [_problem(root, detail) for detail in found]) from None
    except (yaml.YAMLError, ValueError) as error:  # a scalar such as !!timestamp that does not construct
        raise BadDrill(source, [_one_line(error)]) from None


def load_drill(path: Path) -> Drill:
    """Return the drill in the file at ``path``, or raise ``BadDrill``."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadDrill(str(path), [f"cannot be read: {error}"]) from None
    return parse_drill(text, str(path))


def load_library(folder: Path = LIBRARY) -> dict[str, Drill]:
    """Return the drills of ``folder`` by name; a file whose name differs from its drill's is refused."""
    drills: dict[str, Drill] = {}
    for path in sorted(folder.glob("*.yaml")):
        drill = load_drill(path)
        if drill.name != path.stem:
            raise BadDrill(str(path), [f"name: {drill.name!r} must be the file's own name, {path.stem!r}"])
        drills[drill.name] = drill
    return drills


def _node(text: str, source: str) -> yaml.Node:
    if len(text.encode("utf-8", "replace")) > MAX_BYTES:
        raise BadDrill(source, [f"larger than {MAX_BYTES // 1024} KiB"])
    try:
        for event in yaml.parse(text, yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                line = event.start_mark.line + 1 if event.start_mark else 1
                raise BadDrill(source, [f"line {line}: anchors and aliases are not used in drill files"])
        root = yaml.compose(text, yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise BadDrill(source, [_one_line(error)]) from None
    except RecursionError:
        raise BadDrill(source, ["nested too deeply"]) from None
    if not isinstance(root, yaml.MappingNode):
        raise BadDrill(source, ["expected a mapping with version, name, title, faults and expect"])
    return root


def _one_line(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return " ".join(str(error).split())
    return f"line {mark.line + 1}: not valid YAML: {getattr(error, 'problem', None) or 'unreadable'}"


def _odd_keys(node: yaml.Node, path: str = "") -> Iterator[str]:
    """Yield a problem for each key that is not text or stands twice in its mapping."""
    if isinstance(node, yaml.SequenceNode):
        for index, child in enumerate(node.value):
            yield from _odd_keys(child, f"{path}[{index}]")
    if not isinstance(node, yaml.MappingNode):
        return
    seen: set[str] = set()
    for key, child in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode) or key.tag != "tag:yaml.org,2002:str":
            yield f"line {line}: {path or 'top level'}: keys must be plain text (put others in quotes)"
            continue
        below = f"{path}.{key.value}" if path else key.value
        if key.value in seen:
            yield f"line {line}: {below}: stands twice"
        seen.add(key.value)
        yield from _odd_keys(child, below)


def _follows(detail: ErrorDetails, others: list[ErrorDetails]) -> bool:
    """Say whether a list counts as too short only because of what is wrong with its items."""
    loc = detail["loc"]
    inside = (other for other in others if len(other["loc"]) > len(loc) and other["loc"][: len(loc)] == loc)
    return detail["type"] == "too_short" and any(inside)


def _problem(root: yaml.Node, detail: ErrorDetails) -> str:
    """Return one sentence for a pydantic error: line, key path, what was expected."""
    line, path = _find(root, detail["loc"])
    if detail["type"] == "extra_forbidden":
        message = "unknown key"
    elif detail["type"] == "missing":
        message = "is missing"
    elif detail["type"] == "value_error":
        message = detail["msg"].removeprefix("Value error, ")
    else:
        message = f"{detail['msg'][:1].lower()}{detail['msg'][1:]}, got {detail['input']!r:.80}"
    return f"line {line}: {path + ': ' if path else ''}{message}"


def _find(root: yaml.Node, loc: tuple[int | str, ...]) -> tuple[int, str]:
    """Return the line of the deepest node on the way to ``loc``, and ``loc`` as a key path."""
    node, line, path, lost = root, root.start_mark.line + 1, "", False
    for part in loc:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
        if lost:
            continue
        lost = True
        if isinstance(node, yaml.MappingNode):
            for key, child in node.value:
                if key.value == part:
                    node, line, lost = child, key.start_mark.line + 1, False
                    break
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node, lost = node.value[part], False
            line = node.start_mark.line + 1
    return line, path
