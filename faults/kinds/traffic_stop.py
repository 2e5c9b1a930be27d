"""Traffic stop: the stack's own traffic generator goes silent, or sends only a part of what it is told to."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from pydantic import Field

from faults.base import PREDICTION_ENDPOINTS, Effect, Fault, Host, Parameters, Point, Preset, register
from faults.hosts import LoadHost


class TrafficStopParameters(Parameters):
    """How much of the traffic stays away."""

    share: float = Field(default=1.0, gt=0.0, le=1.0, description="Share of the requests that are not sent.")


@register
class TrafficStop(Fault[TrafficStopParameters]):
    """Takes the generator's rate away; its settings stay what they are, and may be changed meanwhile."""

    kind = "traffic_stop"
    title = "Traffic stop"
    summary = "Requests stay away."
    parameters_type = TrafficStopParameters
    place = "traffic"
    effect = Effect(
        promql=f'sum(rate(http_requests_total{{job="firedrill",{PREDICTION_ENDPOINTS}}}[1m]))',
        moves="down",
        meaning="prediction requests that are answered",
        unit="1/s",
    )
    presets: ClassVar[Mapping[str, Preset]] = MappingProxyType(
        {
            "Nobody asks": Preset(parameters={"share": 1}),
            "Half of the callers are gone": Preset(parameters={"share": 0.5}),
        }
    )

    @classmethod
    def unavailable(cls, host: Host) -> str | None:
        """Refuse a host that sends nothing of its own."""
        return None if isinstance(host, LoadHost) else "it needs the traffic generator"

    def points(self, host: Host) -> frozenset[Point]:
        """Act as a whole."""
        return frozenset()

    async def apply(self, host: Host) -> None:
        """Send less, or nothing; what is under way goes on."""
        if not isinstance(host, LoadHost):
            raise TypeError(host)
        if host.rate <= 0.0:
            raise ValueError("the traffic generator is told to send nothing, so that there is nothing to stop")
        host.multiply(self, 1.0 - self.parameters.share)
        self.acted()

    async def rollback(self, host: Host) -> None:
        """Let the rate be what the settings say."""
        if isinstance(host, LoadHost):
            host.leave_alone(self)
