"""The service process as the faults see it: its models, its queue, its metrics, its pictures. It decides nothing.

Everything here is something that the service offers anyway; a kind of fault asks for it by a protocol of
``faults.hosts``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from prometheus_client import CollectorRegistry, generate_latest

from faults.base import Place
from service import compute as kinds
from service.compute import Compute
from service.errors import QueueFull
from service.images import Pixels
from service.inference import PredictionQueue
from service.models.registry import Models


class ServiceHost:
    """The service process. What it serves is known once the app is built."""

    def __init__(self, scratch: Path, *, exports_spans: bool = True) -> None:
        """``exports_spans`` is whether the process sends its spans anywhere."""
        self._scratch, self._exports_spans = scratch, exports_spans
        self._models: Models | None = None
        self._queue: PredictionQueue | None = None
        self._registry: CollectorRegistry | None = None
        self._compute: Compute | None = None

    def serve(
        self,
        models: Models,
        queue: PredictionQueue | None = None,
        registry: CollectorRegistry | None = None,
        compute: Compute | None = None,
    ) -> None:
        """Take the app's models, the queue and the workers of its predictions, and the registry that it exposes."""
        self._models, self._queue, self._registry, self._compute = models, queue, registry, compute

    @property
    def place(self) -> Place:
        """The service itself."""
        return "service"

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the served models."""
        return self._models.names if self._models is not None else ()

    @property
    def scratch(self) -> Path:
        """This process's private folder."""
        return self._scratch

    async def reload_model(self, name: str) -> bool:
        """Load ``name`` anew and return whether that worked; the service logs and counts a failure."""
        return self._models is not None and await self._models.reload(name)

    async def unload_model(self, name: str) -> None:
        """Forget the loaded ``name``."""
        if self._models is not None:
            await self._models.unload(name)

    def classes_of(self, model: str) -> tuple[str, ...]:
        """Return what ``model`` tells apart, as loaded or else as its profile has it; empty for a regressor."""
        if self._models is None:
            return ()
        loaded = self._models.loaded(model)
        return loaded.classes if loaded is not None else tuple(self._models.profiles[model].classes)

    def takes_pictures(self, model: str) -> bool:
        """Return whether the input of ``model`` is a picture."""
        return self._models is not None and self._models.profiles[model].input.form == "image"

    @property
    def queue_limit(self) -> int:
        """How many predictions may wait or run at the same time; 0 before the app is built."""
        return self._queue.limit if self._queue is not None else 0

    def take_place(self) -> bool:
        """Take a place of the queue as a request does, and return whether there was one."""
        try:
            if self._queue is None:
                return False
            self._queue.enter()
        except QueueFull:
            return False
        return True

    def give_back_place(self) -> None:
        """Give a taken place back."""
        if self._queue is not None:
            self._queue.leave()

    @property
    def workers(self) -> int:
        """How many calls of models run at the same time; 0 where nothing runs beside the event loop."""
        return self._queue.workers if self._queue is not None and self._compute is not None else 0

    async def run_in_worker(self, work: Callable[[], None]) -> None:
        """Have ``work`` done where models are called, in its turn."""
        if self._compute is not None:
            await self._compute.run(kinds.PREDICT, work)

    @property
    def exports_spans(self) -> bool:
        """Whether finished spans go anywhere."""
        return self._exports_spans

    def exposition(self) -> str:
        """Return the metrics as they are now, as Prometheus text; empty before the app is built."""
        return generate_latest(self._registry).decode() if self._registry is not None else ""


@dataclass(frozen=True)
class ArrayPicture:
    """The pixels of a picture, from 0 to 1, with what a fault may do to them."""

    pixels: Pixels

    def inverted(self) -> ArrayPicture:
        """Return the negative."""
        return ArrayPicture(np.float32(1.0) - self.pixels)

    def noisy(self, deviation: float, seed: int) -> ArrayPicture:
        """Return the picture with Gaussian noise of standard deviation ``deviation``, cut off at 0 and at 1."""
        noise = np.random.default_rng(seed).normal(0.0, deviation, self.pixels.shape).astype(np.float32)
        return ArrayPicture(np.clip(self.pixels + noise, np.float32(0.0), np.float32(1.0)))
