"""How far back an expression looks, through the recorded series that it reads. Nothing is evaluated."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from stack.rules.errors import UnscalableExpression
from stack.rules.tree import Kind, Node, read_tree

Recordings = Iterable[tuple[str, str]]
"""Names and expressions of recording rules; a name may be there more than once."""

_NAME = re.compile(r"[\w:]*")


def longest_window_s(expr: str, recordings: Recordings = ()) -> float:
    """Return how far back ``expr`` reaches at most, in seconds: range plus offset, nested subqueries added up.

    A recorded series reaches back as far as its own expression, from where it is read; one that reads its own past does
    so once. The look-back for the latest sample is not counted. Raises ``UnscalableExpression`` where ``expr``, or what
    it reads, does not parse or is pinned to a time with ``@``.
    """
    known: dict[str, list[str]] = defaultdict(list)
    for name, recorded in recordings:
        known[name].append(recorded)
    return _Reach(known).of(expr, frozenset()) / 1000


class _Reach:
    """Works out reaches, each recorded series once."""

    def __init__(self, recordings: Mapping[str, Sequence[str]]) -> None:
        self._recordings = recordings
        self._found: dict[str, int] = {}
        self._circular = False

    def of(self, expr: str, within: frozenset[str]) -> int:
        """Return the reach of ``expr`` in milliseconds; ``within`` are the recordings that led to it."""
        root = read_tree(expr)
        if any(node.fixed for node in root.walk()):
            raise UnscalableExpression(expr, "`@` pins a selector to a point in time, so that its reach grows for ever")
        return self._below(root, within)

    def _below(self, node: Node, within: frozenset[str]) -> int:
        deepest = max((self._below(child, within) for child in node.children), default=0)
        if node.kind in {Kind.SELECTOR, Kind.MATRIX}:
            deepest = self._recorded(_name(node), within)
        return max(0, node.range_ms + node.offset_ms + deepest)

    def _recorded(self, name: str, within: frozenset[str]) -> int:
        if name in within:
            self._circular = True
            return 0
        if name not in self._found:
            reach = max((self.of(expr, within | {name}) for expr in self._recordings.get(name, ())), default=0)
            if self._circular:
                return reach  # true from here, and perhaps not from elsewhere on the round
            self._found[name] = reach
        return self._found[name]


def _name(node: Node) -> str:
    found = _NAME.match(node.name)
    return found.group() if found else ""
