"""Keeps the generator's inputs current: asks the service what it serves, at the start and whenever it was away."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

from faults.drills.wire import TrafficSettings
from faults.traffic.errors import BadModelInfo, BadTrafficSettings, TrafficError
from faults.traffic.generator import Generator
from faults.traffic.inputs import ModelInfo, ModelInputs, make_inputs, read_model_info
from faults.traffic.pool import Answer

PATH = "/model-info"
FIRST_RETRY_S = 0.2
LAST_RETRY_S = 5.0
ANSWER_WITHIN_S = 5.0
OK = 200

log = logging.getLogger(__name__)


class Feed:
    """Fetches ``/model-info`` until it is there, and makes the bodies of every model that it names."""

    def __init__(
        self, generator: Generator, get: Callable[[str], Awaitable[Answer]], *, url: str, rng: random.Random
    ) -> None:
        """``get`` fetches a path of the service at ``url``."""
        self.served: tuple[str, ...] | None = None
        self._generator, self._get, self._url = generator, get, f"{url}{PATH}"
        self._seed = rng.getrandbits(64)
        self._wanted = asyncio.Event()
        self._wanted.set()

    def refresh(self) -> None:
        """Ask again soon: the service was away, and may come back with other models."""
        self._wanted.set()

    async def run(self) -> None:
        """Refresh whenever that is wanted, for ever."""
        while True:
            await self._wanted.wait()
            await self._persist()

    async def check(self, settings: TrafficSettings) -> TrafficSettings:
        """Return ``settings``; raise ``BadTrafficSettings`` for a mix that the service is known not to serve."""
        if settings.rate > 0.0 and not any(settings.models.values()):
            raise BadTrafficSettings(["models: at least one weight must be above 0"])
        if self._unserved(settings):
            try:
                await self.fetch()
            except TrafficError:
                log.info("cannot ask the service for its models; going by its last answer")
        if unserved := self._unserved(settings):
            names = ", ".join(self.served or ()) or "no model"
            raise BadTrafficSettings(f"models.{name}: unknown model; the service serves {names}" for name in unserved)
        return settings

    async def fetch(self) -> bool:
        """Fetch and use the inputs; return whether every model has some. Raise ``TrafficError``."""
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                answer = await self._get(PATH)
        except TimeoutError:
            raise BadModelInfo(self._url, f"no answer within {ANSWER_WITHIN_S:g} s") from None
        if answer.status != OK:
            raise BadModelInfo(self._url, f"it answered {answer.status}")
        info = read_model_info(answer.body, self._url)
        inputs = await self._make(info)
        self.served = tuple(model.name for model in info.models)
        self._narrow()
        self._generator.use(inputs, f"the service offers {', '.join(inputs) or 'none'} so far")
        return len(inputs) == len(self.served)

    async def _persist(self) -> None:
        retry_s = FIRST_RETRY_S
        self._wanted.clear()
        while True:
            try:
                if await self.fetch():
                    return
            except TrafficError as error:
                if self.served is None and str(error) != self._generator.reason:
                    self._generator.reason = str(error)
                    log.info("waiting: %s", error)
            await asyncio.sleep(retry_s)
            retry_s = min(2.0 * retry_s, LAST_RETRY_S)

    async def _make(self, info: ModelInfo) -> dict[str, ModelInputs]:
        inputs: dict[str, ModelInputs] = {}
        for model in info.models:
            made = make_inputs(model, random.Random(f"{self._seed}/{model.name}"))
            if made is not None:
                inputs[model.name] = made
            await asyncio.sleep(0)  # requests that are due go first
        return inputs

    def _unserved(self, settings: TrafficSettings) -> list[str]:
        return [] if self.served is None else [name for name in settings.models if name not in self.served]

    def _narrow(self) -> None:
        """Leave out of the mix what is not served: the default names more models than a service may have."""
        settings = self._generator.settings
        unserved = self._unserved(settings)
        left = {name: weight for name, weight in settings.models.items() if name not in unserved}
        if unserved and any(left.values()):
            log.info("not served here, so not sent: %s", ", ".join(unserved))
            self._generator.settings = settings.model_copy(update={"models": left})
