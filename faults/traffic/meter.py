"""What is counted of the traffic: statuses, late starts, and latency in a histogram of fixed size."""

from __future__ import annotations

import math
from collections import Counter
from typing import Final

QUANTILES: Final = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
LATE_S = 0.005
"""A start later than this after its intended time counts as late, in seconds."""
ERROR, DROPPED = "error", "dropped"

SMALLEST_S = 1e-6
LARGEST_S = 1e3
GROWTH = 1.02


class LatencyHistogram:
    """Counts per bucket, each bucket 2 % wider than the one below: quantiles within 1 %, whatever the number.

    Covers a microsecond to a thousand seconds; the maximum is exact.
    """

    _per_log: float = 1.0 / math.log(GROWTH)
    _size = math.ceil(math.log(LARGEST_S / SMALLEST_S) / math.log(GROWTH)) + 1

    def __init__(self) -> None:
        self._buckets = [0] * self._size
        self.count = 0
        self.maximum = 0.0

    def observe(self, seconds: float) -> None:
        """Count one latency, in seconds."""
        index = int(math.log(seconds / SMALLEST_S) * self._per_log) if seconds > SMALLEST_S else 0
        self._buckets[min(index, self._size - 1)] += 1
        self.count += 1
        self.maximum = max(self.maximum, seconds)

    def quantile(self, share: float) -> float:
        """Return the latency that ``share`` of the observations do not exceed, in seconds; 0 where there are none."""
        wanted = max(1, math.ceil(share * self.count))
        seen = 0
        for index, count in enumerate(self._buckets):
            seen += count
            if seen >= wanted:
                return min(SMALLEST_S * math.pow(GROWTH, index + 0.5), self.maximum)
        return 0.0


class Meter:
    """The counts of one run of unchanged settings. Latencies run from the intended start, in seconds."""

    def __init__(self) -> None:
        self.sent = 0
        self.late = 0
        self.outcomes: Counter[str] = Counter()
        self.latency = LatencyHistogram()

    def started(self, lateness_s: float) -> None:
        """Count a request that is handed to the transport ``lateness_s`` after its intended start."""
        self.sent += 1
        if lateness_s > LATE_S:
            self.late += 1

    def answered(self, status: int, latency_s: float) -> None:
        """Count a complete answer."""
        self.outcomes[str(status)] += 1
        self.latency.observe(latency_s)

    def unanswered(self, latency_s: float) -> None:
        """Count a request that reached the service and got no answer, with the time that its caller waited."""
        self.outcomes[ERROR] += 1
        self.latency.observe(latency_s)

    def unsent(self) -> None:
        """Count a request that found no connection: an error without a latency (a refusal is fast, not quick)."""
        self.outcomes[ERROR] += 1

    def dropped(self) -> None:
        """Count a request that was due and not started, because too many were in flight."""
        self.outcomes[DROPPED] += 1

    @property
    def late_share(self) -> float:
        """Share of the sent requests that started late."""
        return self.late / self.sent if self.sent else 0.0

    def quantiles(self) -> dict[str, float]:
        """Return p50, p90, p95, p99 and max in seconds; empty where nothing was measured."""
        if not self.latency.count:
            return {}
        found = {name: self.latency.quantile(share) for name, share in QUANTILES.items()}
        return {**found, "max": self.latency.maximum}

    def statuses(self) -> dict[str, int]:
        """Return the number of requests by outcome: status code, ``error`` or ``dropped``."""
        return dict(sorted(self.outcomes.items()))
