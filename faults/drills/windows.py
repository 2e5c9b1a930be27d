"""What the windows of a rule's expression say of when its condition can come true, and how long it can last.

Read off the expression and the recordings that it reads, through the syntax tree; nothing is evaluated.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from stack.rules.reach import Recordings, longest_window_s
from stack.rules.tree import Kind, Node, read_tree

_JOINED: Mapping[str, Callable[[int, int], int]] = MappingProxyType({"and": max, "or": min})
_AGREEING: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "==": frozenset({"rate", "increase", "sum_over_time", "max_over_time"}),
        ">": frozenset({"min_over_time"}),
        ">=": frozenset({"min_over_time"}),
        "<": frozenset({"max_over_time"}),
        "<=": frozenset({"max_over_time"}),
    }
)
"""By comparison (`==` with 0), the functions of which every sample of their window has to agree."""


@dataclass(frozen=True)
class Windows:
    """Seconds that an expression looks back, by what they are for."""

    present_s: float
    """What it holds of now: everything without an offset. Full of the fault, nothing of before is left in it."""
    reach_s: float
    """How far back it looks at all, with what it compares now to."""
    filled_s: float
    """How long the cause must have lasted before it can be true at all: 0 but where every sample has to agree."""
    recordings: int
    """Recorded series that are read one through another: each is as old as its last evaluation."""


def windows_of(expr: str, recordings: Recordings = ()) -> Windows:
    """Return the windows of ``expr``; raise ``UnscalableExpression`` where it is not understood."""
    known: dict[str, list[str]] = defaultdict(list)
    pairs = list(recordings)
    for name, recorded in pairs:
        known[name].append(recorded)
    present_ms, levels = _present(read_tree(expr), known, frozenset())
    return Windows(present_ms / 1000, longest_window_s(expr, pairs), _filled_ms(read_tree(expr)) / 1000, levels)


def joined(parts: Sequence[Windows]) -> Windows:
    """Return the windows of a condition that is true while all of ``parts``, at least one, are: of what must change.

    All of them have to come true, and the first that is false again ends it.
    """
    return Windows(
        max(one.present_s for one in parts),
        min(one.reach_s for one in parts),
        max(one.filled_s for one in parts),
        max(one.recordings for one in parts),
    )


def _present(node: Node, known: Mapping[str, Sequence[str]], within: frozenset[str]) -> tuple[int, int]:
    """Return how many milliseconds of now ``node`` holds, and through how many recordings."""
    if node.offset_ms > 0:
        return 0, 0
    below = [_present(child, known, within) for child in node.children]
    if node.kind in {Kind.SELECTOR, Kind.MATRIX}:
        name = node.name.partition("{")[0]
        if name in known and name not in within:
            recorded = [_present(read_tree(expr), known, within | {name}) for expr in known[name]]
            below += [(window_ms, levels + 1) for window_ms, levels in recorded]
    deepest = max((window_ms for window_ms, _ in below), default=0)
    return node.range_ms + deepest, max((levels for _, levels in below), default=0)


def _filled_ms(node: Node) -> int:
    """Return for how long the cause must have lasted before ``node`` can have a result."""
    if node.kind is Kind.PAREN:
        return _filled_ms(node.children[0])
    if node.kind is not Kind.BINARY:
        return 0
    left, right = node.children
    if node.name in _JOINED:
        return _JOINED[node.name](_filled_ms(left), _filled_ms(right))
    if node.name == "unless":
        return _filled_ms(left)
    if right.kind is not Kind.NUMBER or (node.name == "==" and right.value != 0.0):
        return 0
    return _agreeing_ms(left, _AGREEING.get(node.name, frozenset()))


def _agreeing_ms(node: Node, functions: frozenset[str]) -> int:
    """Return the window of the one of ``functions`` that ``node`` is, a sum of it, or it divided by something."""
    if node.kind is Kind.CALL and node.name in functions:
        (inner,) = node.children
        return 0 if inner.offset_ms else inner.range_ms
    if node.kind is Kind.PAREN or (node.kind is Kind.AGGREGATE and node.name in {"sum", "min", "max"}):
        return _agreeing_ms(node.children[-1], functions)
    if node.kind is Kind.BINARY and node.name == "/":
        return _agreeing_ms(node.children[0], functions)
    return 0
