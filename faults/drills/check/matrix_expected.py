"""Which alert is expected to fire for which fault: what the library's drills say, or a table of the user's own.

Read and matched by name here; what comes of it, the matrix says.
"""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError, field_validator

from faults.base import catalogue
from faults.drills import document
from faults.drills.check.errors import CheckError
from faults.drills.check.scenarios import READY, ReadyFault
from faults.drills.errors import BadDrill
from faults.drills.parts import FaultStep
from faults.drills.spec import load_library

OF_THE_LIBRARY = "the drills of the library"
OTHERS = "others"


class BadExpectations(CheckError):  # noqa: N818 - reads as a fact where it is raised
    """A table of expectations was refused; ``problems`` has a sentence for each thing that is wrong with it."""

    def __init__(self, source: str, problems: Iterable[str]) -> None:
        self.source, self.problems = source, tuple(problems)
        listed = "".join(f"\n  - {problem}" for problem in self.problems)
        super().__init__(f"{source} is no table of expectations (docs/matrix.md):{listed}")


class Wish(StrEnum):
    """What is wished of one alert in one fault."""

    EXPECTED = "expected"
    ALLOWED = "allowed"
    SILENT = "silent"
    NOTHING = ""


class AlertWishes(BaseModel):
    """One alert of a user's table. Faults by the name of a scenario, or by their kind, which means all its modes."""

    model_config = ConfigDict(extra="forbid")

    expected: list[str] = Field(default_factory=list)
    allowed: list[str] = Field(default_factory=list)
    silent: list[str] = Field(default_factory=list)

    @field_validator("silent", mode="before")
    @classmethod
    def _one_word(cls, value: JsonValue) -> JsonValue:
        return [OTHERS] if value == OTHERS else value


_TABLE = TypeAdapter(dict[str, AlertWishes])


@dataclass(frozen=True)
class Expectations:
    """What is wished, by alert and fault, and where that stands."""

    source: str
    wishes: Mapping[str, Mapping[str, Wish]] = field(default_factory=dict)
    others: frozenset[str] = frozenset()
    """Alerts that shall be silent for every fault that is not named."""

    def of(self, alert: str, fault: str) -> Wish:
        """Return what is wished of ``alert`` in ``fault``."""
        rest = Wish.SILENT if alert in self.others else Wish.NOTHING
        return self.wishes.get(alert, {}).get(fault, rest)


def library_expectations() -> Expectations:
    """Return what the drills of the library expect of each ready-made fault.

    A drill with one kind of fault speaks of the ready-made one that is most like its own; what it expects or allows
    is allowed for every other of that kind.
    """
    wishes: dict[str, dict[str, Wish]] = defaultdict(dict)
    for drill in load_library().values():
        kinds = {step.kind for step in drill.faults}
        nearest = _nearest(drill.faults[0]) if len(kinds) == 1 else None
        if nearest is None:
            continue
        expected = {one.alert for one in drill.expect}
        for alert in {*drill.allow, *expected}:
            for one in (one for one in READY if one.kind in kinds):
                wishes[alert].setdefault(one.name, Wish.ALLOWED)
        for alert in expected:
            wishes[alert][nearest.name] = Wish.EXPECTED
    return Expectations(OF_THE_LIBRARY, wishes)


def read_expectations(path: Path, alerts: Iterable[str]) -> Expectations:
    """Return the table in the YAML file ``path``, of ``alerts``; raise ``BadExpectations`` with every problem."""
    source = str(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise BadExpectations(source, [f"it cannot be read: {problem}"]) from None
    return expectations_in(text, source, alerts)


def expectations_in(text: str, source: str, alerts: Iterable[str]) -> Expectations:
    """Return the table in the YAML ``text``, which errors call ``source``; raise ``BadExpectations``."""
    try:
        root = document.compose(text, source)
        table = _TABLE.validate_python(yaml.safe_load(text))
    except BadDrill as refused:
        raise BadExpectations(source, refused.problems) from None
    except ValidationError as error:
        raise BadExpectations(source, [document.problem(root, detail) for detail in error.errors()]) from None
    except (yaml.YAMLError, ValueError) as error:
        raise BadExpectations(source, [document.one_line(error)]) from None
    problems: list[str] = []
    wishes: dict[str, dict[str, Wish]] = {}
    known = sorted(set(alerts))
    for alert, one in table.items():
        if alert not in known:
            problems.append(f"{alert}: {_unknown('alert among these rules', alert, known)}")
        wishes[alert] = _named(alert, one, problems)
    if problems:
        raise BadExpectations(source, problems)
    return Expectations(source, wishes, frozenset(alert for alert, one in table.items() if OTHERS in one.silent))


def _named(alert: str, one: AlertWishes, problems: list[str]) -> dict[str, Wish]:
    """Return the wishes of one alert by the faults' full names; add what is wrong with them to ``problems``."""
    wished: dict[str, Wish] = {}
    silent = [name for name in one.silent if name != OTHERS]
    for wish, names in ((Wish.EXPECTED, one.expected), (Wish.ALLOWED, one.allowed), (Wish.SILENT, silent)):
        for name in names:
            found = _faults(name)
            if not found:
                problems.append(f"{alert}: {_unknown('fault', name, [each.name for each in READY])}")
            problems += [
                f"{alert}: {fault} is both {wished[fault]} and {wish}; name it once"
                for fault in found
                if wished.setdefault(fault, wish) != wish
            ]
    return wished


def _faults(name: str) -> list[str]:
    """Return the scenario called ``name``; those of a kind of that name where there is none."""
    exactly = [one.name for one in READY if one.name == name.strip()]
    return exactly or [one.name for one in READY if one.kind == name.strip()]


def _unknown(what: str, name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, n=2)
    meant = f"did you mean {' or '.join(close)}?" if close else f"there are: {', '.join(known)}"
    return f"no {what} named {name!r}; {meant}"


def _nearest(step: FaultStep) -> ReadyFault | None:
    """Return the ready-made fault of the same kind that is most like ``step``, in what those of a kind differ in."""
    ready = [one for one in READY if one.kind == step.kind]
    if not ready:
        return None
    meant = catalogue()[step.kind].parameters_type.model_validate(step.parameters).model_dump()
    by_parameter: dict[str, set[object]] = defaultdict(set)
    for one in ready:
        for name, value in one.parameters.items():
            by_parameter[name].add(value)
    telling = {
        name for name in by_parameter if len(by_parameter[name]) > 1 or any(name not in one.parameters for one in ready)
    }

    def alike(one: ReadyFault) -> int:
        full = catalogue()[one.kind].parameters_type.model_validate(dict(one.parameters)).model_dump()
        return sum(full.get(name) == meant.get(name) for name in telling)

    return max(ready, key=alike)
