"""Attach an injector to anyone's ASGI app in one line: ``app = attach(app)``, where ``FIREDRILL_FAULTS=on`` says so.

Without that the app is returned as it is. With it, the app gets the fault middleware and, for as long as it serves, a
control endpoint on a loopback port of its own in its own event loop. What goes wrong with that endpoint is logged and
never stops the app.
"""

from __future__ import annotations

import logging
import os
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from faults.attach_control import control_app, home_folder, token_in
from faults.attach_errors import BadAttachSetting, ControlEndpointFailed, TooLate
from faults.injector import EXEMPT, Injector
from faults.limits import UNLIMITED, Limits
from faults.middleware import FaultMiddleware

if TYPE_CHECKING:
    from faults.attach_server import ControlServer

SWITCH, PORT, TOKEN = "FIREDRILL_FAULTS", "FIREDRILL_CONTROL_PORT", "FIREDRILL_TOKEN"
DEFAULT_PORT = 8600
"""Where the stack's own service has its control endpoint, and where ``up --app`` looks for yours."""
_ON, _OFF = frozenset({"on", "true", "1"}), frozenset({"", "off", "false", "0"})

A = TypeVar("A", bound=ASGIApp)
Lifespan = Callable[[Any], AbstractAsyncContextManager[Any]]

log = logging.getLogger(__name__)


def attach(
    app: A,
    *,
    switch: bool | None = None,
    port: int | None = None,
    token: str | None = None,
    exempt: Iterable[str] = (),
    environment: Mapping[str, str] = os.environ,
) -> A:
    """Return ``app`` with the fault middleware and a control endpoint, or as it is where faults are not switched on.

    What is not given comes from ``environment``: ``FIREDRILL_FAULTS`` (on or off, by default off),
    ``FIREDRILL_CONTROL_PORT`` (8600) and ``FIREDRILL_TOKEN``, without which the token is that of the stack in
    ``FIREDRILL_HOME``, read at each request. ``exempt`` are paths that no fault touches unless its target names them.

    A Starlette or FastAPI app stays the same object, with the faults behind its own middleware, so that what measures
    requests there sees them. Around any other app the faults are on the outside: measure outside of that. Raises
    ``BadAttachSetting``, ``BadLimits`` where the operator's limits cannot be read, or ``TooLate`` for a Starlette app
    that has begun to serve.
    """
    if not (_switched_on(environment) if switch is None else switch):
        return app
    chosen = _port(environment) if port is None else port
    fixed = token or environment.get(TOKEN, "")
    home = home_folder(environment)
    read_token = (lambda: fixed) if fixed else token_in(home)
    attachment = Attachment(chosen, read_token, EXEMPT | frozenset(exempt), _limits(home, environment))
    if not isinstance(app, Starlette):
        return cast("A", Attached(app, attachment))  # which has the attributes of the app
    if app.middleware_stack is not None:
        raise TooLate
    app.user_middleware.append(Middleware(_Seam, attachment=attachment, routes=app.routes))  # the innermost of them
    app.router.lifespan_context = _with_control(app.router.lifespan_context, attachment)
    return app


class Attachment:
    """Injector and control endpoint of one app, from each start of it to its end."""

    def __init__(self, port: int, token: Callable[[], str], exempt: frozenset[str], limits: Limits = UNLIMITED) -> None:
        self._port, self._token, self._limits, self.exempt = port, token, limits, exempt
        self.requests = 0
        """How many have come to where faults act, but for the exempt paths."""
        self._control: ControlServer | None = None
        self._stopped = False
        self.injector: Injector | None = None

    def current(self) -> Injector | None:
        """Return the injector for a request, ``None`` once the app has ended; starts where no lifespan event did."""
        if self.injector is None and not self._stopped:
            self.start()
        return self.injector

    def start(self) -> None:
        """Begin to take faults, on the running event loop; harmless where that has begun."""
        self._stopped = False
        if self.injector is not None:
            return
        self.injector = Injector(exempt=self.exempt, limits=self._limits)
        app = control_app(
            self.injector, self._token, lambda: self.requests, instance=uuid.uuid4().hex, started_at=time.time()
        )
        try:
            self._control = _open(app, self._port)
        except ControlEndpointFailed as error:
            log.error("%s; the app runs on without faults", error)  # noqa: TRY400 - the message says it all
        else:
            log.warning("faults can be lit in this app: control endpoint at %s", self._control.url)

    async def stop(self) -> None:
        """Put every fault out and close the endpoint; harmless where nothing has begun."""
        injector, control = self.injector, self._control
        self.injector, self._control, self._stopped = None, None, True
        if injector is not None:
            await injector.close()
        if control is not None:
            await control.stop()


class _Seam:
    """The fault middleware of an attachment. A server without lifespan events starts the attachment here."""

    def __init__(self, app: ASGIApp, attachment: Attachment, routes: Sequence[BaseRoute] = ()) -> None:
        self._app, self._attachment, self._routes = app, attachment, routes
        self._faults: tuple[Injector, FaultMiddleware] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        injector = self._attachment.current() if scope["type"] == "http" else None
        if injector is None:
            await self._app(scope, receive, send)
            return
        self._attachment.requests += scope["path"] not in self._attachment.exempt
        if self._faults is None or self._faults[0] is not injector:
            self._faults = injector, FaultMiddleware(self._app, injector)
        if self._routes and injector.acts_on_requests and "route" not in scope:
            route = _route_of(self._routes, scope)  # as the router would, for a request that may never reach it
            if route is not None:
                scope["route"] = route
        await self._faults[1](scope, receive, send)


class Attached:
    """An app of any framework behind the fault middleware. Attributes are the app's own.

    It speaks the lifespan protocol for an app that does not.
    """

    def __init__(self, app: ASGIApp, attachment: Attachment) -> None:
        self._app, self._attachment = app, attachment
        self._seam = _Seam(app, attachment)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._app, name)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] == "lifespan":
            await _Lifespan(self._app, self._attachment, receive, send).run(scope)
        else:
            await self._seam(scope, receive, send)


class _Lifespan:
    """One run of the lifespan protocol: the attachment starts before the app and ends before the app does."""

    def __init__(self, app: ASGIApp, attachment: Attachment, receive: Receive, send: Send) -> None:
        self._app, self._attachment, self._receive, self._send = app, attachment, receive, send
        self._begun = self._answered = self._ended = False

    async def run(self, scope: Scope) -> None:
        """Carry the messages between the server and the app, or answer in the place of an app that knows none."""
        try:
            try:
                await self._app(scope, self._to_app, self._from_app)
            except Exception as error:
                if self._answered:
                    raise
                log.info("the app does not speak the lifespan protocol (%s)", error or type(error).__name__)
            if not self._begun:
                await self._to_app()
            if not self._answered:
                await self._send({"type": "lifespan.startup.complete"})
            if not self._ended:
                while (await self._to_app())["type"] != "lifespan.shutdown":
                    pass
                await self._send({"type": "lifespan.shutdown.complete"})
        finally:
            await self._attachment.stop()

    async def _to_app(self) -> Message:
        message = await self._receive()
        if message["type"] == "lifespan.startup":
            self._begun = True
            self._attachment.start()
        elif message["type"] == "lifespan.shutdown":
            await self._attachment.stop()
        return message

    async def _from_app(self, message: Message) -> None:
        self._answered = True
        self._ended = message["type"] != "lifespan.startup.complete"
        await self._send(message)


def _open(app: ASGIApp, port: int) -> ControlServer:
    """Return a server of ``app`` that listens; raise ``ControlEndpointFailed``."""
    try:
        from faults.attach_server import ControlServer  # noqa: PLC0415 - only where faults are switched on
    except ImportError as error:
        raise ControlEndpointFailed(f"port {port}", f"{error}; `pip install uvicorn`") from None
    return ControlServer(app, port)


def _with_control(lifespan: Lifespan, attachment: Attachment) -> Lifespan:
    """Return ``lifespan`` with the attachment running inside of it."""

    @asynccontextmanager
    async def both(app: Any) -> AsyncIterator[Any]:
        async with lifespan(app) as state:
            attachment.start()
            try:
                yield state
            finally:
                await attachment.stop()

    return both


def _route_of(routes: Iterable[BaseRoute], scope: Scope) -> BaseRoute | None:
    """Return the route that ``scope`` fully matches, inside of mounts and of FastAPI's included routers too."""
    for route in routes:
        match, found = route.matches(scope)
        if match is Match.FULL:
            candidates = getattr(route, "effective_candidates", None)
            inside = candidates() if callable(candidates) else getattr(route, "routes", None)
            deeper = _route_of(inside, {**scope, **found}) if inside else None
            return deeper or getattr(route, "original_route", route)
    return None


def _limits(home: Path, environment: Mapping[str, str]) -> Limits:
    """Return what the operator of the stack in ``home`` lets faults do; raise ``BadLimits``."""
    from faults.limitfile import read_limits  # noqa: PLC0415 - it knows the stack; only where faults are switched on
    from stack.home import Home  # noqa: PLC0415 - as above

    return read_limits(Home(home), environment)


def _switched_on(environment: Mapping[str, str]) -> bool:
    given = environment.get(SWITCH, "").strip().lower()
    if given not in _ON | _OFF:
        raise BadAttachSetting(SWITCH, given, "on or off")
    return given in _ON


def _port(environment: Mapping[str, str]) -> int:
    given = environment.get(PORT, "").strip() or str(DEFAULT_PORT)
    if not (given.isascii() and given.isdigit() and 0 < int(given) < 65536):
        raise BadAttachSetting(PORT, given, "a port from 1 to 65535")
    return int(given)
