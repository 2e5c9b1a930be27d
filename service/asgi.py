"""The service's FastAPI app, with a short way for what must be quick. What a route does stands elsewhere.

Both shortcuts leave out what would only pass a request on. The framework's layers outside of ours answer exceptions,
which ``ObserveMiddleware`` does before them, and measure what it measures. A ``DirectRoute`` is found by the template
that the request is counted under, so that no other route is tried, and needs none of what FastAPI prepares for others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from service.direct_route import DirectRoute
from service.errors import RequestError
from service.telemetry.observe import ObserveMiddleware, exchange_of


class ServiceApp(FastAPI):
    """FastAPI whose stack of middleware begins with ``ObserveMiddleware``, which has to be the last one added."""

    def build_middleware_stack(self) -> ASGIApp:
        """Return the stack from our outermost middleware on."""
        whole = super().build_middleware_stack()
        layer: ASGIApp | None = whole
        while layer is not None and not isinstance(layer, ObserveMiddleware):
            layer = getattr(layer, "app", None)
        return layer or whole

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http" or self.middleware_stack is None or self.root_path:
            await super().__call__(scope, receive, send)
            return
        scope["app"] = self
        await self.middleware_stack(scope, receive, send)


class DirectRoutes:
    """Middleware: calls the endpoint of a ``DirectRoute`` of ``routes`` at once; passes anything else on."""

    def __init__(
        self, app: ASGIApp, *, routes: Iterable[BaseRoute], answer: Callable[[Request, RequestError], Response]
    ) -> None:
        """``answer`` makes the response to an error of the caller's or of the service's."""
        self._app, self._routes, self._answer = app, routes, answer
        self._known: dict[str, DirectRoute] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http" or scope.get("root_path"):
            await self._app(scope, receive, send)
            return
        known = self._known if self._known is not None else self._look()
        route = known.get(exchange_of(scope).endpoint)
        found = route.path_regex.match(scope["path"]) if route is not None else None
        if route is None or found is None or route.methods is None or scope["method"] not in route.methods:
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive, send)
        try:
            response = await route.endpoint(request, **found.groupdict())
        except RequestError as error:
            response = self._answer(request, error)
        await response(scope, receive, send)

    def _look(self) -> dict[str, DirectRoute]:
        """Return the direct routes by template, once all of them are there."""
        self._known = {route.path: route for route in self._routes if isinstance(route, DirectRoute)}
        return self._known
