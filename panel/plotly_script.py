"""Plotly's JavaScript as the panel serves it: the installed one, packed, at an address that changes with its version.

A browser fetches and compiles it while the page is still on its way, and keeps it. As a message of the page, as
Streamlit's components bring their scripts, it came anew at every load, and everything else waited until it had run.
"""

from __future__ import annotations

import functools
import gzip
from importlib.metadata import version

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

ADDRESS = f"/firedrill/plotly-{version('plotly')}.js"
_KEPT = "public, max-age=31536000, immutable"
_TAG = f'<script async src="{ADDRESS}"></script>'.encode()


@functools.cache
def packed() -> bytes:
    """Return the installed plotly's JavaScript, packed by gzip."""
    from plotly.offline import get_plotlyjs  # noqa: PLC0415 - a second of import, which the panel's start need not pay

    return gzip.compress(get_plotlyjs().encode())


def route() -> Route:
    """Return the route of the script."""
    return Route(ADDRESS, _answer, methods=["GET"])


def _answer(request: Request) -> Response:
    headers = {"Cache-Control": _KEPT, "Vary": "Accept-Encoding"}
    body = packed()
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        headers["Content-Encoding"] = "gzip"
    else:
        body = gzip.decompress(body)
    return Response(body, media_type="text/javascript", headers=headers)


class Early:
    """Puts the script into the head of every page, so that it is fetched and compiled while the page is still made."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and change its answer where that is a page."""
        await self._app(scope, receive, _Changed(send) if scope["type"] == "http" else send)


class _Changed:
    """Hands an answer on; that of a page only once it is whole."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message | None = None
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_page(message):
            self._start = message
        elif self._start is None or message["type"] != "http.response.body":
            await self._send(message)
        else:
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                body = self._body.replace(b"</head>", _TAG + b"</head>", 1)
                MutableHeaders(raw=self._start["headers"])["content-length"] = str(len(body))
                await self._send(self._start)
                await self._send({"type": "http.response.body", "body": body})


def _is_page(start: Message) -> bool:
    headers = MutableHeaders(raw=start["headers"])
    plain = "content-encoding" not in headers
    return start["status"] == 200 and plain and headers.get("content-type", "").startswith("text/html")
