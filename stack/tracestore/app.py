"""The trace store as one ASGI app on two ports: which port a request came in by decides between OTLP and queries."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from stack.tracestore.errors import BadQuery, StoreUnavailable
from stack.tracestore.guard import LoopbackOnly
from stack.tracestore.page.frame import message
from stack.tracestore.page.listing import DEFAULT_LIMIT, list_page
from stack.tracestore.page.trace import trace_page
from stack.tracestore.query import create_routes, parse_query, parse_trace_id, unavailable
from stack.tracestore.receiver import create_receiver
from stack.tracestore.store import TraceStore
from stack.tracestore.telemetry import StoreMetrics


def create_app(
    store: TraceStore, metrics: StoreMetrics, *, otlp_port: int, now: Callable[[], float] = time.time
) -> ASGIApp:
    """Return the app. It starts and stops the store with itself; requests to ``otlp_port`` are exports."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await asyncio.to_thread(store.start)
        yield
        await asyncio.to_thread(store.stop)

    pages = Pages(store, metrics, now)
    query = Starlette(
        routes=[
            *create_routes(store, now),
            Route("/", pages.listing),
            Route("/search", pages.listing),
            Route("/trace/{trace_id}", pages.trace),
            Route("/health", pages.health),
            Route("/metrics", pages.metrics),
        ],
        exception_handlers={StoreUnavailable: _unavailable, 404: _not_found},
    )
    by_port = _ByPort(query, create_receiver(store, metrics), otlp_port)
    return Starlette(routes=[Mount("/", by_port)], middleware=[Middleware(LoopbackOnly)], lifespan=lifespan)


class _ByPort:
    """Sends requests to one of two apps."""

    def __init__(self, query: ASGIApp, receiver: ASGIApp, otlp_port: int) -> None:
        self._query, self._receiver, self._otlp_port = query, receiver, otlp_port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        server = scope.get("server")
        app = self._receiver if server is not None and server[1] == self._otlp_port else self._query
        await app(scope, receive, send)


class Pages:
    """The handlers for people and for probes."""

    def __init__(self, store: TraceStore, metrics: StoreMetrics, now: Callable[[], float]) -> None:
        self._store, self._metrics, self._now = store, metrics, now
        self._started = now()

    async def listing(self, request: Request) -> HTMLResponse:
        """Recent traces, or those that the parameters of a search link ask for."""
        services = await self._store.services()
        parameters = request.query_params
        if not parameters.get("limit"):
            parameters = parameters.__class__([*parameters.multi_items(), ("limit", str(DEFAULT_LIMIT))])
        try:
            query = parse_query(parameters, self._now(), service_required=False)
        except BadQuery as error:
            return list_page((), services, request.query_params, str(error))
        traces = await self._store.search(query)
        return await self._store.compute(lambda: list_page(traces, services, request.query_params))

    async def trace(self, request: Request) -> HTMLResponse:
        """One trace."""
        text = request.path_params["trace_id"]
        try:
            trace_id = parse_trace_id(text)
        except BadQuery as error:
            return message("This is no trace id", str(error), status=400)
        trace = await self._store.trace(trace_id)
        if trace is None:
            hint = (
                f"The store has no trace {text}. Its spans may still be on their way (a few seconds), it may have been "
                "sampled out, or it is older than what the store keeps."
            )
            return message("Trace not found", hint, status=404)
        logs = await self._store.logs(trace_id)
        find = request.query_params.get("uiFind", "")
        return await self._store.compute(lambda: trace_page(trace, logs, find))

    async def health(self, _: Request) -> JSONResponse:
        """Whether the process answers, and whether its last write went well."""
        trouble = self._store.trouble
        status = "degraded" if trouble else "healthy"
        return JSONResponse({"status": status, "detail": trouble, "started_at": self._started})

    async def metrics(self, _: Request) -> Response:
        """Prometheus's text format."""
        return Response(generate_latest(self._metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


async def _unavailable(request: Request, error: Exception) -> Response:
    if not isinstance(error, StoreUnavailable):
        raise error
    if request.url.path.startswith("/api/"):
        return unavailable(error)
    return message("The trace store cannot read its data", str(error), status=503)


async def _not_found(request: Request, _: Exception) -> Response:
    if request.url.path.startswith("/api/"):
        return JSONResponse({"data": None, "errors": [{"code": 404, "msg": "no such endpoint"}]}, 404)
    return message("There is no such page", f"Nothing is served at {request.url.path}.", status=404)
