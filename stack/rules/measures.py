"""How the value of an expression depends on the pace, worked out bottom-up like physical dimensions.

The world keeps its speed when watching is sped up by a factor k: the requests per second, the share of errors and the
level of a gauge stay what they are, and every window is k times shorter. Then a rate or a ratio stays, an ``increase``
is k times smaller, and an age that is waited for is k times shorter: a constant beside it has to shrink as well, and is
found here. What cannot be told exactly is refused. Nothing is evaluated.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from stack.rules.functions import FUNCTIONS, PLAIN_AGGREGATIONS, PRESERVING_AGGREGATIONS, Treatment
from stack.rules.tree import Kind, Node

COMPARISONS = frozenset({"==", "!=", ">", "<", ">=", "<="})


class Sort(Enum):
    """What a value is, as far as pace goes."""

    CONSTANT = auto()
    """Made of number literals alone."""
    AMOUNT = auto()
    """Proportional to the length of the windows raised to ``degree``; 0 does not depend on it."""
    SIGN = auto()
    """Only whether it is below, at or above zero is kept."""
    MOMENT = auto()
    """A point in time, in Unix seconds."""


@dataclass(frozen=True)
class Measure:
    """The sort of a value and, for an amount, its degree."""

    sort: Sort
    degree: int = 0

    @property
    def plain(self) -> bool:
        """Whether the value means the same at every pace."""
        return self.sort is Sort.CONSTANT or (self.sort is Sort.AMOUNT and self.degree == 0)


CONSTANT, PLAIN, SIGN, MOMENT = Measure(Sort.CONSTANT), Measure(Sort.AMOUNT), Measure(Sort.SIGN), Measure(Sort.MOMENT)
AMOUNT = AGE = Measure(Sort.AMOUNT, 1)
_RESULTS = {Treatment.MOMENT: MOMENT, Treatment.PLAIN_RESULT: PLAIN, Treatment.SIGN_KEPT: SIGN}


_COUNTED = re.compile(r"[\w:]*:increase(?:[0-9]\w*)?(?:\{.*)?", re.DOTALL)


def counts_a_window(series: str) -> bool:
    """Say whether a series is by its name a recorded ``increase``, as ``job:requests:increase5m`` is."""
    return _COUNTED.fullmatch(series) is not None


class Inexact(Exception):  # noqa: N818 - reads as a fact; ``stack.rules.scale`` turns it into its own error
    """Something has no exact meaning at another pace; the message is the reason."""


class Measurement:
    """Measures one tree; ``constants`` then holds, by index, the degree of every number that has to shrink."""

    def __init__(self, root: Node) -> None:
        self.constants: dict[int, int] = {}
        self.result = self._measure(root)

    def _measure(self, node: Node) -> Measure:
        """Return the measure of ``node`` and note the constants below it; raise ``Inexact``."""
        if node.fixed:
            raise Inexact("`@` pins a selector to a point in time, and a point in time has no pace")
        match node.kind:
            case Kind.NUMBER:
                return CONSTANT
            case Kind.STRING | Kind.SELECTOR | Kind.MATRIX:
                return AMOUNT if node.kind is not Kind.STRING and counts_a_window(node.name) else PLAIN
            case Kind.PAREN | Kind.SUBQUERY | Kind.UNARY:
                inner = self._measure(node.children[0])
                if node.kind is Kind.UNARY and inner == MOMENT:
                    raise Inexact("a negated point in time has no pace")
                return inner
            case Kind.CALL:
                return self._call(node)
            case Kind.AGGREGATE:
                return self._aggregate(node)
            case Kind.BINARY:
                return self._binary(node)

    def _call(self, node: Node) -> Measure:
        name, arguments = node.name, [self._measure(child) for child in node.children]
        treatment = FUNCTIONS.get(name, "no rule is listed for this function")
        match treatment:
            case Treatment.MOMENT | Treatment.PLAIN_RESULT | Treatment.SIGN_KEPT:
                result = _RESULTS[treatment]
            case Treatment.PRESERVED:
                result = next((each for each in arguments if each != CONSTANT), CONSTANT)
            case Treatment.AMOUNT_PRESERVED | Treatment.WINDOWED:
                result = self._amount(name, arguments[0], int(treatment is Treatment.WINDOWED))
            case Treatment.BOUNDED:
                result = arguments[0]
                for bound, measure in zip(node.children[1:], arguments[1:], strict=True):
                    self._alike(name, node.children[0], result, bound, measure)
            case Treatment.PLAIN_ONLY:
                result = PLAIN
                for measure in arguments:
                    self._need_plain(f"{name}()", measure)
            case reason:
                raise Inexact(f"{name}(): {reason}")
        return result

    def _aggregate(self, node: Node) -> Measure:
        measures = [self._measure(child) for child in node.children]
        inner = measures[-1]
        if node.name in PLAIN_AGGREGATIONS:
            return PLAIN
        if node.name not in PRESERVING_AGGREGATIONS:
            self._need_plain(node.name, inner)
        if inner == MOMENT and node.name in {"sum", "stddev"}:
            raise Inexact(f"{node.name} over points in time has no pace")
        return inner

    def _binary(self, node: Node) -> Measure:
        (left, right), operator = node.children, node.name
        first, second = self._measure(left), self._measure(right)
        if operator in {"and", "unless"}:
            result = first
        elif operator == "or":
            result = self._either(left, first, right, second)
        elif operator in COMPARISONS:
            result = self._compare(operator, (left, first), (right, second))
            result = PLAIN if node.modifier.startswith("bool ") else result
        elif first == second == CONSTANT:
            result = CONSTANT
        elif operator in {"+", "-"}:
            result = self._sum(operator, (left, first), (right, second))
        elif operator in {"*", "/"}:
            result = self._product(operator, first, second)
        else:
            self._need_plain(operator, first)
            self._need_plain(operator, second)
            result = PLAIN
        return result

    def _compare(self, operator: str, first: tuple[Node, Measure], second: tuple[Node, Measure]) -> Measure:
        (left, here), (right, there) = first, second
        if MOMENT in {here, there} and {here, there} <= {MOMENT, PLAIN}:
            return here
        if SIGN in {here, there}:
            other = right if here == SIGN else left
            if _constant_value(other) != 0:
                raise Inexact("only the sign of one side keeps its meaning, so that it may be compared with 0 alone")
            return SIGN
        return self._alike(operator, left, here, right, there)

    def _sum(self, operator: str, first: tuple[Node, Measure], second: tuple[Node, Measure]) -> Measure:
        (left, here), (right, there) = first, second
        if here == MOMENT and there == CONSTANT:
            self._shrink(right, 1)
            return MOMENT
        if here == MOMENT and operator == "-" and there in {PLAIN, MOMENT}:
            return AGE
        if SIGN in {here, there}:
            raise Inexact(f"{operator} with a value of which only the sign keeps its meaning")
        if there == MOMENT:
            raise Inexact("how long something still lasts is the world's time, and the world keeps its speed")
        return self._alike(operator, left, here, right, there)

    def _product(self, operator: str, first: Measure, second: Measure) -> Measure:
        if SIGN in {first, second}:
            if first == SIGN and second.plain:
                return SIGN
            if operator == "*" and second == SIGN and first.plain:
                return SIGN
            raise Inexact(f"{operator} with a value of which only the sign keeps its meaning")
        if MOMENT in {first, second}:
            raise Inexact(f"{operator} with a point in time has no pace")
        return Measure(Sort.AMOUNT, first.degree + (second.degree if operator == "*" else -second.degree))

    def _either(self, left: Node, first: Measure, right: Node, second: Measure) -> Measure:
        """Return the measure of a value that comes from one side or the other."""
        if first == second or CONSTANT in {first, second}:
            return self._alike("or", left, first, right, second)
        return SIGN

    def _alike(self, operator: str, left: Node, first: Measure, right: Node, second: Measure) -> Measure:
        """Return the measure that both sides share, shrinking a constant beside an amount."""
        if first == CONSTANT and second == CONSTANT:
            return CONSTANT
        for constant, measure, other in ((left, first, second), (right, second, first)):
            if measure == CONSTANT:
                if other.sort is not Sort.AMOUNT and _constant_value(constant) != 0:
                    raise Inexact(f"{operator} with a constant other than 0 beside a point in time or a mere sign")
                self._shrink(constant, other.degree)
                return other
        if first != second:
            raise Inexact(f"the two sides of {operator} depend differently on the length of the windows")
        return first

    def _shrink(self, constant: Node, degree: int) -> None:
        """Note the numbers of ``constant`` that make the whole of it smaller by the factor to the ``degree``."""
        if degree == 0 or _constant_value(constant) == 0:
            return
        if constant.kind is Kind.NUMBER:
            self.constants[constant.index] = degree
        elif constant.kind is Kind.BINARY and constant.name in {"*", "/"}:
            self._shrink(constant.children[0], degree)
        elif constant.kind in {Kind.PAREN, Kind.UNARY, Kind.CALL} or constant.name in {"+", "-"}:
            for child in constant.children:
                self._shrink(child, degree)
        else:
            raise Inexact(f"a constant with {constant.name} in it cannot be made smaller exactly")

    @staticmethod
    def _amount(name: str, inner: Measure, more: int) -> Measure:
        if inner.sort is not Sort.AMOUNT:
            raise Inexact(f"{name}() of a point in time or of a mere sign has no pace")
        return Measure(Sort.AMOUNT, inner.degree + more)

    @staticmethod
    def _need_plain(what: str, measure: Measure) -> None:
        if not measure.plain:
            raise Inexact(f"{what} of a value that depends on the length of a window does not scale with it")


_ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
}


def _constant_value(node: Node) -> float | None:
    """Return the value of a constant as far as + - * go, ``None`` for anything else."""
    match node.kind:
        case Kind.NUMBER:
            return node.value
        case Kind.PAREN:
            return _constant_value(node.children[0])
        case Kind.UNARY:
            inner = _constant_value(node.children[0])
            return None if inner is None else -inner
        case Kind.CALL if node.name in {"vector", "scalar"}:
            return _constant_value(node.children[0])
        case Kind.BINARY if node.name in _ARITHMETIC:
            left, right = (_constant_value(child) for child in node.children)
            return None if left is None or right is None else _ARITHMETIC[node.name](left, right)
        case _:
            return None
