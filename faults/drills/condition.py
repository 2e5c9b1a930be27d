"""Takes the comparisons out of an alert's expression, so that "why has it not fired" can show both their sides.

It cuts the text at the outermost ``and`` and comparison; it evaluates nothing. An expression that it does
not understand simply has no comparisons to show.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

COMPARISONS: Mapping[str, Callable[[float, float], bool]] = MappingProxyType(
    {
        "==": operator.eq,
        "!=": operator.ne,
        ">=": operator.ge,
        "<=": operator.le,
        ">": operator.gt,
        "<": operator.lt,
    }
)
_TOKEN = re.compile(
    r"""(?P<skip>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`|\#[^\n]*)
    |(?P<open>[(\[{])|(?P<close>[)\]}])
    |(?P<comparison>==|!=|>=|<=|>|<)
    |(?P<word>[A-Za-z_:][\w:]*)""",
    re.VERBOSE,
)
_MATCHING = re.compile(r"^\s*(?:on|ignoring)\s*\([^)]*\)", re.IGNORECASE)


@dataclass(frozen=True)
class Comparison:
    """``left`` (an expression) compared with a number."""

    left: str
    operator: str
    right: float

    def holds(self, value: float) -> bool:
        """Say whether ``value`` on the left makes it true; NaN makes nothing true but ``!=``."""
        return COMPARISONS[self.operator](value, self.right)

    def nearest(self, values: Iterable[float]) -> float | None:
        """Return the one of ``values`` that is nearest to making it true; ``None`` where there is none."""
        known = [value for value in values if value == value]  # noqa: PLR0124 - NaN is the one value that differs
        if not known:
            return None
        if self.operator in {">", ">="}:
            return max(known)
        if self.operator in {"<", "<="}:
            return min(known)
        return min(known, key=lambda value: (not self.holds(value), abs(value - self.right)))


def comparisons(expr: str) -> tuple[Comparison, ...]:
    """Return the comparisons with a number that must all hold for ``expr`` to have a result.

    Empty where those are not all that it takes: an ``or`` or ``unless`` on the outside, a bare vector.
    """
    parts = _operands(_bare(_TOKEN.sub(lambda token: "" if token.group().startswith("#") else token.group(), expr)))
    if parts is None:
        return ()
    found = [_comparison(_bare(_MATCHING.sub("", part))) for part in parts]
    understood = tuple(one for one in found if one is not None)
    return understood if len(understood) == len(found) else ()


def some_comparisons(expr: str) -> tuple[Comparison, ...]:
    """Return those comparisons with a number that stand outermost in ``expr``, of several alternatives too.

    What stands after ``unless`` is left out. They are to be shown: what they say is not all that it takes.
    """
    text = _bare(_TOKEN.sub(lambda token: "" if token.group().startswith("#") else token.group(), expr))
    parts, start, wanted = [], 0, True
    for token in _outermost(text):
        if token.group().lower() in {"and", "or", "unless"}:
            parts += [text[start : token.start()]] if wanted else []
            start, wanted = token.end(), token.group().lower() != "unless"
    parts += [text[start:]] if wanted else []
    found: list[Comparison] = []
    for part in parts:
        bare = _bare(_MATCHING.sub("", part))
        one = _comparison(bare)
        found += [one] if one is not None else some_comparisons(bare) if len(parts) > 1 else []
    return tuple(found)


def _outermost(text: str) -> Iterator[re.Match[str]]:
    """Yield the comparison and word tokens of ``text`` that stand outside of every bracket and string."""
    depth = 0
    for token in _TOKEN.finditer(text):
        if token.lastgroup == "open":
            depth += 1
        elif token.lastgroup == "close":
            depth -= 1
        elif depth == 0 and token.lastgroup != "skip":
            yield token


def _bare(text: str) -> str:
    """Return ``text`` without brackets around all of it."""
    text = text.strip()
    while text.startswith("(") and text.endswith(")"):
        depth = 0
        for token in _TOKEN.finditer(text):
            depth += (token.lastgroup == "open") - (token.lastgroup == "close")
            if depth == 0:
                if token.end() < len(text):
                    return text
                break
        text = text[1:-1].strip()
    return text


def _operands(text: str) -> list[str] | None:
    """Return what outermost ``and``s join; ``None`` where there is an ``or`` or an ``unless``."""
    parts, start = [], 0
    for token in _outermost(text):
        word = token.group().lower()
        if word in {"or", "unless"}:
            return None
        if word == "and":
            parts.append(text[start : token.start()])
            start = token.end()
    return [*parts, text[start:]]


def _comparison(text: str) -> Comparison | None:
    tokens = list(_outermost(text))
    found = [token for token in tokens if token.lastgroup == "comparison"]
    if len(found) != 1 or any(token.group().lower() in {"and", "or", "unless"} for token in tokens):
        return None
    left, right = text[: found[0].start()].strip(), text[found[0].end() :].strip()
    try:
        return Comparison(left, found[0].group(), float(right)) if left else None
    except ValueError:
        return None
