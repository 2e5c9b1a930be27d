"""A PromQL expression as a tree of plain values: what ``promql_parser`` reads, without its printing and its classes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any

import promql_parser

from stack.rules.errors import UnscalableExpression
from stack.rules.tokens import token_count

MOST_TOKENS = 2000
"""More than this is not handed to the parser: it recurses, and runs out of stack at some 4,000 nested operators."""
MOST_DEPTH = 100
"""Trees deeper than this are refused."""


class Kind(StrEnum):
    """What a node is."""

    NUMBER = "number"
    STRING = "string"
    SELECTOR = "selector"
    MATRIX = "range selector"
    SUBQUERY = "subquery"
    CALL = "function"
    AGGREGATE = "aggregation"
    BINARY = "binary operator"
    UNARY = "sign"
    PAREN = "parentheses"


@dataclass(frozen=True)
class Node:
    """One node. Durations are whole milliseconds; 0 is none."""

    kind: Kind
    name: str = ""
    """The function, aggregation or operator; the text of a string, a number or a selector."""
    children: tuple[Node, ...] = ()
    range_ms: int = 0
    step_ms: int = 0
    offset_ms: int = 0
    fixed: bool = False
    """Whether an ``@`` pins it to a time."""
    modifier: str = ""
    value: float = field(default=0.0, compare=False)
    """A number's value; its ``name`` is what two trees are compared by, since NaN equals nothing."""
    index: int = field(default=-1, compare=False)
    """Which number literal of the text it is, from 0."""

    def walk(self) -> Iterator[Node]:
        """Yield this node and all below it."""
        yield self
        for child in self.children:
            yield from child.walk()

    @property
    def spans_ms(self) -> tuple[int, ...]:
        """Return range, step and offset where they are set, in that order."""
        return tuple(span for span in (self.range_ms, self.step_ms, self.offset_ms) if span)


@lru_cache(maxsize=1024)
def read_tree(expr: str) -> Node:
    """Return the tree of ``expr``; raise ``UnscalableExpression`` where it is not PromQL, or enormous."""
    if token_count(expr) > MOST_TOKENS:
        raise UnscalableExpression(expr, f"it has more than {MOST_TOKENS} words and signs")
    try:
        parsed = promql_parser.parse(expr)
    except ValueError as error:
        raise UnscalableExpression(expr, f"it does not parse ({error})") from None
    try:
        return _node(parsed, itertools.count(), 0)
    except _Unknown as error:
        raise UnscalableExpression(expr, str(error)) from None


class _Unknown(Exception):  # noqa: N818 - never leaves this module
    """The text says what Prometheus does not know, or not for good, or more than fits."""


def _node(parsed: Any, numbers: Iterator[int], depth: int) -> Node:
    """Return the tree below ``parsed``, a node of ``promql_parser``."""
    if depth > MOST_DEPTH:
        raise _Unknown(f"it is nested more than {MOST_DEPTH} deep")
    inner = tuple(_node(each, numbers, depth + 1) for each in _inside(parsed))
    match parsed:
        case promql_parser.NumberLiteral():
            node = Node(Kind.NUMBER, repr(parsed.val), value=parsed.val, index=next(numbers))
        case promql_parser.StringLiteral():
            node = Node(Kind.STRING, parsed.val)
        case promql_parser.VectorSelector():
            node = _selector(parsed)
        case promql_parser.MatrixSelector():
            node = replace(_selector(parsed.vector_selector), kind=Kind.MATRIX, range_ms=_ms(parsed.range))
        case promql_parser.SubqueryExpr():
            spans = (_ms(parsed.range), _ms(parsed.step), _ms(parsed.offset))
            node = Node(Kind.SUBQUERY, "", inner, *spans, fixed=parsed.at is not None)
        case promql_parser.Call():
            node = Node(Kind.CALL, parsed.func.name, inner)
        case promql_parser.AggregateExpr():
            node = Node(Kind.AGGREGATE, str(parsed.op), inner, modifier=_aggregation(parsed.modifier))
        case promql_parser.BinaryExpr():
            node = Node(Kind.BINARY, str(parsed.op), inner, modifier=_matching(parsed.modifier))
        case _:
            node = Node(Kind.UNARY if isinstance(parsed, promql_parser.UnaryExpr) else Kind.PAREN, "", inner)
    return node


def _inside(parsed: Any) -> list[Any]:
    """Return what stands directly inside ``parsed``, in the order of the text."""
    match parsed:
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


def _selector(parsed: Any) -> Node:
    if parsed.matchers.or_matchers:
        raise _Unknown("it holds `or` between label matchers, which Prometheus does not know")
    matchers = ",".join(f"{each.name}{each.op}{each.value!r}" for each in parsed.matchers.matchers)
    return Node(
        Kind.SELECTOR,
        f"{parsed.name or ''}{{{matchers}}}",
        offset_ms=_ms(parsed.offset),
        fixed=parsed.at is not None,
    )


def _aggregation(modifier: Any) -> str:
    return f"{modifier.type} {','.join(modifier.labels)}" if modifier is not None else ""


def _matching(modifier: Any) -> str:
    if modifier is None:
        return ""
    matching, groups, fill = modifier.matching, modifier.group_labels, modifier.fill_values
    if fill is not None and (fill.lhs is not None or fill.rhs is not None):
        raise _Unknown("it fills in missing series, which is not stable in Prometheus")
    on = f"{matching.type} {','.join(matching.labels)}" if matching is not None else ""
    group = f"{modifier.card} {','.join(groups or ())}"
    return f"{'bool ' if modifier.return_bool else ''}{on} {group}"


def _ms(span: timedelta | None) -> int:
    return 0 if span is None else round(span / timedelta(milliseconds=1))
