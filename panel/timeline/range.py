"""Which stretch of time a page shows: the last so many seconds, or from one moment to another. No Streamlit.

A range is what viewers share: two who look at the last five minutes have the same range and so the same feed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from stack.pace import Pace

MOST_POINTS = 360
"""More than this a chart of a screen's width does not show."""
PRESETS_S = (300.0, 900.0, 3600.0, 6 * 3600.0, 24 * 3600.0, 7 * 24 * 3600.0)
LONGEST_S = 30 * 24 * 3600.0
"""As long as Prometheus keeps anything."""
DEFAULT_PRODUCTION_S = 4500.0
"""What a page shows unless asked otherwise, in production seconds: five minutes at workshop pace."""
OVER_TTL_S = 60.0
"""How long an answer about a range that is over is kept: what it says hardly changes any more."""


@dataclass(frozen=True)
class TimeRange:
    """The last ``last_s`` seconds, moving on with the time; or, where that is 0, ``[start, end]`` in Unix seconds."""

    last_s: float = 0.0
    start: float = 0.0
    end: float = 0.0

    @property
    def follows(self) -> bool:
        """Whether the range moves on with the time."""
        return self.last_s > 0

    def is_over(self, now: float) -> bool:
        """Say whether nothing new can come into the range at the moment ``now`` (Unix seconds)."""
        return not self.follows and self.end <= now

    def ttl_s(self, pace: Pace, quick_s: float, now: float) -> float:
        """Return how long an answer stays good, at least ``quick_s``: until the grid of this range has a new point."""
        return OVER_TTL_S if self.is_over(now) else max(quick_s, min(OVER_TTL_S, self.grid(pace, now).step_s / 2))

    def grid(self, pace: Pace, now: float) -> Grid:
        """Return the points at which a query over this range is evaluated at the moment ``now`` (Unix seconds)."""
        length_s = self.last_s or self.end - self.start
        finest_s = pace.interval_s / 2  # a point on the grid is then never older than half a scrape
        step_s = finest_s * max(1, math.ceil(length_s / finest_s / MOST_POINTS))
        end = math.floor((now if self.follows else self.end) / step_s) * step_s
        return Grid(end - math.floor(length_s / step_s) * step_s, end, step_s)


@dataclass(frozen=True)
class Grid:
    """Evenly spaced moments: ``start``, ``start + step_s``, … ``end``. Unix seconds."""

    start: float
    end: float
    step_s: float

    @property
    def steps(self) -> int:
        """How many moments there are."""
        return round((self.end - self.start) / self.step_s) + 1


def usual(pace: Pace) -> TimeRange:
    """Return the range that a page shows unless asked otherwise."""
    return TimeRange(last_s=pace.scale(DEFAULT_PRODUCTION_S))
