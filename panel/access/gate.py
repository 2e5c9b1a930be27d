"""The gate in front of the panel: who may pass, and as what. Pure ASGI; everything of Streamlit's lies behind it.

On loopback everyone passes as operator, as long as the request is meant for this panel (see ``hosts``). Opened to a
network nobody passes without a session. It says nothing of a password, a code or a token to anyone, or to a log.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.requests import Request, cookie_parser
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from panel.access import pages
from panel.access.attempts import Attempts
from panel.access.hosts import Hosts
from panel.access.messages import only_reading
from panel.access.passwords import same_code
from panel.access.role import HEADER, Role
from panel.access.sessions import LASTS_S, Sessions
from panel.access.store import AccessStore
from panel.access.visits import LOOK_S, Visits

HEALTH = "/_stcore/health"
"""Open to everyone, since the supervisor asks it; it says ``ok`` and no more."""
LONGEST_FORM = 8192
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_KEPT_OUT = frozenset({HEADER.lower().encode(), HEADER.lower().replace("-", "_").encode()})
_POLICY_VIOLATION = 1008
_ADDED = (
    (b"content-security-policy", b"frame-ancestors 'self'"),
    (b"referrer-policy", b"same-origin"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"SAMEORIGIN"),
)
log = logging.getLogger(__name__)


class Gate:
    """Lets requests and websockets through to ``app``, or not.

    ``machine_token`` is the stack's control token: whoever can read it comes in as operator, like the terminal.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        opened: bool,
        hosts: Hosts,
        store: AccessStore,
        sessions: Sessions,
        machine_token: str,
        attempts: Attempts | None = None,
        look_s: float = LOOK_S,
    ) -> None:
        self._app, self._opened, self._hosts = app, opened, hosts
        self._store, self._sessions, self._machine_token = store, sessions, machine_token
        self._attempts = attempts or Attempts()
        self._visits = Visits(sessions, look_s=look_s)
        self._hashing = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on, or answer it."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        answer = self._refusal(scope, headers)
        if answer is None and scope["type"] == "http" and scope["path"] in pages.OWN:
            answer = await self._own(Request(scope, receive))
        if answer is not None:
            await _answer(answer, scope, receive, send)
            return
        token = self._token(headers)
        role = self._sessions.role(token) if self._opened else "operator"
        if role is None and (scope["type"] != "http" or scope["path"] != HEALTH):
            await _answer(self._challenge(scope, headers), scope, receive, send)
        elif role == "reader" and scope["type"] == "http" and scope["method"] not in _SAFE:
            await _answer(PlainTextResponse("who reads along sends nothing\n", 403), scope, receive, send)
        elif scope["type"] == "http":
            await self._app(_told(scope, role or "reader"), receive, _hardened(send))
        elif self._opened:
            await self._visit(token, _told(scope, role or "reader"), receive, send)
        else:
            await self._app(_told(scope, "operator"), receive, send)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        """Return the answer to a request that other sites may have a part in; ``None`` where there is no sign of it."""
        host = headers.get("host")
        if not self._hosts.allows(host):
            return pages.refusal(
                403,
                "The panel is not known by this address",
                "Open it by the address that <code>firedrill access</code> shows. Behind a proxy or a port forwarding, "
                "name the host in <code>FIREDRILL_PANEL_NAMES</code> before <code>firedrill up</code>.",
            )
        asks = scope["type"] == "websocket" or scope["method"] not in _SAFE
        if asks and not self._hosts.same_site(headers.get("origin"), host):
            return PlainTextResponse("this came from a page of another site, and goes no further\n", 403)
        return None

    def _challenge(self, scope: Scope, headers: Headers) -> Response:
        """Return the way in for a person, a plain no for everything else."""
        if scope["type"] == "http" and scope["method"] == "GET" and "text/html" in headers.get("accept", ""):
            query = scope.get("query_string", b"").decode("latin-1")
            address = pages.inside(scope["path"] + (f"?{query}" if query else ""))
            return pages.to(pages.JOIN if self._store.known().code else pages.LOGIN, forward=address)
        return PlainTextResponse("log in first, at /login or /join\n", 401, {"Cache-Control": "no-store"})

    async def _own(self, request: Request) -> Response:
        """Answer a request for a page of the gate's own."""
        path = request.url.path
        if not self._opened:
            return pages.to("/")
        if request.method == "POST":
            return self._leave(request) if path == pages.LOGOUT else await self._enter(request)
        if path == pages.LOGOUT:
            return pages.farewell()
        return pages.form(path, forward=pages.inside(request.query_params.get("next", "/")))

    async def _enter(self, request: Request) -> Response:
        """Let somebody in who knows the password, the code or the machine's token."""
        path, address = request.url.path, request.client.host if request.client else ""
        entered = await _form_of(request)
        forward = pages.inside(entered.get("next", "/"))
        if path == pages.LOGIN and self._has_the_token(request):  # nobody guesses it: a flood of tries does not bar it
            return self._let_in("operator", request, forward)
        wait_s = self._attempts.take(address)
        if wait_s:
            problem = f"Too many wrong tries. Try again in {max(1, round(wait_s))} s."
            return pages.form(path, forward=forward, status=429, problem=problem, wait_s=wait_s)
        role = await self._proven(path, entered)
        if role is None:
            log.warning("a wrong %s from %s", "password" if path == pages.LOGIN else "code", address)
            return pages.form(path, forward=forward, status=401, problem=self._why_not(path))
        self._attempts.give_back(address)
        return self._let_in(role, request, forward)

    def _let_in(self, role: Role, request: Request, forward: str) -> Response:
        self._sessions.end(self._token(request.headers))
        answer = pages.to(forward)
        self._set_cookie(answer, self._sessions.begin(role), LASTS_S, secure=request.url.scheme == "https")
        return answer

    def _has_the_token(self, request: Request) -> bool:
        """Say whether a request brings the machine's own token."""
        scheme, _, credential = request.headers.get("authorization", "").partition(" ")
        fits = hmac.compare_digest(credential.encode(), self._machine_token.encode())
        return scheme.lower() == "bearer" and bool(credential) and fits

    async def _proven(self, path: str, entered: dict[str, str]) -> Role | None:
        """Return the role that somebody has proven to have."""
        record = self._store.known()
        if path == pages.JOIN:
            return "reader" if same_code(entered.get("code", ""), record.code) else None
        if record.password is None:
            return None
        async with self._hashing:  # one at a time: each takes 16 MB and a core
            fits = await asyncio.to_thread(record.password.fits, entered.get("password", "").strip())
        return "operator" if fits else None

    def _why_not(self, path: str) -> str:
        record = self._store.known()
        if path == pages.JOIN:
            return "That is not the code." if record.code else "There is no audience at this panel."
        return "That is not the password." if record.password else "No password was made yet: firedrill access."

    def _leave(self, request: Request) -> Response:
        self._sessions.end(self._token(request.headers))
        answer = pages.to(pages.LOGIN)
        self._set_cookie(answer, "", 0, secure=request.url.scheme == "https")
        return answer

    async def _visit(self, token: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a websocket for as long as its session lasts."""
        reading = dict(scope["headers"])[HEADER.lower().encode()] != b"operator"
        visit = self._app(scope, only_reading(receive) if reading else receive, send)
        if not await self._visits.last(token, visit):
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": "the session is over"})

    def _cookie(self) -> str:
        return f"firedrill_{self._store.known().panel}"

    def _token(self, headers: Headers) -> str:
        return cookie_parser(headers.get("cookie", "")).get(self._cookie(), "") if self._opened else ""

    def _set_cookie(self, answer: Response, token: str, lasts_s: float, *, secure: bool) -> None:
        answer.set_cookie(
            self._cookie(), token, max_age=int(lasts_s), path="/", secure=secure, httponly=True, samesite="lax"
        )


async def _form_of(request: Request) -> dict[str, str]:
    """Return the fields of a short form; of one that is too long or no form, none."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LONGEST_FORM:
            return {}
    return {name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}


def _told(scope: Scope, role: Role) -> Scope:
    """Return ``scope`` with the role, and without what a browser says of it.

    The origin has been looked at; behind the gate it would only make Streamlit ask the internet for this machine's
    address, to compare the two.
    """
    kept = [(name, value) for name, value in scope["headers"] if name.lower() not in {*_KEPT_OUT, b"origin"}]
    return {**scope, "headers": [*kept, (HEADER.lower().encode(), role.encode())]}


def _hardened(send: Send) -> Send:
    """Return ``send`` with the headers that keep other sites from showing the panel in a frame."""

    async def hardened(message: Message) -> None:
        if message["type"] == "http.response.start":
            given = list(message.get("headers", []))
            names = {name.lower() for name, _ in given}
            message = {**message, "headers": given + [each for each in _ADDED if each[0] not in names]}
        await send(message)

    return hardened


async def _answer(answer: Response, scope: Scope, receive: Receive, send: Send) -> None:
    """Send an answer of the gate's own; a websocket is refused in its handshake."""
    if scope["type"] == "websocket" and "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": ""})
        return
    await answer(scope, receive, _hardened(send))
