"""Attach an injector to any ASGI app: ``app.add_middleware(FaultMiddleware, injector=injector)``.

Pure ASGI. With no fault that acts on requests it passes the call on after one truth test. Lifespan and WebSocket
traffic is never touched.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from starlette.types import ASGIApp, Receive, Scope, Send

from faults.base import Reply
from faults.injector import Injector

_TYPES = {
    400: "invalid_input",
    404: "not_found",
    405: "method_not_allowed",
    413: "payload_too_large",
    422: "invalid_input",
    500: "internal",
    503: "unavailable",
    504: "timeout",
}


@dataclass(frozen=True)
class HttpCall:
    """One HTTP request: its path, and the model it is for (empty where the app has none)."""

    endpoint: str
    model: str


class FaultMiddleware:
    """Lets the injector's request faults wait, answer in the app's place, or raise."""

    def __init__(
        self,
        app: ASGIApp,
        injector: Injector,
        *,
        model_of: Callable[[Scope], str] | None = None,
        request_id_of: Callable[[Scope], str] | None = None,
    ) -> None:
        """``model_of`` says which model a request is for; it is needed only where faults target a model.

        ``request_id_of`` is for apps that name their requests; by default the id is the caller's ``X-Request-ID``.
        """
        self._app, self._injector = app, injector
        self._model_of, self._request_id_of = model_of, request_id_of or header_request_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if self._injector.acts_on_requests and scope["type"] == "http":
            call = HttpCall(scope["path"], self._model_of(scope) if self._model_of is not None else "")
            if (reply := await self._injector.request(call)) is not None:
                await _answer(reply, self._request_id_of(scope), send)
                return
        await self._app(scope, receive, send)


def header_request_id(scope: Scope) -> str:
    """Return the request's ``X-Request-ID``, or nothing."""
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == b"x-request-id"), "")


async def _answer(reply: Reply, request_id: str, send: Send) -> None:
    """Send ``reply`` in the shape of the service's own errors, or the text that it brings."""
    kind = _TYPES.get(reply.status) or ("client_error" if reply.status < 500 else "server_error")
    body = json.dumps({"error": {"type": kind, "message": reply.message, "request_id": request_id}}).encode()
    media = b"application/json"
    if reply.text is not None:
        body, media = reply.text.encode(), b"text/plain; version=0.0.4; charset=utf-8"
    headers = [(b"content-type", media), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
