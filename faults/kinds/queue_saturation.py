"""Queue saturation: places of the prediction queue are taken, so that real requests meet a queue that is full."""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from pydantic import Field

from faults.base import Effect, Fault, Host, Parameters, Point, Preset, Target, register
from faults.hosts import QueueHost

TOP_UP_S = 0.05
"""How often it tries for the places that real requests still held when it came."""


class QueueSaturationParameters(Parameters):
    """How much of the queue is taken."""

    share: float = Field(
        default=1.0, gt=0.0, le=1.0, description="Share of the queue's places that are taken; 1 leaves none."
    )


@register
class QueueSaturation(Fault[QueueSaturationParameters]):
    """Takes places as requests do, each as soon as there is one, and gives all of them back at the end."""

    kind = "queue_saturation"
    title = "Queue saturation"
    summary = "The prediction queue is full, or nearly: real requests are refused with queue_full."
    parameters_type = QueueSaturationParameters
    needs_models = True
    effect = Effect(
        promql='max(avg_over_time(inference_queue_size{job="firedrill"}[1m])'
        ' / avg_over_time(inference_queue_limit{job="firedrill"}[1m]))',
        moves="up",
        meaning="share of the prediction queue that is taken",
        unit="ratio",
    )
    presets: ClassVar[Mapping[str, Preset]] = MappingProxyType(
        {
            "No place left": Preset(parameters={"share": 1.0}),
            "Nearly full": Preset(parameters={"share": 0.9}),
            "Half full": Preset(parameters={"share": 0.5}),
        }
    )

    def __init__(self, parameters: QueueSaturationParameters, target: Target, rng: random.Random) -> None:
        super().__init__(parameters, target, rng)
        self._held = 0
        self._top_up: asyncio.Task[None] | None = None

    @classmethod
    def unavailable(cls, host: Host) -> str | None:
        """Need a queue."""
        fits = isinstance(host, QueueHost) and host.queue_limit > 0
        return super().unavailable(host) or (None if fits else "it needs a prediction queue")

    def points(self, host: Host) -> frozenset[Point]:
        """Act as a whole."""
        return frozenset()

    async def apply(self, host: Host) -> None:
        """Take what is free at once, and the rest as requests leave."""
        if isinstance(host, QueueHost):
            wanted = math.ceil(self.parameters.share * host.queue_limit)
            self._take(host, wanted)
            if self._held < wanted:
                self._top_up = asyncio.get_running_loop().create_task(self._go_on(host, wanted))

    def _take(self, host: QueueHost, wanted: int) -> None:
        while self._held < wanted and host.take_place():
            self._held += 1
            self.acted()

    async def _go_on(self, host: QueueHost, wanted: int) -> None:
        while self._held < wanted:
            await asyncio.sleep(TOP_UP_S)
            self._take(host, wanted)

    async def rollback(self, host: Host) -> None:
        """Give every place back."""
        if self._top_up is not None:
            self._top_up.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._top_up
            self._top_up = None
        if isinstance(host, QueueHost):
            while self._held:
                self._held -= 1
                host.give_back_place()
