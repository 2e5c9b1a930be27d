"""The live service: its parts put together, and uvicorn servers that finish what is in flight."""

from __future__ import annotations

import asyncio
import random
import signal
import socket
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Thread

import uvicorn
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp

from service.app import create_app
from service.clock import SystemClock
from service.compute import ThreadCompute
from service.errors import ServerNotStarted
from service.ids import RandomIds
from service.replicas import Replica, bound_socket
from service.seams import Seams
from service.settings import Settings
from service.telemetry.export import ExportCollector
from service.telemetry.logs import LiveLoggerProvider, build_logger_provider
from service.telemetry.tracing import LiveTracerProvider, build_tracer_provider

FLUSH_TIMEOUT_S = 1.5


@dataclass(frozen=True)
class LiveService:
    """The app of a live process with everything that must be closed after it."""

    app: FastAPI
    settings: Settings
    registry: CollectorRegistry
    compute: ThreadCompute
    tracer_provider: LiveTracerProvider
    logger_provider: LiveLoggerProvider | None

    def close(self) -> None:
        """Send what spans and log records are left, for ``FLUSH_TIMEOUT_S`` at most, and end all threads."""
        flushes = [Thread(target=self.tracer_provider.shutdown, daemon=True)]
        if self.logger_provider is not None:
            flushes.append(Thread(target=self.logger_provider.shutdown, daemon=True))
        deadline = time.monotonic() + FLUSH_TIMEOUT_S
        for flush in flushes:
            flush.start()
        for flush in flushes:
            flush.join(max(0.0, deadline - time.monotonic()))
        self.compute.close()


def build_live_service(settings: Settings, seams: Seams | None = None, *, replica: str = "") -> LiveService:
    """Return the service on the real clock, in threads, exporting spans and logs; raise ``BadSettings``.

    ``replica`` is the host and port where one of several is scraped: its log lines carry it as ``instance``, which is
    what Prometheus calls it.
    """
    registry = CollectorRegistry(auto_describe=True)
    compute = ThreadCompute(settings.inference_workers)
    ids = RandomIds(random.Random())
    instance = uuid.uuid4().hex
    seams = seams or Seams()
    tracer_provider = build_tracer_provider(settings, ids, instance, seams.spans)
    logger_provider = build_logger_provider(settings, instance)
    exporters = [tracer_provider.exporter, logger_provider.exporter if logger_provider else None]
    registry.register(ExportCollector([exporter for exporter in exporters if exporter]))
    app = create_app(
        settings,
        registry=registry,
        clock=SystemClock(),
        rng=random.Random(),
        ids=ids,
        tracer_provider=tracer_provider,
        logger_provider=logger_provider,
        compute=compute,
        seams=seams,
        instance=replica,
    )
    return LiveService(app, settings, registry, compute, tracer_provider, logger_provider)


class Server(uvicorn.Server):
    """A uvicorn server that leaves signals to ``serve``; uvicorn would end the process before any clean-up."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def server(app: ASGIApp, settings: Settings, *, host: str | None = None, port: int | None = None) -> Server:
    """Return a server of ``app``: no access log (the app has its own), a bounded wait for what is in flight."""
    return Server(
        uvicorn.Config(
            app,
            host=settings.host if host is None else host,
            port=settings.port if port is None else port,
            access_log=False,
            log_level="warning",
            server_header=False,
            timeout_graceful_shutdown=settings.graceful_shutdown_timeout,
        )
    )


def listen_to_signals(stop: Callable[[], None], replica: Replica | None) -> None:
    """Call ``stop`` in the running loop at SIGINT and SIGTERM.

    A replica leaves SIGINT, which a terminal sends to a whole process group, to its parent.
    """
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop)
    loop.add_signal_handler(signal.SIGINT, stop if replica is None else _leave_it)


def _leave_it() -> None:
    """Do nothing at a signal."""


async def serve(
    servers: Sequence[Server], *, sockets: Sequence[socket.socket] | None = None, replica: Replica | None = None
) -> None:
    """Serve until SIGINT, SIGTERM or the end of any server; then let all finish. A second signal does not wait.

    ``sockets`` are bound ones that every server listens on in the place of its host and port.

    Raises ``ServerNotStarted`` where an app's start failed, and ``SystemExit`` where an address is taken.
    """

    def stop() -> None:
        for each in servers:
            each.force_exit = each.should_exit
            each.should_exit = True

    listen_to_signals(stop, replica)
    running = [asyncio.ensure_future(each.serve(None if sockets is None else [*sockets])) for each in servers]
    await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    for each in servers:
        each.should_exit = True
    await asyncio.gather(*running)
    for each in servers:
        if not each.started:
            raise ServerNotStarted(f"{each.config.host}:{each.config.port}")


def run(settings: Settings, replica: Replica | None = None) -> None:
    """Serve the plain service until SIGINT or SIGTERM; raise ``BadSettings`` or ``PortTaken``."""
    sockets, name = None, ""
    if replica is not None:
        name = f"{settings.host}:{settings.replica_port + replica.index}"
        sockets = [
            bound_socket(settings.host, settings.port, "PORT", shared=True),
            bound_socket(settings.host, settings.replica_port + replica.index, "REPLICA_PORT", shared=False),
        ]
    live = build_live_service(settings, replica=name)
    plain = server(live.app, settings)
    try:
        with asyncio.Runner(loop_factory=plain.config.get_loop_factory()) as runner:
            runner.run(serve([plain], sockets=sockets, replica=replica))
    finally:
        live.close()
