"""The two paces: how fast production time passes in this stack.

``production`` is as written. ``workshop`` divides every duration that Prometheus and Alertmanager know by one factor,
so that a rule with ``for: 5m`` takes 20 s. Rules, configuration and drill files are written in production time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

PRODUCTION_INTERVAL_S = 15.0


@dataclass(frozen=True)
class Pace:
    """A named divisor of production durations."""

    name: str
    factor: float

    def scale(self, seconds: float) -> float:
        """Return how long ``seconds`` of production time last at this pace, in seconds."""
        return seconds / self.factor

    @property
    def interval_s(self) -> float:
        """Scrape and evaluation interval at this pace, in seconds."""
        return self.scale(PRODUCTION_INTERVAL_S)


PRODUCTION = Pace("production", 1.0)
WORKSHOP = Pace("workshop", 15.0)
PACES: Mapping[str, Pace] = MappingProxyType({pace.name: pace for pace in (PRODUCTION, WORKSHOP)})
