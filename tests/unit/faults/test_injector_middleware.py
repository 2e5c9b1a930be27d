"""The middleware on an app that Firedrill knows nothing of: one line, real requests, next to no cost when idle."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

import faults.kinds  # noqa: F401 - fills the catalogue
from faults.base import FaultRequest
from faults.injector import Injector
from faults.middleware import FaultMiddleware


async def hello(request: Request) -> Response:
    """Answer any request."""
    return JSONResponse({"path": request.url.path})


def with_app(scenario: Callable[[Injector, httpx.AsyncClient], Awaitable[None]]) -> None:
    """Run a scenario against a plain Starlette app with the middleware added in one line."""

    async def run() -> None:
        injector = Injector()
        app = Starlette(routes=[Route("/{path:path}", hello, methods=["GET", "POST"])])
        app.add_middleware(FaultMiddleware, injector=injector)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
            await scenario(injector, client)

    asyncio.run(run())


def fault(kind: str, **parameters: Any) -> FaultRequest:
    """Ask for a fault of a minute."""
    return FaultRequest(kind=kind, parameters=parameters, ttl_s=60)


def test_an_injected_status_is_answered_in_the_error_shape() -> None:
    """The answer carries the status, a type for it, and the caller's request id; the app is not reached."""

    async def scenario(injector: Injector, client: httpx.AsyncClient) -> None:
        await injector.light(fault("error", status=503))
        answer = await client.post("/orders", headers={"X-Request-ID": "r-1"}, json={"a": 1})
        assert answer.status_code == 503
        error = answer.json()["error"]
        assert (error["type"], error["message"], error["request_id"]) == ("unavailable", "injected status 503", "r-1")
        assert (await client.get("/health")).status_code == 200

    with_app(scenario)


def test_an_injected_exception_breaks_a_foreign_app() -> None:
    """On an app without stages an exception is raised where the app is called, and becomes its own 500."""

    async def scenario(injector: Injector, client: httpx.AsyncClient) -> None:
        await injector.light(fault("error", mode="exception"))
        assert (await client.get("/orders")).status_code == 500
        await injector.reset()
        assert (await client.get("/orders")).json() == {"path": "/orders"}

    with_app(scenario)


def test_an_injected_delay_is_felt_and_can_be_cut_short() -> None:
    """A request takes at least the delay; put out, the fault lets a held request go on to the app."""

    async def scenario(injector: Injector, client: httpx.AsyncClient) -> None:
        record = await injector.light(fault("latency", delay_ms=60))
        started = time.perf_counter()
        assert (await client.get("/orders")).status_code == 200
        assert time.perf_counter() - started >= 0.06
        await injector.put_out(record.id)
        record = await injector.light(fault("latency", delay_ms=60_000))
        held = asyncio.create_task(client.get("/orders"))
        await asyncio.sleep(0.05)
        await injector.put_out(record.id)
        assert (await asyncio.wait_for(held, 5)).json() == {"path": "/orders"}

    with_app(scenario)


@pytest.mark.parametrize("kind", ["websocket", "lifespan"])
def test_other_traffic_is_untouched(kind: str) -> None:
    """WebSocket and lifespan scopes reach the app although an error fault hits everything."""
    reached: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        reached.append(scope["type"])

    async def scenario() -> None:
        injector = Injector()
        await injector.light(fault("error"))
        attached = FaultMiddleware(app, injector=injector)
        await attached({"type": kind, "path": "/x", "headers": []}, WebSocket.receive, WebSocket.send)  # type: ignore[arg-type]

    asyncio.run(scenario())
    assert reached == [kind]


def test_without_a_fault_it_costs_less_than_five_microseconds() -> None:
    """The best of many rounds with the middleware is within 5 µs a request of the same rounds without it."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        return None

    async def best_round(target: Any) -> float:
        scope = {"type": "http", "path": "/predict", "headers": []}
        best = float("inf")
        for _ in range(50):
            started = time.perf_counter()
            for _ in range(500):
                await target(scope, None, None)
            best = min(best, (time.perf_counter() - started) / 500)
        return best

    async def scenario() -> float:
        injector = Injector()
        record = await injector.light(fault("error"))
        await injector.put_out(record.id)
        return await best_round(FaultMiddleware(app, injector=injector)) - await best_round(app)

    cost_s = asyncio.run(scenario())
    assert cost_s < 5e-6
