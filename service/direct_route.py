"""A route for what must be quick: documented as any other of FastAPI's, called without what it would not use.

Its endpoint takes the request and the path parameters, reads the body itself and returns the response. There are no
dependencies, no body model and no conversion of answers on such a route; errors go to the app's handlers as anywhere.
"""

from __future__ import annotations

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.types import Receive, Scope, Send


class DirectRoute(APIRoute):
    """An API route whose endpoint is called at once."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request of one of the route's methods; leave any other to FastAPI, which knows what to say."""
        if self.methods is None or scope["method"] not in self.methods:
            await super().handle(scope, receive, send)
            return
        response = await self.endpoint(Request(scope, receive, send), **scope["path_params"])
        await response(scope, receive, send)
