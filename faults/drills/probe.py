"""One real prediction, sent to a process of the service when nobody else sends any. It judges no answer."""

from __future__ import annotations

import random
from contextlib import suppress
from urllib.parse import quote

import httpx

from faults.drills.counters import Page
from faults.traffic.errors import TrafficError
from faults.traffic.inputs import ModelInputs, make_inputs, read_model_info

_SEED = 0


class Probe:
    """Sends predictions made from the service's own description of its models, as the traffic generator does."""

    def __init__(self, *, timeout_s: float = 2.0) -> None:
        self._client = httpx.AsyncClient(timeout=timeout_s, trust_env=False)
        self._inputs: ModelInputs | None = None

    async def __call__(self, page: Page) -> None:
        """Send one prediction to the process behind ``page``; where it cannot be asked for its models, a page view."""
        with suppress(httpx.HTTPError):
            if self._inputs is None:
                self._inputs = await self._learn(page)
            if self._inputs is None:
                await self._client.get(page.base)
                return
            path = f"/predict/{quote(self._inputs.model, safe='')}"
            headers = {"Content-Type": self._inputs.content_type}
            await self._client.post(f"{page.base}{path}", content=self._inputs.usual[0], headers=headers)

    async def _learn(self, page: Page) -> ModelInputs | None:
        url = f"{page.base}/model-info"
        answer = await self._client.get(url)
        with suppress(TrafficError):
            for model in read_model_info(answer.content, url).models:
                if (made := make_inputs(model, random.Random(_SEED))) is not None:
                    return made
        return None

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()
