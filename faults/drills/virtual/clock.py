"""The service's clock on an event loop: Unix time and the monotonic reading are the loop's own time."""

from __future__ import annotations

import asyncio
import math

BEGINS_AT = 1_767_225_600.0
"""About when every virtual world begins, Unix seconds: the first of January 2026, UTC. The same for all, so that the
same scenario gives the same samples."""
LEAD_S = 60.0
"""How long the service has been up when a world begins."""


def beginning(interval_s: float) -> float:
    """Return when a world begins that is scraped every ``interval_s`` seconds: a multiple of that, Unix seconds."""
    return math.ceil(round(BEGINS_AT / interval_s, 6)) * interval_s


class LoopClock:
    """Tells the time of ``loop``, which is ``origin`` Unix seconds at 0."""

    def __init__(self, loop: asyncio.AbstractEventLoop, origin: float) -> None:
        self.perf = loop.time
        """Return a monotonic reading in seconds."""
        self._origin = origin

    def time(self) -> float:
        """Return the Unix time in seconds."""
        return self._origin + self.perf()
