"""The series selectors of an expression, each as a text of its own that can be asked for. Nothing is evaluated."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import promql_parser

from stack.rules.tree import read_tree

_OPERATORS: Mapping[str, str] = MappingProxyType({"Equal": "=", "NotEqual": "!=", "Re": "=~", "NotRe": "!~"})
NAME = "__name__"


@dataclass(frozen=True)
class Selector:
    """A selector without its range and offset. ``metric`` is empty where it names none exactly."""

    metric: str
    text: str
    matchers: tuple[str, ...] = ()
    """Each of its label matchers, such as ``job="firedrill"``."""
    names: tuple[tuple[str, str], ...] = ()
    """What it asks of the name of a series beside ``metric``: operators such as ``=~``, each with its value."""

    def takes(self, name: str) -> bool:
        """Return whether a series called ``name`` may be among those it selects."""
        if self.metric and self.metric != name:
            return False
        return all(_holds(operator, value, name) for operator, value in self.names)


@lru_cache(maxsize=1024)
def selectors_of(expr: str) -> tuple[Selector, ...]:
    """Return the selectors of ``expr``, once each, from the left; raise ``UnscalableExpression`` where it is none."""
    read_tree(expr)  # refuses what does not parse, or is enormous
    return tuple(dict.fromkeys(_below(promql_parser.parse(expr))))


def _below(parsed: Any) -> Iterator[Selector]:
    match parsed:
        case promql_parser.VectorSelector():
            yield _selector(parsed)
        case promql_parser.MatrixSelector():
            yield _selector(parsed.vector_selector)
        case promql_parser.Call():
            for each in parsed.args:
                yield from _below(each)
        case promql_parser.AggregateExpr():
            for each in (parsed.param, parsed.expr):
                yield from _below(each)
        case promql_parser.BinaryExpr():
            yield from _below(parsed.lhs)
            yield from _below(parsed.rhs)
        case promql_parser.SubqueryExpr() | promql_parser.UnaryExpr() | promql_parser.ParenExpr():
            yield from _below(parsed.expr)


def _selector(parsed: Any) -> Selector:
    read = [(each.name, _OPERATORS[str(each.op).rpartition(".")[2]], each.value) for each in parsed.matchers.matchers]
    matchers = [f"{name}{operator}{json.dumps(value, ensure_ascii=False)}" for name, operator, value in read]
    names = tuple((operator, value) for name, operator, value in read if name == NAME)
    exact = next((value for operator, value in names if operator == "="), "")
    text = f"{parsed.name or ''}{{{','.join(matchers)}}}"
    return Selector(parsed.name or exact, text, tuple(matchers), names)


def _holds(operator: str, value: str, name: str) -> bool:
    """Return whether a matcher takes ``name``; one whose pattern is none for Python takes everything."""
    if operator in {"=", "!="}:
        return (value == name) == (operator == "=")
    try:
        matches = re.fullmatch(value, name) is not None
    except re.error:
        return True
    return matches == (operator == "=~")
