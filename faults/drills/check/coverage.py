"""Whether an expression's series are among those that there are: by name, by label, by job. Nothing is evaluated.

What is not covered was not tried: the verdict on its alert is neither "fine" nor "dead".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import promql_parser

from faults.drills.lint.inventory import OWN, Inventory
from stack.rules.errors import RuleError
from stack.rules.tree import read_tree

OWN_SERIES = frozenset({"ALERTS", "ALERTS_FOR_STATE"})
"""What Prometheus writes by itself where there are alerts."""
ABSENCE = frozenset({"absent", "absent_over_time"})
SAMPLES = frozenset({"job", "instance"})
"""Labels that every scraped series has from its target."""


@dataclass(frozen=True)
class Signals:
    """What series there are. ``labels``: for a name, the values that each of its labels has; empty where unknown."""

    names: frozenset[str]
    labels: Mapping[str, Mapping[str, frozenset[str]]]

    def lacks(self, name: str, matchers: Sequence[tuple[str, str, str]]) -> str:
        """Return what of a selector there is not, as a clause; empty where it may select something.

        ``matchers`` are label, operator and value. Only a label that no series of the name carries, and a job that is
        another, are taken for proof: a status that nobody was answered with yet is no gap.
        """
        if name and name not in self.names and name not in OWN_SERIES:
            return f"there is no series {name}"
        known = self.labels.get(name)
        if not known:
            return ""
        for label, operator, value in matchers:
            if operator != "=" or not value:
                continue
            if label not in known:
                return f"{name} has no label {label}"
            if label == "job" and known[label] and value not in known[label]:
                return f'no {name} has job="{value}"; here it has job="{min(known[label])}"'
        return ""


def signals_of(inventory: Inventory, *, target: Mapping[str, str] | None = None, names: Iterable[str] = ()) -> Signals:
    """Return the series of ``inventory`` and those called ``names``.

    ``target`` has the labels that scraped series get beside their own, ``job`` among them; where it is not given, what
    the inventory says of labels is all of it.
    """
    added = {label: frozenset({value}) for label, value in (target or {}).items()}
    if target is not None:
        added |= {label: frozenset[str]() for label in SAMPLES - added.keys()}
    listed = {**OWN, **inventory.series}
    labels = {
        name: {**(one.labels or {}), **added}
        for name, one in listed.items()
        if one.labels is not None or (name in OWN and name not in OWN_SERIES and target is not None)
    }
    return Signals(frozenset({*listed, *names}), labels)


def lacking(expr: str, signals: Signals, recordings: Sequence[tuple[str, str]] = ()) -> tuple[str, ...]:
    """Return what ``expr`` needs and there is not, a clause each; empty where it is covered.

    Of alternatives (``or``) one has to be there. What ``absent`` or ``unless`` asks for has to be there as well: that
    a series is missing proves nothing where it could never have been. A recorded series is there where what it
    reads is.
    """
    known: dict[str, list[str]] = defaultdict(list)
    for name, recorded in recordings:
        known[name].append(recorded)
    try:
        read_tree(expr)  # refuses what does not parse, or is enormous
    except RuleError:
        return ()
    return tuple(dict.fromkeys(_Coverage(signals, known).of(promql_parser.parse(expr), frozenset())))


class _Coverage:
    """Finds what is missing; ``recordings`` are expressions by the name that they are recorded under."""

    def __init__(self, signals: Signals, recordings: Mapping[str, Sequence[str]]) -> None:
        self._signals, self._recordings = signals, recordings

    def of(self, parsed: Any, within: frozenset[str]) -> list[str]:
        """Return what is missing below ``parsed``; ``within`` are the recordings that led to it."""
        if isinstance(parsed, promql_parser.VectorSelector):
            return self._selector(parsed, within)
        missing = [self.of(each, within) for each in _inside(parsed)]
        if isinstance(parsed, promql_parser.BinaryExpr) and str(parsed.op) == "or" and not all(missing):
            return self._asked_for(parsed, within)
        return [each for part in missing for each in part]

    def _asked_for(self, parsed: Any, within: frozenset[str]) -> list[str]:
        """Return what is missing of alternatives of which one is there: what they ask the absence of."""
        missing: list[str] = []
        for side in (parsed.lhs, parsed.rhs):
            bare = side
            while isinstance(bare, promql_parser.ParenExpr):
                bare = bare.expr
            if isinstance(bare, promql_parser.Call) and bare.func.name in ABSENCE:
                missing += self.of(bare, within)
        return missing

    def _selector(self, parsed: Any, within: frozenset[str]) -> list[str]:
        name = parsed.name or ""
        matchers = [
            (each.name, {"Equal": "=", "NotEqual": "!="}.get(str(each.op).rpartition(".")[2], "~"), each.value)
            for each in parsed.matchers.matchers
        ]
        exact = [value for label, operator, value in matchers if label == "__name__" and operator == "="]
        name = name or (exact[0] if exact else "")
        matchers = [each for each in matchers if each[0] != "__name__"]
        if name in self._recordings:
            if name in within:
                return []
            ways = [self.of(promql_parser.parse(one), within | {name}) for one in self._recordings[name]]
            return [] if any(not way for way in ways) else ways[0]
        lacks = self._signals.lacks(name, matchers)
        return [lacks] if lacks else []


def _inside(parsed: Any) -> list[Any]:
    """Return what stands directly inside ``parsed``."""
    match parsed:
        case promql_parser.MatrixSelector():
            return [parsed.vector_selector]
        case promql_parser.Call():
            return list(parsed.args)
        case promql_parser.AggregateExpr():
            return [each for each in (parsed.param, parsed.expr) if each is not None]
        case promql_parser.BinaryExpr():
            return [parsed.lhs, parsed.rhs]
        case promql_parser.SubqueryExpr() | promql_parser.UnaryExpr() | promql_parser.ParenExpr():
            return [parsed.expr]
        case _:
            return []
