"""Where in an expression that does not parse the mistake is: the parser says what, and not where.

It asks the parser how much of the text could still become an expression. A message for people, not a grammar.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import promql_parser

from faults.drills.lint.errors import Position
from stack.rules.tokens import Place, token_places

MOST_WORDS = 200
"""In longer texts the place is not looked for."""

_ENDINGS = ("", "x", "5m", '"a"', '="a"', 'a="a"', "(x)", "(x[5m])", "x[5m]", "(a) x", "(a) (x)", "(1, x)", "x, 1")
_CLOSED_BY = {"(": ")", "[": "]", "{": "}"}
_MEANING = re.compile(r"expected |argument|function|must|allowed|type|operator", re.IGNORECASE)
_FUNCTION = re.compile(r"(?:function|with name) '(\w+)'|call to '(\w+)'")


def position_of(expr: str, reason: str) -> Position:
    """Return where ``expr`` is wrong; ``reason`` is what the parser said."""
    places = token_places(expr)
    if named := _FUNCTION.search(reason):
        for place in places:
            if expr[place.start : place.end] in named.groups():
                return _position(expr, place)
    if len(places) > MOST_WORDS:
        return _position(expr, Place(0, 0))
    for count, place in enumerate(places, start=1):
        if not _could_go_on(expr, places[:count]):
            return _position(expr, place)
    return _position(expr, Place(len(expr), len(expr)))


def _could_go_on(expr: str, places: Sequence[Place]) -> bool:
    """Say whether something could follow the last of ``places`` so that all of it is an expression."""
    start, opened = expr[: places[-1].end], ""
    for place in places:
        mark = expr[place.start : place.end]
        if mark in _CLOSED_BY:
            opened = _CLOSED_BY[mark] + opened
        elif opened and mark == opened[0]:
            opened = opened[1:]
        elif mark in _CLOSED_BY.values():
            return False
    afterwards = ("", "x", "(x)", "(x[5m])") if opened else ("",)
    return any(_parses(f"{start} {ending}{opened}{after}") for ending in _ENDINGS for after in afterwards)


def _parses(text: str) -> bool:
    """Say whether ``text`` has the form of an expression; that it means none is another matter."""
    try:
        promql_parser.parse(text)
    except ValueError as error:
        said = str(error)
        return not said.startswith("unexpected") and _MEANING.search(said) is not None
    return True


def _position(expr: str, place: Place) -> Position:
    before = expr[: place.start]
    line = before.count("\n") + 1
    return Position(line, len(before) - (before.rfind("\n") + 1) + 1, expr[place.start : place.end])
