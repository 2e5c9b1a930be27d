"""Traffic spike: the stack's own traffic generator sends a multiple of what it is told to."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from pydantic import Field

from faults.base import PREDICTION_ENDPOINTS, Effect, Fault, Host, Parameters, Point, Preset, Target, register
from faults.hosts import LoadHost

STEP_S = 0.25
"""How often a rising rate is set anew."""


class TrafficSpikeParameters(Parameters):
    """How much more is sent, and how suddenly."""

    factor: float = Field(
        default=10.0, gt=1.0, le=1000.0, description="How many times the rate; at most 5000 requests/s in all."
    )
    rise_s: float = Field(
        default=0.0, ge=0.0, le=3600.0, description="Seconds in which the rate rises evenly; 0: at once."
    )


@register
class TrafficSpike(Fault[TrafficSpikeParameters]):
    """Multiplies the generator's rate; its settings stay what they are, and may be changed meanwhile."""

    kind = "traffic_spike"
    title = "Traffic spike"
    summary = "Many times as many requests come in."
    parameters_type = TrafficSpikeParameters
    place = "traffic"
    effect = Effect(
        promql=f'sum(rate(http_requests_total{{job="firedrill",{PREDICTION_ENDPOINTS}}}[1m]))',
        moves="up",
        meaning="prediction requests that are answered",
        unit="1/s",
    )
    presets: ClassVar[Mapping[str, Preset]] = MappingProxyType(
        {
            "Ten times as many": Preset(parameters={"factor": 10}),
            "Twice as many": Preset(parameters={"factor": 2}),
            "The morning rush": Preset(parameters={"factor": 20, "rise_s": 60}),
            "Far more than it can take": Preset(parameters={"factor": 1000}),
        }
    )

    def __init__(self, parameters: TrafficSpikeParameters, target: Target, rng: random.Random) -> None:
        super().__init__(parameters, target, rng)
        self._rising: asyncio.Task[None] | None = None

    @classmethod
    def unavailable(cls, host: Host) -> str | None:
        """Refuse a host that sends nothing of its own."""
        return None if isinstance(host, LoadHost) else "it needs the traffic generator"

    def points(self, host: Host) -> frozenset[Point]:
        """Act as a whole."""
        return frozenset()

    async def apply(self, host: Host) -> None:
        """Multiply the rate, at once or bit by bit."""
        if not isinstance(host, LoadHost):
            raise TypeError(host)
        if host.rate <= 0.0:
            raise ValueError("the traffic generator is told to send nothing, and a multiple of that is nothing too")
        if self.parameters.rise_s > 0.0:
            self._rising = asyncio.get_running_loop().create_task(self._rise(host))
        else:
            host.multiply(self, self.parameters.factor)
        self.acted()

    async def rollback(self, host: Host) -> None:
        """Let the rate be what the settings say."""
        if self._rising is not None:
            self._rising.cancel()
            await asyncio.wait({self._rising})
        if isinstance(host, LoadHost):
            host.leave_alone(self)

    async def _rise(self, host: LoadHost) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        while (share := (loop.time() - began) / self.parameters.rise_s) < 1.0:
            host.multiply(self, 1.0 + share * (self.parameters.factor - 1.0))
            await asyncio.sleep(min(STEP_S, self.parameters.rise_s * (1.0 - share)))
        host.multiply(self, self.parameters.factor)
