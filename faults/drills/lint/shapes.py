"""Shapes that several checks look for in an expression: comparisons, ratios, what a value is taken from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from faults.drills.lint.expression import (
    COMPARISONS,
    Aggregate,
    Binary,
    Call,
    Expr,
    Number,
    Selector,
    Subquery,
    Wrapped,
)
from faults.drills.lint.facts import Facts

RATES = frozenset({"rate", "increase", "irate"})
ABSENCE = frozenset({"absent", "absent_over_time"})
_MIRRORED = {">": "<", "<": ">", ">=": "<=", "<=": ">="}
_SHARED_VALUE = frozenset({"sum", "avg", "min", "max", "topk", "bottomk"})
_LEVELS = frozenset({"avg_over_time", "min_over_time", "max_over_time", "last_over_time", "quantile_over_time"})


def bare(expr: Expr) -> Expr:
    """Return ``expr`` without the parentheses around it."""
    while isinstance(expr, Wrapped) and not expr.negative:
        expr = expr.inner
    return expr


def constant(expr: Expr) -> float | None:
    """Return the value of what is made of numbers alone, as far as + - * / go; ``None`` for anything else."""
    match expr:
        case Number(value):
            return value
        case Wrapped(inner, negative):
            within = constant(inner)
            return None if within is None else -within if negative else within
        case Call("vector" | "scalar", (inner,)):
            return constant(inner)
        case Binary("+" | "-" | "*" | "/", left, right):
            first, second = constant(left), constant(right)
            if first is None or second is None or (expr.op == "/" and second == 0):
                return None
            return {"+": first + second, "-": first - second, "*": first * second}.get(
                expr.op, first / second if second else None
            )
        case _:
            return None


@dataclass(frozen=True)
class Comparison:
    """A value that is compared with a number, the value on the left."""

    node: Binary
    value: Expr
    op: str
    threshold: float

    def holds(self, value: float) -> bool:
        """Say whether ``value`` makes it true."""
        return {
            ">": value > self.threshold,
            ">=": value >= self.threshold,
            "<": value < self.threshold,
            "<=": value <= self.threshold,
            "==": value == self.threshold,
            "!=": value != self.threshold,
        }[self.op]

    @property
    def asks_for_zero(self) -> bool:
        """Whether, of what is never negative, only 0 makes it true, or next to nothing."""
        return self.holds(0) and not self.holds(1)


def comparisons(expr: Expr) -> Iterator[Comparison]:
    """Yield the comparisons with a number in ``expr``, from anywhere but behind ``unless``."""
    for node in asserted(expr):
        if isinstance(node, Binary) and node.op in COMPARISONS:
            left, right = constant(node.left), constant(node.right)
            if right is not None and left is None:
                yield Comparison(node, bare(node.left), node.op, right)
            elif left is not None and right is None:
                yield Comparison(node, bare(node.right), _MIRRORED.get(node.op, node.op), left)


def conditions(expr: Expr, within: frozenset[str] = frozenset({"or", "and", "unless"})) -> Iterator[Comparison]:
    """Yield the comparisons with a number that decide alone, or joined by ``within``, whether ``expr`` has a result."""
    expr = bare(expr)
    if isinstance(expr, Binary) and expr.op in within:
        for child in expr.children[:1] if expr.op == "unless" else expr.children:
            yield from conditions(child, within)
    elif isinstance(expr, Binary) and expr.op in COMPARISONS:
        yield from (one for one in comparisons(expr) if one.node is expr)


def asserted(expr: Expr) -> Iterator[Expr]:
    """Yield ``expr`` and all below it but what stands behind ``unless`` or within ``absent()``."""
    yield expr
    if isinstance(expr, Call) and expr.name in ABSENCE:
        return
    children = expr.children[:1] if isinstance(expr, Binary) and expr.op == "unless" else expr.children
    for child in children:
        yield from asserted(child)


def level_of(expr: Expr) -> Selector | None:
    """Return the selector whose own value ``expr`` is, or the sum, mean, least or greatest of several of them."""
    expr = bare(expr)
    match expr:
        case Selector():
            return expr
        case Aggregate(op, inner) if op in _SHARED_VALUE:
            return level_of(inner)
        case Call(name, arguments) if name in _LEVELS:
            return level_of(arguments[-1])
        case _:
            return None


def rate_of(expr: Expr) -> tuple[Call, Selector] | None:
    """Return the rate that ``expr`` is, or the sum, mean, least or greatest of, with its selector."""
    expr = bare(expr)
    match expr:
        case Call(name, (Selector() as selector,)) if name in RATES:
            return expr, selector
        case Aggregate(op, inner) if op in _SHARED_VALUE:
            return rate_of(inner)
        case _:
            return None


def ratios(expr: Expr) -> Iterator[Binary]:
    """Yield the divisions of one vector by another in ``expr``."""
    for node in asserted(expr):
        if isinstance(node, Binary) and node.op == "/" and has_series(node.left) and has_series(node.right):
            yield node


def selectors(expr: Expr) -> Iterator[Selector]:
    """Yield the selectors of ``expr``."""
    return (node for node in expr.walk() if isinstance(node, Selector))


def has_series(expr: Expr) -> bool:
    """Say whether ``expr`` reads any series."""
    return any(True for _ in selectors(expr))


def bucket_metrics(expr: Expr) -> frozenset[str]:
    """Return the names of the buckets that ``expr`` reads."""
    return frozenset(one.metric for one in selectors(expr) if one.metric.endswith("_bucket"))


def share_of(ratio: Binary, facts: Facts) -> tuple[float, bool] | None:
    """Return how much the whole is where ``ratio`` divides a part by it, and whether that is certain; else ``None``.

    Both sides are the same sum of the same rate of one counter, with fewer matchers below the line. The whole is 1, or
    what the part is multiplied by, as 100 in a percentage, and then a little more than that, for rounding.
    """
    part, whole = bare(ratio.left), bare(ratio.right)
    factor = 1.0
    if isinstance(part, Binary) and part.op == "*":
        for number, other in ((part.left, part.right), (part.right, part.left)):
            times = constant(number)
            if times is not None and times > 0:
                factor, part = times * (1 + 1e-9), bare(other)
                break
    if isinstance(part, Aggregate) and isinstance(whole, Aggregate):
        if {part.op, whole.op} != {"sum"} or not _same_groups(part, whole, ratio):
            return None
        part, whole = bare(part.inner), bare(whole.inner)
    elif not ratio.matches_all_labels:
        return None
    if not (isinstance(part, Call) and isinstance(whole, Call) and part.name == whole.name and part.name in RATES):
        return None
    one, all_of_it = part.arguments[0], whole.arguments[0]
    if not isinstance(one, Selector) or not isinstance(all_of_it, Selector) or not one.metric:
        return None
    alike = (one.metric, one.range_ms, one.offset_ms, one.at) == (
        all_of_it.metric,
        all_of_it.range_ms,
        all_of_it.offset_ms,
        all_of_it.at,
    )
    known = facts.known(one)
    if not alike or not set(all_of_it.matchers) <= set(one.matchers) or not known.kind.only_rises:
        return None
    return factor, known.certain


def _same_groups(part: Aggregate, whole: Aggregate, ratio: Binary) -> bool:
    """Say whether each group above the line meets the group below it that contains it."""
    if part.without or whole.without:
        return (
            part.without
            and whole.without
            and set(part.labels or ()) == set(whole.labels or ())
            and ratio.matches_all_labels
        )
    finer, coarser = frozenset(part.labels or ()), frozenset(whole.labels or ())
    if finer == coarser:
        return ratio.matches_all_labels or (ratio.on is not None and frozenset(ratio.on) == coarser)
    return finer > coarser and ratio.group == "left" and ratio.on is not None and frozenset(ratio.on) == coarser


def over_any_range(expr: Expr) -> Iterator[tuple[Call, Selector | Subquery]]:
    """Yield the functions of ``expr`` that look back over a range, with that range."""
    for node in expr.walk():
        if isinstance(node, Call):
            for argument in node.arguments:
                within = bare(argument)
                if isinstance(within, Subquery) or (isinstance(within, Selector) and within.range_ms):
                    yield node, within
