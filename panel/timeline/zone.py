"""The local time of this machine against UTC, for what turns times back that a chart shows in local time."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

from panel import formats

DAY_S = 86_400.0
BACK_DAYS = 35
"""As far back as the stack keeps anything, and some days more."""


def changes(now: float) -> tuple[tuple[float, float], ...]:
    """Return (from when, in milliseconds of local time; seconds east of UTC), for the weeks up to ``now``, in order."""
    return _changes(now // DAY_S)


@lru_cache(maxsize=4)
def _changes(day: float) -> tuple[tuple[float, float], ...]:
    first = (day - BACK_DAYS) * DAY_S
    found = [(0.0, _offset_s(first))]
    for number in range(BACK_DAYS + 2):
        low, high = first + number * DAY_S, first + (number + 1) * DAY_S
        if _offset_s(low) != _offset_s(high):
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if _offset_s(middle) == _offset_s(low) else (low, middle)
            found.append((_wall_ms(high), _offset_s(high)))
    return tuple(found)


def _offset_s(at: float) -> float:
    offset = datetime.fromtimestamp(at, tz=UTC).astimezone().utcoffset()
    return 0.0 if offset is None else offset.total_seconds()


def _wall_ms(at: float) -> float:
    return formats.wall(at).replace(tzinfo=UTC).timestamp() * 1000
