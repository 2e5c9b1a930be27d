"""Stretches of time as people write them: ``5m``, and moments of local time. Pure text; no Streamlit."""

from __future__ import annotations

import re
from datetime import datetime

from panel import formats

_UNITS = (("d", 86_400.0), ("h", 3600.0), ("m", 60.0), ("s", 1.0))
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")


class BadMoment(ValueError):  # noqa: N818 - reads as a fact where it is raised
    """What was entered is not a moment, or not a length of time."""

    def __init__(self, text: str, wanted: str = "a time; write 12:03, 12:03:07 or 2026-11-21 12:03:07") -> None:
        super().__init__(f"`{text}` is not {wanted}")


def short(seconds: float) -> str:
    """Return a length of time in its largest whole unit: ``5m``, ``24h``, ``90s``."""
    for unit, size in _UNITS:
        if seconds >= size and seconds % size == 0 and not (unit == "d" and seconds == size):
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:g}s"


def length(text: str) -> float:
    """Return the seconds of ``5m``, ``24h``, ``90s`` or ``7d``. Raises ``BadMoment``."""
    size = dict(_UNITS).get(text.strip()[-1:], 0.0)
    number = text.strip()[:-1]
    if not size or not number.isdecimal() or int(number) == 0:
        raise BadMoment(text, "a length of time; write 15m, 1h or 7d")
    return int(number) * size


def moment(text: str, now: float) -> float:
    """Return the Unix time of a moment of local time; a time of day is that of ``now``'s day. Raises ``BadMoment``."""
    entered = text.strip()
    clock = _CLOCK.fullmatch(entered)
    try:
        if clock:
            hour, minute, second = (int(part or 0) for part in clock.groups())
            return formats.wall(now).replace(hour=hour, minute=minute, second=second, microsecond=0).timestamp()
        return datetime.fromisoformat(entered).timestamp()
    except (ValueError, OverflowError, OSError) as problem:
        raise BadMoment(text) from problem
