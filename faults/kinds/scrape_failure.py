"""Scrape failure: the service works, and what it answers to a scrape is no use to Prometheus."""

from __future__ import annotations

import random
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, Literal

from pydantic import Field

from faults.base import CallInfo, Effect, Fault, Host, Parameters, Pause, Point, Preset, Reply, Target, register
from faults.hosts import MetricsHost

STAND_IN = "# TYPE process_start_time_seconds gauge\nprocess_start_time_seconds 0\n"
"""What is cut off where the app's own exposition is not at hand."""


class ScrapeFailureParameters(Parameters):
    """What a scrape is answered."""

    mode: Literal["status", "truncated", "garbage", "empty"] = Field(
        default="status",
        description="status: an error status; truncated: the exposition ends in the middle of a line; garbage: text "
        "that is no exposition; empty: 200 and nothing else.",
    )
    status: int = Field(default=500, ge=400, le=599, description="HTTP status of the answer, in status mode.")


@register
class ScrapeFailure(Fault[ScrapeFailureParameters]):
    """Answers ``/metrics`` in the app's place.

    Prometheus takes a scrape as a whole: an error status and a broken line both make the target count as down. After
    an empty answer it counts as up, without a single series.
    """

    kind = "scrape_failure"
    title = "Scrape failure"
    summary = "A scrape is answered with an error, a broken exposition, or nothing at all."
    parameters_type = ScrapeFailureParameters
    endpoint = "/metrics"
    effect = Effect(
        promql='sum(up{job="firedrill"} * scrape_samples_scraped{job="firedrill"})',
        moves="down",
        meaning="samples that the last scrape brought",
        unit="1",
    )
    presets: ClassVar[Mapping[str, Preset]] = MappingProxyType(
        {
            "Metrics answer 500": Preset(parameters={"mode": "status", "status": 500}),
            "Cut off in mid-line": Preset(parameters={"mode": "truncated"}),
            "An empty exposition": Preset(parameters={"mode": "empty"}),
            "A login page instead": Preset(parameters={"mode": "garbage"}),
        }
    )

    def __init__(self, parameters: ScrapeFailureParameters, target: Target, rng: random.Random) -> None:
        super().__init__(parameters, target, rng)
        self._host: MetricsHost | None = None

    def points(self, host: Host) -> frozenset[Point]:
        """Act on requests, of which its endpoint leaves the scrapes."""
        self._host = host if isinstance(host, MetricsHost) else None
        return frozenset({"request"})

    async def on_request(self, call: CallInfo, pause: Pause) -> Reply | None:
        """Answer in the app's place."""
        if self.parameters.mode == "status":
            return Reply(self.parameters.status, f"injected status {self.parameters.status}")
        if self.parameters.mode == "empty":
            return Reply(200, "", text="")
        if self.parameters.mode == "garbage":
            return Reply(200, "", text="<!doctype html>\n<title>Sign in</title>\n")
        return Reply(200, "", text=cut_off((self._host.exposition() if self._host else "") or STAND_IN))


def cut_off(exposition: str) -> str:
    """Return the first half of ``exposition``, which ends inside the name of a sample."""
    lines = exposition.splitlines(keepends=True)
    samples = [index for index, line in enumerate(lines) if not line.startswith("#")]
    last = samples[len(samples) // 2]
    name = lines[last].partition("{")[0].split(" ")[0]
    return "".join(lines[:last]) + name[: max(1, len(name) // 2)]
