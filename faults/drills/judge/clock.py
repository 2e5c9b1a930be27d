"""An expression as it has to be asked on the judge's clock, which is some days off the recording's.

The judge writes each recording at a time of its own. Nothing in PromQL notices but what asks for the time itself: the
time, the calendar, the time of a sample, a time after ``@``. There, and only there, the difference is added; whatever
else the rule says stays as it is. The difference is whole days, so that subqueries keep the grid on which they are
evaluated.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from functools import lru_cache

from stack.rules.tokens import Place, edited, token_places

_CALENDAR = frozenset(
    {"minute", "hour", "day_of_week", "day_of_month", "day_of_year", "days_in_month", "month", "year"}
)
_TIMES = _CALENDAR | {"time", "timestamp"}


@lru_cache(maxsize=4096)
def asks_for_time(expr: str) -> bool:
    """Return whether ``expr`` may ask for the time itself."""
    return any(expr[place.start : place.end] in _TIMES for place in token_places(expr))


@lru_cache(maxsize=4096)
def is_pinned(expr: str) -> bool:
    """Return whether ``expr`` has an ``@``, which means one thing for an evaluation and another for a range of them."""
    return any(expr[place.start : place.end] == "@" for place in token_places(expr))


def shifted(expr: str, shift_s: int) -> str:
    """Return ``expr`` such that at ``shift_s`` seconds later it says what the original says of the time."""
    if not shift_s or not (asks_for_time(expr) or is_pinned(expr)):
        return expr
    places = token_places(expr)
    words = [expr[place.start : place.end] for place in places]
    now = f"(time() - ({shift_s}))"
    changes: dict[Place, str] = {}
    for index, word in enumerate(words):
        if word == "@" and not _in_braces(words[:index]):
            changes.update(_pinned(words, places, index + 1, shift_s))
        if word not in _TIMES or words[index + 1 : index + 2] != ["("] or _in_braces(words[:index]):
            continue
        if words[index + 2 : index + 3] == [")"]:
            whole = now if word == "time" else f"{word}(vector({now}))"
            changes[places[index]] = whole
            changes.update(dict.fromkeys((places[index + 1], places[index + 2]), ""))
        elif word == "timestamp":
            close = places[_closing(words, index + 1)]
            changes[places[index]] = "(timestamp"
            changes[close] = f") - ({shift_s}))"
    return edited(expr, changes)


def _pinned(words: list[str], places: tuple[Place, ...], index: int, shift_s: int) -> dict[Place, str]:
    """Return the change of the time that an ``@`` names; ``start()`` and ``end()`` need none."""
    sign, rest = (words[index], index + 1) if words[index : index + 1] in (["-"], ["+"]) else ("", index)
    try:
        moved = Decimal(f"{sign}{words[rest]}") + shift_s
    except (IndexError, InvalidOperation):
        return {}
    signed = {places[index]: ""} if sign else {}
    return {**signed, places[rest]: f"{moved:f}"}


def _in_braces(words: list[str]) -> bool:
    return words.count("{") > words.count("}")


def _closing(words: list[str], opening: int) -> int:
    """Return which word closes the bracket at ``opening``; the last one where none does."""
    depth = 0
    for index in range(opening, len(words)):
        depth += (words[index] == "(") - (words[index] == ")")
        if depth == 0:
            return index
    return len(words) - 1
