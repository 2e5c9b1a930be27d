"""Slow scrape: the service works, and its metrics come late or too late to be taken."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from pydantic import Field

from faults.base import CallInfo, Effect, Fault, Host, Parameters, Pause, Point, Preset, Reply, register


class SlowScrapeParameters(Parameters):
    """How long a scrape waits."""

    delay_ms: float = Field(
        default=12_000.0, ge=1.0, le=60_000.0, description="Delay of every scrape, in milliseconds."
    )
    jitter_ms: float = Field(
        default=0.0, ge=0.0, le=60_000.0, description="What is added at most, in milliseconds, evenly spread."
    )


@register
class SlowScrape(Fault[SlowScrapeParameters]):
    """Delays ``/metrics`` and nothing else; what waits goes on at once when the fault ends.

    The default is beyond Prometheus's scrape timeout (10 s, or the scrape interval where that is less), so that the
    service counts as down although it serves.
    """

    kind = "slow_scrape"
    title = "Slow scrape"
    summary = "The metrics come late, or too late for Prometheus to wait for them."
    parameters_type = SlowScrapeParameters
    endpoint = "/metrics"
    effect = Effect(
        promql='max(scrape_duration_seconds{job="firedrill"})',
        moves="up",
        meaning="how long the last scrape took; at most the scrape timeout",
        unit="s",
    )
    presets: ClassVar[Mapping[str, Preset]] = MappingProxyType(
        {
            "Beyond the timeout": Preset(parameters={"delay_ms": 12_000}),
            "Slow and still in time": Preset(parameters={"delay_ms": 400}),
            "Every second scrape is lost": Preset(parameters={"delay_ms": 12_000}, probability=0.5),
        }
    )

    def points(self, host: Host) -> frozenset[Point]:
        """Act on requests, of which its endpoint leaves the scrapes."""
        return frozenset({"request"})

    async def on_request(self, call: CallInfo, pause: Pause) -> Reply | None:
        """Wait."""
        await pause((self.parameters.delay_ms + self.rng.random() * self.parameters.jitter_ms) / 1000.0)
        return None
