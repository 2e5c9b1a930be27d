"""An app of the user's as the conductor sees it: where its faults are counted, and a request to look at it with.

Whether its answers are right is nobody's affair here.
"""

from __future__ import annotations

from contextlib import suppress

import httpx

from faults.drills.control import ServiceControl
from faults.drills.counters import Page, Pages
from stack.own.app import AppRequest, OwnApp


def control_of_app(app: OwnApp, token: str) -> ServiceControl:
    """Return the connection to the control endpoint of ``app``."""
    what = "the control endpoint of your app, which must run with FIREDRILL_FAULTS=on,"
    return ServiceControl(app.control, token, what=what)


def pages_of_app(app: OwnApp, token: str) -> Pages:
    """Return what the control endpoint of ``app`` shows to whoever has ``token``."""
    return Pages([Page("your app", app.control)], token=token)


class AppProbe:
    """Sends the first of the requests that were named for the app, else asks for its front page."""

    def __init__(self, app: OwnApp, *, timeout_s: float = 2.0) -> None:
        self._url = app.url
        self._request = app.traffic[0] if app.traffic else AppRequest(method="GET", path="/")
        self._client = httpx.AsyncClient(timeout=timeout_s, trust_env=False)

    async def __call__(self, _page: Page) -> None:
        """Send one request to the app."""
        with suppress(httpx.HTTPError):
            path = f"{self._url}{self._request.path}"
            await self._client.request(self._request.method, path, content=self._request.body.encode())
