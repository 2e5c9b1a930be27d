"""Durations as Go writes them (``1.5ms``), which is how Jaeger's API takes them, and as a person reads them."""

from __future__ import annotations

import re

from stack.tracestore.errors import BadQuery

_UNIT_NS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,  # U+00B5, the micro sign
    "μs": 1_000,  # U+03BC, the Greek letter
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_LONG_UNIT_NS = _UNIT_NS | {"d": 86_400_000_000_000, "w": 604_800_000_000_000}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)([a-zµμ]+)")
_MOST_NS = 2**63 - 1


def parse_go_duration(text: str, parameter: str, *, days: bool = False) -> int:
    """Return the nanoseconds of a Go duration such as ``1.5ms`` or ``1h30m``; with ``days`` also of ``2d`` and ``1w``.

    Raises ``BadQuery`` that names ``parameter``; negative durations are bad, too, for nothing here can use one.
    """
    if text == "0":
        return 0
    units = _LONG_UNIT_NS if days else _UNIT_NS
    total = 0.0
    place = 0
    for part in _PART.finditer(text):
        if part.start() != place or part[2] not in units:
            break
        total += float(part[1]) * units[part[2]]
        place = part.end()
    if not text or place != len(text) or total > _MOST_NS:
        raise BadQuery.unparsable(parameter, f'time: invalid duration "{text[:64]}"')
    return round(total)


def readable(nanoseconds: float) -> str:
    """Return a duration for a person, three digits: ``12.3 ms``."""
    for unit, size in (("s", 1e9), ("ms", 1e6)):
        if nanoseconds >= size * 0.9995:
            return f"{_three(nanoseconds / size)} {unit}"
    return f"{_three(nanoseconds / 1e3)} µs"


def _three(number: float) -> str:
    if number >= 99.95:
        return f"{number:.0f}"
    return f"{number:.1f}" if number >= 9.995 else f"{number:.2f}"
