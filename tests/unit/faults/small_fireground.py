"""A small stack for tests of the conductor: a tiny service with the real injector, real Prometheus and Alertmanager.

Everything listens on free ports; evaluations come every quarter of a second, so that a drill takes a few seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
import uvicorn
import yaml
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from faults.api import create_control_app
from faults.client import ConductorClient
from faults.drills.conductor import build_conductor
from faults.drills.wire import DrillRun, DrillStart, TrafficSettings, TrafficStatus
from faults.gate import Gate
from faults.injector import Injector
from faults.middleware import FaultMiddleware
from faults.traffic.server import FAULTS
from stack.commands import ADMIN, RETENTION
from stack.endpoints import HOST, PORTS, Endpoints
from stack.home import Home
from stack.pace import PRODUCTION
from tests.realprom import Running, free_port, running_alertmanager, running_prometheus

INTERVAL_S = 0.25
_ERRORS = (
    'sum(rate(http_requests_total{job="firedrill",status="500"}[1s]))'
    ' / sum(rate(http_requests_total{job="firedrill"}[1s])) > 0.1'
)
RULES = {
    "groups": [
        {
            "name": "small",
            "interval": "250ms",
            "rules": [
                {"alert": "Errors", "expr": _ERRORS, "for": "500ms", "labels": {"severity": "critical"}},
                {"alert": "ErrorsToo", "expr": _ERRORS},
                {"alert": "Always", "expr": "vector(1) > 0"},
                {"alert": "Never", "expr": 'sum(up{job="firedrill"}) > 3'},
                {"record": "small:requests:rate1h", "expr": 'sum(rate(http_requests_total{job="firedrill"}[1h]))'},
                {"alert": "LongRead", "expr": "small:requests:rate1h < 0"},
                {"alert": "LongLook", "expr": 'sum(rate(http_requests_total{job="firedrill"}[1h])) < 0'},
            ],
        }
    ]
}


class FreeEndpoints(Endpoints):
    """Endpoints on ports that were free a moment ago."""

    def __init__(self) -> None:
        super().__init__()
        object.__setattr__(self, "ports", {name: free_port() for name in PORTS})

    def port(self, name: str) -> int:
        """Return the free port that stands for ``name``."""
        ports: dict[str, int] = self.__dict__["ports"]
        return ports[name]


class ServedApp:
    """An ASGI app under uvicorn in a thread of its own, with what else its loop shall run."""

    def __init__(self, build: Callable[[], Awaitable[ASGIApp]], port: int) -> None:
        self._build, self._port, self._started = build, port, threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._server: uvicorn.Server | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        deadline = time.monotonic() + 10
        while self._server is None or not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise AssertionError(f"the app on port {self._port} did not start: {self._failure!r}")
            time.sleep(0.01)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.should_exit = True
        self._thread.join(10)

    def _run(self) -> None:
        with contextlib.suppress(SystemExit):
            try:
                asyncio.run(self._serve())
            except BaseException as error:
                self._failure = error
                raise

    async def _serve(self) -> None:
        app = await self._build()
        config = uvicorn.Config(app, host=HOST, port=self._port, log_level="error", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        await self._server.serve()


class SmallService:
    """A service that calls itself twenty times a second, with the injector attached and its control endpoint beside."""

    def __init__(self, endpoints: Endpoints, token: str, instance: str) -> None:
        self._token, self._instance = token, instance
        self._control = ServedApp(self._build, endpoints.port("control"))
        self._counted: Counter[str] = Counter({"200": 0, "500": 0})
        self._metrics = ServedApp(self._metrics_app, endpoints.port("service"))
        self._calling: asyncio.Task[None] | None = None
        self._injector = Injector()

    def __enter__(self) -> Self:
        self._control.__enter__()
        self._metrics.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._metrics.__exit__(kind, error, traceback)
        self._control.__exit__(kind, error, traceback)

    async def _build(self) -> ASGIApp:
        injector = self._injector = Injector()
        app = FaultMiddleware(Starlette(routes=[Route("/predict", _answer)]), injector=injector)
        self._calling = asyncio.get_running_loop().create_task(self._call(app))
        return create_control_app(injector, self._token, instance=self._instance, started_at=time.time())

    async def _call(self, app: ASGIApp) -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=f"http://{HOST}") as client:
            while True:
                response = await client.get("/predict")
                self._counted[str(response.status_code)] += 1
                await asyncio.sleep(0.05)

    async def _metrics_app(self) -> ASGIApp:
        async def metrics(_: Request) -> Response:
            lines = [f'http_requests_total{{status="{code}"}} {count}' for code, count in self._counted.items()]
            injector = self._injector
            active, acted = (sum(one.values()) for one in (injector.active(), injector.injections()))
            lines += [f"firedrill_fault_active {active}", f"firedrill_fault_injections_total {acted}"]
            return PlainTextResponse("# TYPE http_requests_total counter\n" + "\n".join(lines) + "\n")

        return Starlette(routes=[Route("/metrics", metrics)])


async def _answer(_: Request) -> Response:
    return JSONResponse({"prediction": 1})


@dataclass
class SmallTraffic:
    """A traffic generator that only remembers what it was told."""

    token: str
    settings: list[TrafficSettings] = field(default_factory=lambda: [TrafficSettings()])

    async def app(self) -> ASGIApp:
        """Return its control endpoint."""

        async def show(_: Request) -> Response:
            return Response(self.settings[-1].model_dump_json(), media_type="application/json")

        async def put(request: Request) -> Response:
            self.settings.append(TrafficSettings.model_validate_json(await request.body()))
            return await status(request)

        async def status(_: Request) -> Response:
            told = TrafficStatus(
                settings=self.settings[-1], since=0.0, sent=0, in_flight=0, statuses={}, latency_s={}, late_share=0.0
            )
            return Response(told.model_dump_json(), media_type="application/json")

        routes = [
            Route("/settings", show, methods=["GET"]),
            Route("/settings", put, methods=["PUT"]),
            Route("/status", status),
            Mount(FAULTS, create_control_app(Injector(), self.token, instance="traffic", started_at=time.time())),
        ]
        return Gate(Starlette(routes=routes), self.token)


@dataclass
class Fireground:
    """The small stack, running."""

    home: Home
    endpoints: Endpoints
    client: ConductorClient
    traffic: SmallTraffic
    prometheus: Running
    alertmanager: Running
    service: SmallService
    conductor: ServedApp
    parts: contextlib.ExitStack

    def restart_service(self) -> None:
        """End the service and start another one in its place."""
        self.service.__exit__(None, None, None)
        self.service = SmallService(self.endpoints, self.home.token(), "second").__enter__()
        self.parts.push(self.service)

    def stop_conductor(self) -> None:
        """End the conductor as a SIGTERM does."""
        self.conductor.__exit__(None, None, None)

    def start_conductor(self) -> None:
        """Start a conductor in this home."""
        self.conductor = self.parts.enter_context(conductor(self.home, self.endpoints))

    def start(self, text: str) -> DrillRun:
        """Start the drill in ``text``."""
        return self.client.start_drill(DrillStart(text=text), actor="test")

    def reaches(self, run: DrillRun, check: Callable[[DrillRun], bool], timeout_s: float = 30.0) -> DrillRun:
        """Return the run as soon as ``check`` holds for it."""
        deadline = time.monotonic() + timeout_s
        while not check(run):
            assert run.phase != "done", f"ended too early: {run.verdict}: {run.reason}"
            assert time.monotonic() < deadline, f"not in {timeout_s} s: {run!r}"
            time.sleep(0.05)
            run = self.client.run(run.id)
        return run

    def ends(self, run: DrillRun, timeout_s: float = 40.0) -> DrillRun:
        """Return the run when it has ended."""
        return self.reaches(run, lambda now: now.phase == "done", timeout_s)

    def burning(self) -> list[str]:
        """Return the kinds of the active faults."""
        return [record.kind for record in self.client.faults() if record.state == "active"]


def conductor(home: Home, endpoints: Endpoints) -> ServedApp:
    """Return a conductor for ``home``, to be entered."""

    async def build() -> ASGIApp:
        return build_conductor(home, endpoints, PRODUCTION).app

    return ServedApp(build, endpoints.port("conductor"))


@contextlib.contextmanager
def fireground(folder: Path) -> Iterator[Fireground]:
    """Run a small stack in ``folder`` until left."""
    endpoints, home = FreeEndpoints(), Home(folder / "home")
    token, traffic = home.token(), SmallTraffic(home.token())
    rules = folder / "rules.yml"
    rules.write_text(yaml.safe_dump(RULES), encoding="utf-8")
    with contextlib.ExitStack() as parts:
        service = SmallService(endpoints, token, "first").__enter__()
        parts.push(service)
        parts.enter_context(ServedApp(traffic.app, endpoints.port("traffic")))
        alertmanager = parts.enter_context(
            running_alertmanager(
                folder / "alertmanager",
                webhook_url=endpoints.url("conductor", "/webhook/alertmanager"),
                webhook_token=token,
                port=endpoints.port("alertmanager"),
            )
        )
        prometheus = parts.enter_context(
            running_prometheus(
                folder / "prometheus",
                rules=[rules],
                scrapes={
                    "firedrill": [endpoints.address("service")],
                    "prometheus": [endpoints.address("prometheus")],
                    "alertmanager": [endpoints.address("alertmanager")],
                },
                alertmanager=alertmanager.address,
                interval_s=INTERVAL_S,
                flags=[ADMIN, f"--storage.tsdb.retention.time={RETENTION}"],
                port=endpoints.port("prometheus"),
            )
        )
        served = parts.enter_context(conductor(home, endpoints))
        client = parts.enter_context(ConductorClient(endpoints.url("conductor"), token))
        yield Fireground(home, endpoints, client, traffic, prometheus, alertmanager, service, served, parts)
