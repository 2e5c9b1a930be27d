"""Latency: calls wait before the app, or before one stage of a prediction, goes on with them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, Literal

from pydantic import Field

from faults.base import (
    PREDICTION_ENDPOINTS,
    CallInfo,
    Effect,
    Fault,
    Host,
    Parameters,
    Pause,
    Point,
    Preset,
    Reply,
    register,
)

MAX_DELAY_S = 120.0
"""No single draw waits longer, however long the distribution's tail."""


class LatencyParameters(Parameters):
    """How long calls wait, and where."""

    delay_ms: float = Field(default=1500.0, ge=1.0, le=60_000.0, description="Mean delay in milliseconds.")
    jitter_ms: float = Field(
        default=0.0, ge=0.0, le=60_000.0, description="Standard deviation in milliseconds; a fixed delay ignores it."
    )
    distribution: Literal["fixed", "normal", "lognormal", "pareto"] = Field(
        default="fixed", description="How delays spread around the mean; pareto has the heaviest tail."
    )
    stage: Literal["request", "preprocess", "queue", "model_prediction"] = Field(
        default="request", description="What waits: the whole request, or one stage of the prediction."
    )


@register
class Latency(Fault[LatencyParameters]):
    """Delays calls; each delay ends at once when the fault does."""

    kind = "latency"
    title = "Latency"
    summary = "Requests, or one stage of a prediction, take longer."
    parameters_type = LatencyParameters
    effect = Effect(
        promql="histogram_quantile(0.95, sum by (le) "
        f'(rate(http_request_duration_seconds_bucket{{job="firedrill",{PREDICTION_ENDPOINTS}}}[1m])))',
        moves="up",
        meaning="95th percentile of the prediction endpoints' response time",
        unit="s",
    )
    presets: ClassVar[Mapping[str, Preset]] = MappingProxyType(
        {
            "Slow for everyone": Preset(parameters={"delay_ms": 1500}),
            "Slow model": Preset(
                parameters={"delay_ms": 800, "jitter_ms": 100, "distribution": "normal", "stage": "model_prediction"}
            ),
            "Long tail": Preset(parameters={"delay_ms": 600, "jitter_ms": 900, "distribution": "lognormal"}),
            "One in ten hangs": Preset(parameters={"delay_ms": 5000}, probability=0.1),
        }
    )

    def points(self, host: Host) -> frozenset[Point]:
        """Act at the one stage that the parameters name."""
        return frozenset({self.parameters.stage})

    async def on_request(self, call: CallInfo, pause: Pause) -> Reply | None:
        """Wait before the app sees the request."""
        await pause(self.delay_s())
        return None

    async def on_stage(self, stage: str, call: CallInfo, pause: Pause) -> None:
        """Wait inside the stage."""
        await pause(self.delay_s())

    def delay_s(self) -> float:
        """Draw one delay in seconds, with mean ``delay_ms`` and standard deviation ``jitter_ms``.

        A normal delay is cut off at 0, which raises its mean when the jitter is wide; every draw is cut off at
        ``MAX_DELAY_S``.
        """
        mean, deviation = self.parameters.delay_ms / 1000.0, self.parameters.jitter_ms / 1000.0
        if self.parameters.distribution == "fixed" or deviation < 1e-6 * mean:
            return mean
        if self.parameters.distribution == "normal":
            drawn = self.rng.gauss(mean, deviation)
        elif self.parameters.distribution == "lognormal":
            variance = math.log1p((deviation / mean) ** 2)
            drawn = self.rng.lognormvariate(math.log(mean) - variance / 2.0, math.sqrt(variance))
        else:
            shape = 1.0 + math.sqrt(1.0 + (mean / deviation) ** 2)
            drawn = mean * (shape - 1.0) / shape * self.rng.paretovariate(shape)
        return min(max(drawn, 0.0), MAX_DELAY_S)
