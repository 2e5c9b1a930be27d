"""Keeps web pages of other sites out: a browser on this machine can reach loopback, so Host and Origin are checked."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]", "::1"})


class LoopbackOnly:
    """ASGI middleware: answers 403 to a Host that is not loopback (DNS rebinding) and to a foreign Origin.

    ``hosts`` are further names for this process, in a network of containers.
    """

    def __init__(self, app: ASGIApp, hosts: frozenset[str] = frozenset()) -> None:
        self._app, self._hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            origin = headers.get("origin")
            host = headers.get("host", "")
            known = is_loopback(f"//{host}") or host.partition(":")[0] in self._hosts
            if not known or (origin is not None and not is_loopback(origin)):
                refusal = PlainTextResponse("this trace store answers requests to and from this machine only\n", 403)
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)


def is_loopback(url: str) -> bool:
    """Return whether the host of a URL is this machine's loopback."""
    try:
        return urlsplit(url).hostname in _LOOPBACK
    except ValueError:
        return False
