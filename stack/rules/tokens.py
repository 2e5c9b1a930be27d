"""Where the durations and the number literals stand in a PromQL text. The grammar itself is the parser's business.

``promql_parser`` keeps no positions and prints 666 ms as ``0s``, so a text is edited in place and parsed again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""
      (?P<space>\s+|\#[^\n]*)
    | (?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`)
    | (?P<word>:*[A-Za-z_][A-Za-z0-9_:]*)
    | (?P<duration>(?:[0-9]+(?:ms|[smhdwy]))+)
    | (?P<number>0[xX][0-9a-fA-F]+|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
    | (?P<mark>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_NUMBER_WORDS = frozenset({"inf", "nan"})


@dataclass(frozen=True)
class Place:
    """One piece of a text, from ``start`` to before ``end``."""

    start: int
    end: int


@dataclass(frozen=True)
class Places:
    """The ranges, steps and offsets of an expression, and its number literals, each in the order of the text."""

    spans: tuple[Place, ...]
    numbers: tuple[Place, ...]


def locate(expr: str) -> Places:
    """Return where ``expr``, an expression that parses, has durations and numbers.

    A duration in brackets or after ``offset`` is a span, any other a number. Label matchers are passed over.
    """
    spans: list[Place] = []
    numbers: list[Place] = []
    in_braces = in_brackets = after_offset = False
    for token in _TOKEN.finditer(expr):
        kind, text, place = token.lastgroup, token.group(), Place(*token.span())
        if kind == "space":
            continue
        if in_braces:
            in_braces = kind != "mark" or text != "}"
            continue
        number = kind in {"duration", "number"} or (kind == "word" and text.lower() in _NUMBER_WORDS)
        if number and (in_brackets or after_offset):
            spans.append(place)
        elif number:
            numbers.append(place)
        elif kind == "mark":
            in_braces = text == "{"
            in_brackets = text == "[" or (in_brackets and text != "]")
        if kind != "mark" or text not in "+-":
            after_offset = kind == "word" and text.lower() == "offset"
    return Places(tuple(spans), tuple(numbers))


def token_count(expr: str) -> int:
    """Return how many words, numbers, texts and signs ``expr`` has."""
    return sum(token.lastgroup != "space" for token in _TOKEN.finditer(expr))


def token_places(expr: str) -> tuple[Place, ...]:
    """Return where each of the words, numbers, texts and signs of ``expr`` stands; it need not parse."""
    return tuple(Place(*token.span()) for token in _TOKEN.finditer(expr) if token.lastgroup != "space")


def edited(expr: str, changes: Mapping[Place, str]) -> str:
    """Return ``expr`` with the text at each place replaced."""
    parts: list[str] = []
    end = 0
    for place in sorted(changes, key=lambda place: place.start):
        parts += (expr[end : place.start], changes[place])
        end = place.end
    return "".join((*parts, expr[end:]))
