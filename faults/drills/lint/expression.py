"""A PromQL expression as plain values that checks can look at, change and write out again. Nothing is evaluated.

``stack.rules.tree`` keeps what matters for pace; a check needs matchers, groupings and vector matching one by one.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import promql_parser

from faults.drills.lint.errors import UnreadableExpression
from faults.drills.lint.position import position_of
from stack.rules.errors import UnscalableExpression
from stack.rules.tree import read_tree

COMPARISONS = frozenset({"==", "!=", ">", "<", ">=", "<="})
SETS = frozenset({"and", "or", "unless"})
_OPERATORS = {"Equal": "=", "NotEqual": "!=", "Re": "=~", "NotRe": "!~"}


@dataclass(frozen=True)
class Matcher:
    """One label matcher; ``op`` is one of ``=``, ``!=``, ``=~``, ``!~``."""

    label: str
    op: str
    value: str

    def accepts(self, value: str) -> bool:
        """Say whether a label with ``value``, empty where there is none, passes. A pattern no one can read passes."""
        if self.op in {"=", "!="}:
            return (value == self.value) == (self.op == "=")
        try:
            found = re.fullmatch(self.value, value) is not None
        except re.error:
            return True
        return found == (self.op == "=~")


@dataclass(frozen=True)
class Expr:
    """A node. Two nodes are equal where they say the same; durations are whole milliseconds, 0 is none."""

    @property
    def children(self) -> tuple[Expr, ...]:
        """Return what stands directly inside."""
        return ()

    def walk(self) -> Iterator[Expr]:
        """Yield this node and all below it."""
        yield self
        for child in self.children:
            yield from child.walk()

    def rebuilt(self, change: Callable[[Expr], Expr]) -> Expr:  # noqa: ARG002 - a leaf has no children
        """Return this node with ``change`` made to each child."""
        return self

    def replaced(self, old: Expr, new: Expr) -> Expr:
        """Return this tree with ``new`` where ``old``, that very node, was."""
        return new if self is old else self.rebuilt(lambda child: child.replaced(old, new))


@dataclass(frozen=True)
class Number(Expr):
    """A number literal."""

    value: float


@dataclass(frozen=True)
class Text(Expr):
    """A string literal."""

    value: str


@dataclass(frozen=True)
class Selector(Expr):
    """A series selector; ``metric`` is empty where it names none exactly. With ``range_ms`` it selects a range."""

    metric: str
    matchers: tuple[Matcher, ...] = ()
    range_ms: int = 0
    offset_ms: int = 0
    at: str = ""
    """What an ``@`` pins it to, as written."""

    def matcher(self, label: str) -> Matcher | None:
        """Return the first matcher of ``label``."""
        return next((one for one in self.matchers if one.label == label), None)


@dataclass(frozen=True)
class Call(Expr):
    """A function and its arguments."""

    name: str
    arguments: tuple[Expr, ...]

    @property
    def children(self) -> tuple[Expr, ...]:
        """Return the arguments."""
        return self.arguments

    def rebuilt(self, change: Callable[[Expr], Expr]) -> Expr:
        """Return the call with ``change`` made to each argument."""
        return dataclasses.replace(self, arguments=tuple(change(one) for one in self.arguments))


@dataclass(frozen=True)
class Aggregate(Expr):
    """An aggregation; ``labels`` is what it groups by, or without; ``None`` where it says neither."""

    op: str
    inner: Expr
    labels: tuple[str, ...] | None = None
    without: bool = False
    parameter: Expr | None = None

    @property
    def children(self) -> tuple[Expr, ...]:
        """Return the parameter, if there is one, and what is aggregated."""
        return (self.inner,) if self.parameter is None else (self.parameter, self.inner)

    def rebuilt(self, change: Callable[[Expr], Expr]) -> Expr:
        """Return the aggregation with ``change`` made to parameter and inner expression."""
        parameter = None if self.parameter is None else change(self.parameter)
        return dataclasses.replace(self, inner=change(self.inner), parameter=parameter)


@dataclass(frozen=True)
class Binary(Expr):
    """Two sides and what joins them; ``on`` or ``ignoring`` hold labels where the text has them."""

    op: str
    left: Expr
    right: Expr
    as_bool: bool = False
    on: tuple[str, ...] | None = None
    ignoring: tuple[str, ...] | None = None
    group: str = ""
    """``left``, ``right``, or empty for one to one."""
    include: tuple[str, ...] = ()

    @property
    def children(self) -> tuple[Expr, ...]:
        """Return both sides."""
        return (self.left, self.right)

    def rebuilt(self, change: Callable[[Expr], Expr]) -> Expr:
        """Return the operation with ``change`` made to both sides."""
        return dataclasses.replace(self, left=change(self.left), right=change(self.right))

    @property
    def matches_all_labels(self) -> bool:
        """Whether two series meet only where all of their labels are equal."""
        return self.on is None and not self.ignoring and not self.group


@dataclass(frozen=True)
class Wrapped(Expr):
    """What stands in parentheses, or after a minus sign."""

    inner: Expr
    negative: bool = False

    @property
    def children(self) -> tuple[Expr, ...]:
        """Return the one thing inside."""
        return (self.inner,)

    def rebuilt(self, change: Callable[[Expr], Expr]) -> Expr:
        """Return the same around the changed inside."""
        return dataclasses.replace(self, inner=change(self.inner))


@dataclass(frozen=True)
class Subquery(Expr):
    """An expression over a range of its own."""

    inner: Expr
    range_ms: int
    step_ms: int = 0
    offset_ms: int = 0
    at: str = ""

    @property
    def children(self) -> tuple[Expr, ...]:
        """Return the one thing inside."""
        return (self.inner,)

    def rebuilt(self, change: Callable[[Expr], Expr]) -> Expr:
        """Return the same around the changed inside."""
        return dataclasses.replace(self, inner=change(self.inner))


def read_expression(text: str) -> Expr:
    """Return the tree of ``text``; raise ``UnreadableExpression``, which says where, if it is none or enormous."""
    try:
        read_tree(text)  # refuses what is nested too deeply for the parser, which recurses
        return _read(promql_parser.parse(text))
    except UnscalableExpression as error:
        raise UnreadableExpression(text, error.reason, position_of(text, error.reason)) from None


def _read(parsed: Any) -> Expr:  # noqa: PLR0911 - a case for each kind of node
    match parsed:
        case promql_parser.NumberLiteral():
            return Number(parsed.val)
        case promql_parser.StringLiteral():
            return Text(parsed.val)
        case promql_parser.VectorSelector():
            return _selector(parsed)
        case promql_parser.MatrixSelector():
            return dataclasses.replace(_selector(parsed.vector_selector), range_ms=_ms(parsed.range))
        case promql_parser.SubqueryExpr():
            return Subquery(_read(parsed.expr), _ms(parsed.range), _ms(parsed.step), _ms(parsed.offset), _at(parsed.at))
        case promql_parser.Call():
            return Call(parsed.func.name, tuple(map(_read, parsed.args)))
        case promql_parser.AggregateExpr():
            labels = None if parsed.modifier is None else tuple(parsed.modifier.labels)
            without = parsed.modifier is not None and str(parsed.modifier.type).endswith("Without")
            parameter = None if parsed.param is None else _read(parsed.param)
            return Aggregate(str(parsed.op), _read(parsed.expr), labels, without, parameter)
        case promql_parser.BinaryExpr():
            return _binary(parsed)
        case _:
            return Wrapped(_read(parsed.expr), isinstance(parsed, promql_parser.UnaryExpr))


def _selector(parsed: Any) -> Selector:
    matchers = [
        Matcher(one.name, _OPERATORS[str(one.op).rpartition(".")[2]], one.value) for one in parsed.matchers.matchers
    ]
    name = parsed.name or next((one.value for one in matchers if (one.label, one.op) == ("__name__", "=")), "")
    named = tuple(one for one in matchers if (one.label, one.op, one.value) != ("__name__", "=", name))
    return Selector(name, named, 0, _ms(parsed.offset), _at(parsed.at))


def _binary(parsed: Any) -> Binary:
    read = Binary(str(parsed.op), _read(parsed.lhs), _read(parsed.rhs))
    modifier = parsed.modifier
    if modifier is None:
        return read
    matching = modifier.matching
    labels = None if matching is None else tuple(matching.labels)
    included = labels is not None and str(matching.type).endswith("Include")
    group = {"ManyToOne": "left", "OneToMany": "right"}.get(str(modifier.card).rpartition(".")[2], "")
    return dataclasses.replace(
        read,
        as_bool=modifier.return_bool,
        on=labels if included else None,
        ignoring=None if included else labels,
        group=group,
        include=tuple(modifier.group_labels or ()),
    )


def _at(parsed: Any) -> str:
    return "" if parsed is None else str(parsed)


def _ms(span: timedelta | None) -> int:
    return 0 if span is None else round(span / timedelta(milliseconds=1))
