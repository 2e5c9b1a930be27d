"""The requests that a user named for an app of theirs, in the place of what the service says of its models.

They are sent as they stand: no body is invented, and nothing strange is made of them.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence

from faults.drills.wire import TrafficSettings
from faults.traffic.errors import BadTrafficSettings
from faults.traffic.generator import Generator
from faults.traffic.inputs import JSON, ModelInputs
from stack.own.app import AppRequest

TEXT = "text/plain; charset=utf-8"
NONE_NAMED = "no request was named; start the stack with --app-traffic, or send your own"


class OwnFeed:
    """Gives a generator the named requests. In settings a request stands by its method and path as a model does."""

    def __init__(self, generator: Generator, requests: Sequence[AppRequest]) -> None:
        """Weigh ``requests`` by how often each is named."""
        self._generator = generator
        self._inputs = {request.name: _inputs(request) for request in requests}
        self._weights = {name: float(count) for name, count in Counter(each.name for each in requests).items()}
        generator.settings = self._fitting(generator.settings)

    def refresh(self) -> None:
        """Ask nothing: the app may be away, its requests stay what they are."""

    async def run(self) -> None:
        """Hand the requests over; then wait for ever."""
        self._generator.use(self._inputs, f"it sends {', '.join(self._inputs)}" if self._inputs else NONE_NAMED)
        await asyncio.Event().wait()

    async def check(self, settings: TrafficSettings) -> TrafficSettings:
        """Return ``settings`` with all requests where they name none; raise ``BadTrafficSettings``."""
        fitting = self._fitting(settings)
        if settings.ood_share:
            raise BadTrafficSettings(["ood_share: an app of your own gets the named requests and nothing strange"])
        if fitting.rate and not self._inputs:
            raise BadTrafficSettings([f"rate: {NONE_NAMED}"])
        if unknown := [name for name in fitting.models if name not in self._inputs]:
            known = ", ".join(self._inputs) or "none"
            raise BadTrafficSettings(f"models.{name}: no such request; there are: {known}" for name in unknown)
        if fitting.rate and not any(fitting.models.values()):
            raise BadTrafficSettings(["models: at least one weight must be above 0"])
        return fitting

    def _fitting(self, settings: TrafficSettings) -> TrafficSettings:
        """Return ``settings``, whose default mix is one of models, with the mix of the named requests."""
        if settings.models != TrafficSettings().models:
            return settings
        return settings.model_copy(update={"models": self._weights})


def _inputs(request: AppRequest) -> ModelInputs:
    bodies = (request.body.encode(),)
    return ModelInputs(request.name, bodies, bodies, _content_type(request.body), request.method, request.path)


def _content_type(body: str) -> str:
    try:
        json.loads(body)
    except ValueError:
        return TEXT
    return JSON
