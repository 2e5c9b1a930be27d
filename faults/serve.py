"""``python -m faults.serve``: the service process, with the injector attached and its control endpoint beside it.

The composition root of two apps in one event loop: the service on its port, the control endpoint on another, started
and stopped together. Ports come from the stack's endpoint table; everything else from the service's settings, with
the stack's folders and trace store where the environment names none.
"""

from __future__ import annotations

import asyncio
import random
import re
import shutil
import socket
import sys
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from starlette.applications import Starlette
from starlette.types import ASGIApp, Scope

from faults.api import create_control_app
from faults.base import CallInfo
from faults.errors import FaultError
from faults.exposition import FaultCollector, span_marker
from faults.injector import Injector
from faults.limitfile import read_limits
from faults.limits import UNLIMITED, Limits
from faults.middleware import FaultMiddleware
from faults.replicas import supervise
from faults.scratch import open_scratch
from faults.service_host import ArrayPicture, ServiceHost
from faults.sockets import bind
from service.clock import SystemClock
from service.errors import ServiceError
from service.images import Pixels
from service.models.base import Output
from service.replicas import CANNOT_START, Replica, replica_of
from service.seams import Seams
from service.server import LiveService, Server, build_live_service, listen_to_signals, server
from service.settings import Settings, load_settings
from service.telemetry.observe import exchange_of
from stack.endpoints import Endpoints
from stack.home import Home, endpoints_from_environment

STOPPED_BY_ITSELF = 1
_MODEL_PATH = re.compile(r"(?:/predict|/v2/models)/([^/]+)")


def seams_of(injector: Injector, default_model: str) -> Seams:
    """Return the service's seams with ``injector`` at each of them; ``default_model`` answers ``/predict``."""

    def model_of(scope: Scope) -> str:
        path: str = scope["path"]
        if path == "/predict":
            return default_model
        found = _MODEL_PATH.match(path)
        return found[1] if found else ""

    def attach(app: ASGIApp) -> ASGIApp:
        return FaultMiddleware(
            app, injector, model_of=model_of, request_id_of=lambda scope: exchange_of(scope).request_id
        )

    def pictures(call: CallInfo, pixels: Sequence[Pixels]) -> Sequence[Pixels]:
        if not injector.acts_at("pictures"):
            return pixels
        changed = injector.pictures(call, [ArrayPicture(one) for one in pixels])
        return [picture.pixels for picture in changed if isinstance(picture, ArrayPicture)]

    def predictions(call: CallInfo, output: Output) -> Output:
        if not injector.acts_at("predictions"):
            return output
        changed = injector.predictions(call, output)
        return Output(tuple(changed.values), tuple(changed.classes), tuple(changed.confidence))

    return Seams(
        middleware=[attach],
        stages=[injector.stage],
        inputs=[injector.inputs],
        pictures=[pictures],
        predictions=[predictions],
        loads=[injector.load],
        spans=[injector.span],
    )


def stack_settings(home: Home, endpoints: Endpoints) -> Settings:
    """Return the service's settings on the stack's host and port; raise ``BadSettings``.

    The stack's artifact folder, OTLP address and token stand in where neither the environment nor ``.env`` names one.
    """
    place = {"host": endpoints.listen, "port": endpoints.port("service")}
    given = load_settings(**place).model_fields_set
    defaults: dict[str, object] = {
        "artifacts_dir": home.artifacts,
        "otel_exporter_otlp_endpoint": endpoints.url("otlp"),
        "control_token": home.token(),
    }
    return load_settings(**place, **{name: value for name, value in defaults.items() if name not in given})


def build(
    settings: Settings,
    scratch: Path,
    token: str,
    hosts: frozenset[str] = frozenset(),
    *,
    name: str = "",
    limits: Limits = UNLIMITED,
) -> tuple[LiveService, Injector, Starlette]:
    """Return the service with an injector attached, the injector, and its control app; raise ``BadSettings``.

    The control app answers on loopback and to the names of ``hosts``. ``name`` is what logs call one of several;
    ``limits`` are the operator's.
    """
    clock, sent = SystemClock(), settings.enable_tracing and settings.otel_traces_exporter == "otlp"
    host = ServiceHost(scratch, exports_spans=sent)
    injector = Injector(host, rng=random.Random(), now=clock.time, on_injection=span_marker(clock.time), limits=limits)
    live = build_live_service(settings, seams_of(injector, settings.model_name), replica=name)
    host.serve(live.app.state.models, live.app.state.queue, live.registry, live.compute)
    live.registry.register(FaultCollector(injector))
    control = create_control_app(injector, token, instance=uuid.uuid4().hex, started_at=clock.time(), hosts=hosts)
    return live, injector, control


def sockets_of(endpoints: Endpoints, replica: Replica | None) -> tuple[list[socket.socket], list[socket.socket]]:
    """Return the bound sockets of the service and of the control endpoint; raise ``PortTaken``.

    A replica shares the service's port, and serves at a port of its own, where its metrics are scraped, as well.
    """

    def bound(name: str, *, shared: bool = False) -> socket.socket:
        return bind(name, endpoints.port(name), shared=shared, host=endpoints.listen)

    if replica is None:
        return [bound("service")], [bound("control")]
    serving = [bound("service", shared=True), bound(f"replica#{replica.index}")]
    return serving, [bound(f"control#{replica.index}")]


async def run(servers: Mapping[Server, list[socket.socket]], injector: Injector, replica: Replica | None = None) -> int:
    """Serve until SIGINT or SIGTERM, put all faults out, finish what is in flight; return the exit code.

    A second signal does not wait for what is in flight. A server that ends by itself ends the other.
    """
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    listen_to_signals(_stopper(asked, tuple(servers)), replica)
    serving = [loop.create_task(each.serve(sockets=bound)) for each, bound in servers.items()]
    waiting = loop.create_task(asked.wait())
    await asyncio.wait({waiting, *serving}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    await injector.close()
    for each in servers:
        each.should_exit = True
    await asyncio.gather(*serving)
    return 0 if asked.is_set() else STOPPED_BY_ITSELF


def _stopper(asked: asyncio.Event, servers: Sequence[Server]) -> Callable[[], None]:
    def stop() -> None:
        for each in servers:
            each.force_exit = asked.is_set()
        asked.set()

    return stop


def main() -> int:
    """Run the service process and return its exit code."""
    home, endpoints = Home.from_environment(), endpoints_from_environment()
    try:
        replica = replica_of(sys.argv[1:])
        if replica is not None:
            replica.die_with_parent()
        settings = stack_settings(home, endpoints)
        limits = read_limits(home)
        if replica is None and settings.workers > 1:
            return supervise(settings, endpoints)
        sockets = sockets_of(endpoints, replica)
        scratch = open_scratch(home.run / "scratch")
        name = "" if replica is None else endpoints.address(f"replica#{replica.index}")
        live, injector, control = build(settings, scratch, home.token(), endpoints.names, name=name, limits=limits)
    except (ServiceError, FaultError) as error:
        print(error, file=sys.stderr)  # noqa: T201 - the start stops here, before there is a log
        return CANNOT_START
    servers = [server(live.app, settings), server(control, settings, port=endpoints.port("control"))]
    try:
        with asyncio.Runner(loop_factory=servers[0].config.get_loop_factory()) as runner:
            return runner.run(run(dict(zip(servers, sockets, strict=True)), injector, replica))
    finally:
        live.close()
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
