"""``attach`` on several kinds of app, under a real server: off by default, faults behind what the app measures."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import StreamingResponse
from prometheus_client.parser import text_string_to_metric_families
from starlette.types import ASGIApp, Receive, Scope, Send
from websockets.asyncio.client import connect

from faults.attach import DEFAULT_PORT, PORT, SWITCH, TOKEN, attach
from faults.attach_control import home_folder
from faults.attach_errors import BadAttachSetting, TooLate
from faults.errors import BadLimits
from stack.endpoints import HOST, PORTS
from stack.home import Home
from tests.ports import free_port

SECRET = "a-token-of-ours"  # noqa: S105 - a test's
AUTHORIZED = {"Authorization": f"Bearer {SECRET}"}


@asynccontextmanager
async def serving(app: ASGIApp, lifespan: str = "auto") -> AsyncIterator[str]:
    """Serve ``app`` by a real uvicorn and give its address."""
    port = free_port()
    config = uvicorn.Config(app, host=HOST, port=port, log_config=None, lifespan=lifespan)  # type: ignore[arg-type]
    server = uvicorn.Server(config)
    task = asyncio.create_task(server._serve())
    async with asyncio.timeout(20):
        while not server.started:
            assert not task.done(), "the server ended"
            await asyncio.sleep(0.01)
    try:
        yield f"http://{HOST}:{port}"
    finally:
        server.should_exit = True
        await task


def shop(seen: list[tuple[str, int]]) -> FastAPI:
    """Return a FastAPI app that measures its requests as most do: in a middleware, by route and status."""
    app = FastAPI()
    inner = APIRouter()

    @app.middleware("http")
    async def measure(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await call_next(request)
        route = request.scope.get("route")
        seen.append((getattr(route, "path", "none"), response.status_code))
        return response

    @app.get("/books/{book}")
    async def book(book: str) -> dict[str, str]:
        return {"book": book}

    @inner.get("/authors/{author}")
    async def author(author: str) -> dict[str, str]:
        return {"author": author}

    @app.get("/pages")
    async def pages() -> StreamingResponse:
        async def lines() -> AsyncIterator[bytes]:
            for number in range(3):
                yield b"page %d\n" % number
                await asyncio.sleep(0)

        return StreamingResponse(lines())

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response("up 1\n")

    app.include_router(inner)
    return app


def with_shop(scenario: Callable[[httpx.AsyncClient, httpx.AsyncClient], Awaitable[None]], app: ASGIApp) -> None:
    """Run ``scenario`` with clients of ``app`` and of its control endpoint."""

    async def run() -> None:
        port = free_port()
        attached = attach(app, switch=True, port=port, token=SECRET)
        async with (
            serving(attached) as url,
            httpx.AsyncClient(base_url=url) as client,
            httpx.AsyncClient(base_url=f"http://{HOST}:{port}", headers=AUTHORIZED) as control,
        ):
            await scenario(client, control)
        async with httpx.AsyncClient() as client:
            with pytest.raises(httpx.ConnectError):
                await client.get(f"http://{HOST}:{port}/health")

    asyncio.run(run())


async def light(control: httpx.AsyncClient, kind: str, **more: Any) -> dict[str, Any]:
    """Light a fault and return its record."""
    answer = await control.post("/faults", json={"kind": kind, "ttl_s": 60, **more})
    assert answer.status_code == 201, answer.text
    record: dict[str, Any] = answer.json()
    return record


def test_an_app_is_left_alone_unless_faults_are_switched_on() -> None:
    """Without the setting the very same app comes back, with no middleware and no port."""
    app = shop([])
    before = list(app.user_middleware)
    for value in ({}, {SWITCH: ""}, {SWITCH: "off"}, {SWITCH: "0"}):
        assert attach(app, environment=value) is app
    assert app.user_middleware == before


@pytest.mark.parametrize(
    ("environment", "says"),
    [({SWITCH: "maybe"}, "FIREDRILL_FAULTS is 'maybe'"), ({SWITCH: "on", PORT: "http"}, "FIREDRILL_CONTROL_PORT")],
)
def test_a_setting_that_says_nothing_is_named(environment: dict[str, str], says: str) -> None:
    """A misspelt switch is no silent off, and a port is a port."""
    with pytest.raises(BadAttachSetting, match=says):
        attach(shop([]), environment=environment)


def test_what_the_app_measures_sees_the_faults() -> None:
    """An injected answer passes the app's own middleware with the route that the request is for."""
    seen: list[tuple[str, int]] = []

    async def scenario(client: httpx.AsyncClient, control: httpx.AsyncClient) -> None:
        assert (await client.get("/books/1")).json() == {"book": "1"}
        await light(control, "error", parameters={"status": 503})
        assert (await client.get("/books/2")).status_code == 503
        assert (await client.get("/authors/a")).status_code == 503
        assert (await client.get("/metrics")).status_code == 200
        await control.post("/reset")
        assert (await client.get("/authors/b")).json() == {"author": "b"}
        assert seen == [
            ("/books/{book}", 200),
            ("/books/{book}", 503),
            ("/authors/{author}", 503),
            ("/metrics", 200),
            ("/authors/{author}", 200),
        ]

    app = shop(seen)
    assert attach(app, switch=False) is app
    with_shop(scenario, app)


def test_the_control_endpoint_has_its_token_its_kinds_and_its_metrics() -> None:
    """Without the token nothing is told; kinds that need models say why not; counts are there for Prometheus."""

    async def scenario(client: httpx.AsyncClient, control: httpx.AsyncClient) -> None:
        for path in ("/kinds", "/metrics"):
            assert (await control.get(path, headers={"Authorization": "Bearer wrong"})).status_code == 401
        assert (await control.get("/kinds", headers={"Host": "shop.example"})).status_code == 403
        kinds = {one["kind"]: one for one in (await control.get("/kinds")).json()}
        assert kinds["latency"]["available"]
        assert kinds["error"]["available"]
        assert not kinds["ood_inputs"]["available"]
        assert kinds["ood_inputs"]["unavailable_because"] == "it needs a service with models"
        refused = await control.post("/faults", json={"kind": "ood_inputs", "ttl_s": 60})
        assert refused.status_code == 409
        await light(control, "error", target={"endpoint": "/books/*"})
        await client.get("/books/1")
        await client.get("/authors/1")
        families = {one.name: one for one in text_string_to_metric_families((await control.get("/metrics")).text)}
        values = {
            (sample.name, sample.labels.get("kind")): sample.value
            for family in families.values()
            for sample in family.samples
        }
        assert values["firedrill_fault_active", "error"] == 1
        assert values["firedrill_fault_injections_total", "error"] == 1
        assert values["firedrill_fault_active", "latency"] == 0
        assert values["firedrill_requests_total", None] == 2

    with_shop(scenario, shop([]))


def test_a_scrape_can_fail_where_the_metrics_are() -> None:
    """Faults about scrapes leave traffic alone, and find metrics at another path where their target names it."""

    async def scenario(client: httpx.AsyncClient, control: httpx.AsyncClient) -> None:
        record = await light(control, "scrape_failure")
        assert (await client.get("/metrics")).status_code == 500
        assert (await client.get("/books/1")).status_code == 200
        await control.delete(f"/faults/{record['id']}")
        assert (await client.get("/metrics")).status_code == 200
        await light(control, "scrape_failure", target={"endpoint": "/books/1"})
        assert (await client.get("/metrics")).status_code == 200
        assert (await client.get("/books/1")).status_code == 500

    with_shop(scenario, shop([]))


def test_streams_pass_and_stopping_frees_what_a_fault_holds() -> None:
    """A streamed answer is whole under a delay; a request that is held goes on when its fault is put out."""

    async def scenario(client: httpx.AsyncClient, control: httpx.AsyncClient) -> None:
        await light(control, "latency", parameters={"delay_ms": 20})
        assert (await client.get("/pages")).text == "page 0\npage 1\npage 2\n"
        await control.post("/reset")
        await light(control, "latency", parameters={"delay_ms": 60000})
        held = asyncio.create_task(client.get("/books/1"))
        async with asyncio.timeout(10):
            while not (await control.get("/faults")).json()[0]["injections"]:  # noqa: ASYNC110 - asked over HTTP
                await asyncio.sleep(0.01)
        assert not held.done()
        await control.post("/reset")
        assert (await held).json() == {"book": "1"}

    with_shop(scenario, shop([]))


class Bare:
    """An ASGI app of no framework, which knows HTTP and WebSockets and is proud of it."""

    name = "bare"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            text = (await receive())["text"]
            await send({"type": "websocket.send", "text": f"echo {text}"})
            await send({"type": "websocket.close"})
            return
        if scope["type"] != "http":
            msg = f"cannot handle {scope['type']}"
            raise ValueError(msg)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"bare"})


@pytest.mark.parametrize("lifespan", ["on", "off"])
def test_an_app_without_lifespan_is_attached_to_as_well(lifespan: str) -> None:
    """The endpoint opens with the server's lifespan where there is one, else with the first request."""

    async def run() -> None:
        port = free_port()
        attached = attach(Bare(), switch=True, port=port, token=SECRET)
        assert isinstance(attached, object)
        assert getattr(attached, "name", "") == "bare"
        async with serving(attached, lifespan) as url, httpx.AsyncClient(headers=AUTHORIZED) as client:
            if lifespan == "off":
                assert (await client.get(url)).text == "bare"
            async with httpx.AsyncClient(base_url=f"http://{HOST}:{port}", headers=AUTHORIZED) as control:
                assert (await control.get("/health")).json()["status"] == "healthy"
                await light(control, "error")
            assert (await client.get(url)).status_code == 500
            async with connect(url.replace("http", "ws"), proxy=None) as socket:
                await socket.send("hello")
                assert await socket.recv() == "echo hello"

    asyncio.run(run())


def test_the_apps_own_lifespan_goes_on_around_the_endpoint() -> None:
    """What an app does at its start and at its end still happens, once, and its state arrives."""
    told: list[str] = []

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, str]]:
        told.append("start")
        yield {"owner": "us"}
        told.append("end")

    app = FastAPI(lifespan=lifespan)

    @app.get("/")
    async def owner(request: Request) -> str:
        state: str = request.state.owner
        return state

    async def scenario(client: httpx.AsyncClient, _: httpx.AsyncClient) -> None:
        assert (await client.get("/")).json() == "us"
        assert told == ["start"]

    with_shop(scenario, app)
    assert told == ["start", "end"]


def test_a_taken_port_is_said_and_the_app_serves_on(caplog: pytest.LogCaptureFixture) -> None:
    """A second process of the same app has no endpoint, and says which port and what to do."""

    async def run() -> None:
        port = free_port()
        first, second = (attach(shop([]), switch=True, port=port, token=SECRET) for _ in range(2))
        async with serving(first), serving(second) as url, httpx.AsyncClient() as client:
            assert (await client.get(f"{url}/books/1")).status_code == 200

    with caplog.at_level(logging.ERROR, logger="faults.attach"):
        asyncio.run(run())
    (record,) = [one for one in caplog.records if one.name == "faults.attach"]
    assert "FIREDRILL_CONTROL_PORT" in record.getMessage()
    assert "without faults" in record.getMessage()


def test_the_token_is_the_stacks_whenever_that_is_made(tmp_path: Path) -> None:
    """An app that is started before the stack refuses everybody until there is a token, and then knows it."""

    async def run() -> None:
        port = free_port()
        environment = {SWITCH: "on", PORT: str(port), "FIREDRILL_HOME": str(tmp_path)}
        attached = attach(shop([]), environment=environment)
        async with serving(attached), httpx.AsyncClient(base_url=f"http://{HOST}:{port}") as control:
            refused = await control.get("/kinds", headers=AUTHORIZED)
            assert refused.status_code == 401
            assert refused.json()["error"]["type"] == "no_token"
            token = Home(tmp_path).token()
            assert (await control.get("/kinds", headers={"Authorization": f"Bearer {token}"})).status_code == 200
            assert (await control.get("/kinds", headers=AUTHORIZED)).status_code == 401

    asyncio.run(run())


def test_the_operators_limits_hold_in_an_attached_app(tmp_path: Path) -> None:
    """A kind that the stack's operator forbids cannot be lit in an app of the user's; a bad file stops its start."""
    limits = tmp_path / "limits.yaml"
    limits.write_text("version: 1\nkinds: {error: {forbidden: true}}\n")
    port = free_port()
    environment = {SWITCH: "on", PORT: str(port), TOKEN: SECRET, "FIREDRILL_HOME": str(tmp_path)}

    async def run() -> None:
        async with (
            serving(attach(shop([]), environment=environment)),
            httpx.AsyncClient(base_url=f"http://{HOST}:{port}", headers=AUTHORIZED) as control,
        ):
            refused = await control.post("/faults", json={"kind": "error", "ttl_s": 60})
            assert refused.is_client_error, refused.text
            await light(control, "latency")

    asyncio.run(run())
    limits.write_text("version: 7")
    with pytest.raises(BadLimits, match="version"):
        attach(shop([]), environment=environment)


def test_it_looks_where_the_stack_keeps_its_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a home in the environment both mean the same file, and the same port."""
    monkeypatch.delenv("FIREDRILL_HOME", raising=False)
    assert home_folder({}) / "run" / "token" == Home.from_environment().token_file
    assert PORTS["control"] == DEFAULT_PORT
    assert TOKEN == "FIREDRILL_TOKEN"  # noqa: S105 - a variable's name, as documented


def test_an_app_that_serves_already_is_refused() -> None:
    """Nothing can be put into a stack of middleware that is built."""
    app = shop([])
    app.middleware_stack = app.build_middleware_stack()
    with pytest.raises(TooLate, match="begun to serve"):
        attach(app, switch=True, token=SECRET)


@pytest.fixture
def imported() -> set[str]:
    """Return the top-level packages that importing ``faults.attach`` brings into a fresh interpreter."""
    code = "import sys, faults.attach; print(' '.join({name.partition('.')[0] for name in sys.modules}))"
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    return set(done.stdout.split())


def test_attaching_drags_nothing_into_the_app(imported: set[str]) -> None:
    """Pydantic and Starlette are all that it needs until it is switched on."""
    heavy = {"numpy", "sklearn", "torch", "fastapi", "uvicorn", "httpx", "opentelemetry", "prometheus_client", "stack"}
    assert not heavy & imported
