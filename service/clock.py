"""What time it is, for everything in the service: handed in, so that the same app runs on a virtual clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol

NS_PER_S = 1_000_000_000


class Clock(Protocol):
    """Two readings of one clock."""

    def time(self) -> float:
        """Return the Unix time in seconds."""

    def perf(self) -> float:
        """Return a monotonic reading in seconds; only differences mean something."""


class SystemClock:
    """The clock of this machine."""

    def time(self) -> float:
        """Return the Unix time in seconds."""
        return time.time()

    def perf(self) -> float:
        """Return a monotonic reading in seconds."""
        return time.perf_counter()


def nanoseconds(seconds: float) -> int:
    """Return ``seconds`` as the whole nanoseconds that OpenTelemetry wants."""
    return int(seconds * NS_PER_S)


def utc(seconds: float) -> str:
    """Return a Unix time as ISO 8601 in UTC, with microseconds and a trailing ``Z``."""
    whole, micros = divmod(round(seconds * 1e6), 1_000_000)
    return f"{_second(whole)}.{micros:06d}Z"


@lru_cache(maxsize=16)
def _second(whole: int) -> str:
    """Return a whole second; the same few are asked for again and again, and formatting them is dear."""
    return datetime.fromtimestamp(whole, UTC).strftime("%Y-%m-%dT%H:%M:%S")
