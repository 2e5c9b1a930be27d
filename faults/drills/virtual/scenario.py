"""What shall happen in a virtual world: traffic, faults, for how long, what is kept of it. Plain values."""

from __future__ import annotations

from dataclasses import dataclass, field

from faults.drills.schedule import Lighting
from faults.drills.wire import TrafficSettings
from stack.pace import PRODUCTION, Pace


@dataclass(frozen=True)
class Scenario:
    """One course of events. All durations are seconds of the virtual world, at ``pace`` already.

    ``calm_s`` of traffic alone, then the schedule, whose times count from there; ``burn_s`` after it began whatever
    still burns is put out, and ``recovery_s`` later the world ends.
    """

    name: str
    seed: int
    calm_s: float
    burn_s: float = 0.0
    recovery_s: float = 0.0
    schedule: tuple[Lighting, ...] = ()
    traffic: TrafficSettings = field(default_factory=lambda: TrafficSettings(rate=2.0))
    background: TrafficSettings | None = None
    """What is sent before ``traffic`` is; ``None``: ``traffic`` from the beginning."""
    settling_s: float = 0.0
    """Where there is a background: how long ``traffic`` has been sent when the calm ends."""
    pace: Pace = PRODUCTION
    dialect: str = ""
    """Under whose names it is scraped: a built-in dialect or the path of one's file; empty: the canonical ones."""
    metrics: frozenset[str] | None = None
    """Names of the series that are kept (``up`` always is); ``None``: all of them."""
    scrape_phases: int = 3
    """How many scrapers watch the same world, each at a phase of its own, evenly spread over the interval."""
    traces: bool = False
    """Whether the slowest and the failed traces are kept, for a report."""

    @property
    def lasts_s(self) -> float:
        """Return how long the world lasts."""
        return self.calm_s + self.burn_s + self.recovery_s
