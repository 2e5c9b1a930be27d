"""The trace store as one ASGI app on two ports: which port a request came in by decides between OTLP and queries."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from stack.tracestore.errors import StoreUnavailable
from stack.tracestore.guard import LoopbackOnly
from stack.tracestore.jaeger_v3 import PREFIX as V3_PREFIX
from stack.tracestore.jaeger_v3 import create_v3_routes, failed
from stack.tracestore.log_api import create_log_routes
from stack.tracestore.page.frame import message
from stack.tracestore.page.handlers import create_page_routes
from stack.tracestore.query import create_routes, envelope, unavailable
from stack.tracestore.receiver import create_receiver
from stack.tracestore.store import TraceStore
from stack.tracestore.telemetry import StoreMetrics


def create_app(
    store: TraceStore,
    metrics: StoreMetrics,
    *,
    otlp_port: int,
    now: Callable[[], float] = time.time,
    hosts: frozenset[str] = frozenset(),
    beside: Callable[[], AbstractAsyncContextManager[None]] = nullcontext,
) -> ASGIApp:
    """Return the app. It starts and stops the store with itself; requests to ``otlp_port`` are exports.

    It answers on loopback and to the names of ``hosts``. ``beside`` runs while the store does: another way in.
    """

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await asyncio.to_thread(store.start)
        async with beside():
            yield
        await asyncio.to_thread(store.stop)

    probes = Probes(store, metrics, now)
    query = Starlette(
        routes=[
            *create_v3_routes(store, metrics),
            *create_routes(store, now),
            *create_log_routes(store, now),
            *create_page_routes(store, now),
            Route("/health", probes.health),
            Route("/metrics", probes.metrics),
        ],
        exception_handlers={StoreUnavailable: _unavailable, 404: _not_found},
    )
    by_port = _ByPort(query, create_receiver(store, metrics), otlp_port)
    return Starlette(
        routes=[Mount("/", by_port)], middleware=[Middleware(LoopbackOnly, hosts=hosts)], lifespan=lifespan
    )


class _ByPort:
    """Sends requests to one of two apps."""

    def __init__(self, query: ASGIApp, receiver: ASGIApp, otlp_port: int) -> None:
        self._query, self._receiver, self._otlp_port = query, receiver, otlp_port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        server = scope.get("server")
        app = self._receiver if server is not None and server[1] == self._otlp_port else self._query
        await app(scope, receive, send)


class Probes:
    """The handlers for the supervisor and for Prometheus."""

    def __init__(self, store: TraceStore, metrics: StoreMetrics, now: Callable[[], float]) -> None:
        self._store, self._metrics = store, metrics
        self._started = now()

    async def health(self, _: Request) -> JSONResponse:
        """Whether the process answers, and whether its last write went well."""
        trouble = self._store.trouble
        status = "degraded" if trouble else "healthy"
        return JSONResponse(
            {"status": status, "detail": trouble, "notices": self._store.notices, "started_at": self._started}
        )

    async def metrics(self, _: Request) -> Response:
        """Prometheus's text format."""
        return Response(generate_latest(self._metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


async def _unavailable(request: Request, error: Exception) -> Response:
    if not isinstance(error, StoreUnavailable):
        raise error
    if request.url.path.startswith(V3_PREFIX):
        return failed(503, str(error))
    if request.url.path.startswith("/api/"):
        return unavailable(error)
    return message("The trace store cannot read its data", str(error), status=503)


async def _not_found(request: Request, _: Exception) -> Response:
    if request.url.path.startswith(V3_PREFIX):
        return failed(404, "no such endpoint")
    if request.url.path.startswith("/api/"):
        return envelope(None, errors=[{"code": 404, "msg": "no such endpoint"}], status=404)
    return message("There is no such page", f"Nothing is served at {request.url.path}.", status=404)
