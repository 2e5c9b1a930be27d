"""What stands before a control endpoint: Host of this stack, no foreign Origin, the bearer token. Pure ASGI.

Host and Origin are checked so that a web page open in the user's browser cannot light faults, by DNS rebinding or by
a plain cross-site request. The token is compared in constant time.
"""

from __future__ import annotations

import hmac
import re

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_LOOPBACK = r"(?:127\.0\.0\.1|localhost|\[::1\])(?::\d{1,5})?"
_HOST = re.compile(_LOOPBACK, re.IGNORECASE)
_ORIGIN = re.compile(rf"https?://{_LOOPBACK}", re.IGNORECASE)


def refusal(status: int, kind: str, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """Return an error in the shape of all control endpoints: ``{"error": {"type", "message"}}``."""
    return JSONResponse({"error": {"type": kind, "message": message}}, status, headers)


class Gate:
    """Lets a request through to ``app`` or answers 403 (Host, Origin) or 401 (token) in its place."""

    def __init__(
        self,
        app: ASGIApp,
        token: str,
        open_paths: frozenset[str] = frozenset({"/health"}),
        hosts: frozenset[str] = frozenset(),
    ) -> None:
        """``open_paths`` need no token; an empty ``token`` would open everything and is refused.

        ``hosts`` are the names, without ports, that the parts of a stack in containers call each other by: single
        words of a private network, which no web page can make its own.
        """
        if not token:
            raise ValueError("the control token is empty; a control endpoint must not be open to everyone")
        self._app, self._expected, self._open, self._hosts = app, f"Bearer {token}".encode(), open_paths, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] == "lifespan" or (answer := self._refuse(scope)) is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await answer(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    def _refuse(self, scope: Scope) -> JSONResponse | None:
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if not hosts or not all(_HOST.fullmatch(host) or host.partition(":")[0] in self._hosts for host in hosts):
            return refusal(403, "foreign_host", f"Host {', '.join(hosts)!r} is not this machine; use 127.0.0.1")
        foreign = [origin for origin in headers.getlist("origin") if not _ORIGIN.fullmatch(origin)]
        if foreign:
            return refusal(403, "foreign_origin", f"requests from the web page {foreign[0]!r} are refused")
        if scope["path"].removeprefix(scope.get("root_path", "")) in self._open:
            return None
        given = headers.getlist("authorization")
        if len(given) == 1 and hmac.compare_digest(given[0].encode("latin-1"), self._expected):
            return None
        message = "send the control token as 'Authorization: Bearer …'; the stack's is in FIREDRILL_HOME/run/token"
        return refusal(401, "unauthorized", message, {"WWW-Authenticate": "Bearer"})
