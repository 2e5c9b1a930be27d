"""Drill files: what is lit, which alerts must ring and by when. Read and checked here, never run.

A file is YAML, ``version: 1``. Its durations are Prometheus durations in production time; whoever runs the drill
divides them by the stack's pace. Unknown keys, duplicate keys and anchors are refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import yaml
from pydantic import Field, PrivateAttr, ValidationError, model_validator

from faults.base import MAX_TTL_S
from faults.drills import document
from faults.drills.document import MAX_BYTES
from faults.drills.errors import BadDrill
from faults.drills.parts import (
    NAME,
    AbortCondition,
    Contradiction,
    Duration,
    Expectation,
    FaultStep,
    History,
    HistorySeries,
    Part,
    Repeat,
    SteadyState,
)
from faults.drills.schedule import Lighting, expand
from faults.drills.wire import TrafficSettings
from stack.pace import Pace

__all__ = [
    "LIBRARY",
    "MAX_BYTES",
    "AbortCondition",
    "Drill",
    "Expectation",
    "FaultStep",
    "History",
    "HistorySeries",
    "Repeat",
    "SteadyState",
    "load_drill",
    "load_library",
    "parse_drill",
]

LIBRARY = Path(__file__).parent / "library"


class Drill(Part):
    """One drill file. Durations are seconds of production time."""

    version: Literal[1]
    name: str = Field(pattern=NAME)
    title: str = Field(min_length=1, max_length=200)
    description: str = ""
    seed: int | None = Field(default=None, ge=0, description="Every random choice follows from it; else it is drawn.")
    traffic: TrafficSettings | None = None
    history: History | None = None
    steady_state: SteadyState = Field(default_factory=SteadyState)
    faults: tuple[FaultStep, ...] = Field(min_length=1, max_length=20)
    abort_if: tuple[AbortCondition, ...] = Field(default=(), max_length=10)
    expect: tuple[Expectation, ...] = Field(max_length=50, description="Empty: nothing may ring, for `watch`.")
    watch: Duration | None = Field(
        default=None, gt=0.0, le=MAX_TTL_S, description="How long nothing may ring, from the first fault on."
    )
    allow: tuple[str, ...] = ()
    _root: yaml.Node | None = PrivateAttr(default=None)
    _text: str = PrivateAttr(default="")

    @model_validator(mode="after")
    def _no_contradiction(self) -> Drill:
        seen: set[tuple[str, frozenset[tuple[str, str]]]] = set()
        for index, expectation in enumerate(self.expect):
            key = (expectation.alert, frozenset(expectation.labels.items()))
            if key in seen:
                reason = f"alert {expectation.alert} with the same labels is expected twice"
                raise Contradiction(("expect", index, "alert"), reason)
            seen.add(key)
        both = {expectation.alert for expectation in self.expect if not expectation.labels} & set(self.allow)
        if both:
            reason = f"{', '.join(sorted(both))}: an alert is either expected or merely allowed, not both"
            raise Contradiction(("allow",), reason)
        if not self.expect and self.watch is None:
            raise Contradiction(("expect",), "where no alert is expected, `watch` says for how long nothing may ring")
        if self.expect and self.watch is not None:
            raise Contradiction(("watch",), "it belongs to a drill with `expect: []`, in which nothing may ring")
        expand(self.faults, seed=0)
        return self

    @property
    def text(self) -> str:
        """Its file, word for word; empty where there is none."""
        return self._text

    def schedule(self, seed: int, pace: Pace) -> tuple[Lighting, ...]:
        """Return what is lit when, at ``pace``."""
        return expand(self.faults, seed=seed, pace=pace)

    def where(self, *loc: int | str) -> str:
        """Return the place of ``loc`` as the beginning of a sentence, with its line where there is a file."""
        if self._root is not None:
            return document.where(self._root, loc)
        path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc)
        return f"{path.removeprefix('.')}: "


def parse_drill(text: str, source: str = "the drill") -> Drill:
    """Return the drill that ``text`` describes, or raise ``BadDrill`` with every problem found and its line."""
    root = document.compose(text, source)
    try:
        drill = Drill.model_validate(yaml.safe_load(text))
    except ValidationError as error:
        found = [detail for detail in error.errors() if not document.follows(detail, error.errors())]
        raise BadDrill(source, [document.problem(root, detail) for detail in found]) from None
    except (yaml.YAMLError, ValueError) as error:  # a scalar such as !!timestamp that does not construct
        raise BadDrill(source, [document.one_line(error)]) from None
    drill._root, drill._text = root, text  # noqa: SLF001 - its own reader
    return drill


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
