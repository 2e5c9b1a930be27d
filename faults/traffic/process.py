"""The traffic process of a stack: generator, feed and control endpoint on one event loop, until a signal ends it."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import random
import signal
import socket
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import uvicorn
from pydantic import ValidationError

from faults import api
from faults.drills.wire import TrafficSettings
from faults.errors import BadLimits
from faults.injector import Injector
from faults.limitfile import read_limits
from faults.limits import UNLIMITED, Limits
from faults.traffic.errors import BadTrafficStart, TrafficError
from faults.traffic.feed import Feed
from faults.traffic.generator import Generator
from faults.traffic.host import TrafficHost
from faults.traffic.loop import run
from faults.traffic.own import OwnFeed
from faults.traffic.pool import HttpPool
from faults.traffic.server import create_control_app
from stack.home import Home, endpoints_from_environment
from stack.own.app import OwnApp, app_from_environment

RATE, SEED = "FIREDRILL_TRAFFIC_RATE", "FIREDRILL_SEED"
BACKLOG = 128

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Start:
    """What the process is started with."""

    service_url: str
    listen: tuple[str, int]
    hosts: frozenset[str]
    token: str
    settings: TrafficSettings
    seed: int
    app: OwnApp | None = None
    limits: Limits = UNLIMITED


def start_from_environment(environment: Mapping[str, str]) -> Start:
    """Read the stack's place from the process environment, rate and seed from ``environment``.

    Raises ``BadTrafficStart``, or ``BadLimits`` for a bad file of the operator's.
    """
    endpoints, app = endpoints_from_environment(), app_from_environment(environment)
    settings = TrafficSettings()
    if rate := environment.get(RATE):
        try:
            settings = TrafficSettings.model_validate({"rate": rate})
        except ValidationError:
            raise BadTrafficStart(RATE, rate, "requests per second, a number from 0 to 5000") from None
    seed = environment.get(SEED) or str(random.SystemRandom().getrandbits(32))
    if not seed.isdecimal():
        raise BadTrafficStart(SEED, seed, "a whole number, 0 or more")
    return Start(
        service_url=endpoints.url("service") if app is None else app.url,
        listen=(endpoints.listen, endpoints.port("traffic")),
        hosts=endpoints.names,
        token=Home.from_environment().token(),
        settings=settings,
        seed=int(seed),
        app=app,
        limits=read_limits(Home.from_environment(), environment),
    )


class ControlServer(uvicorn.Server):
    """uvicorn without its own signal handling: the process has one way to end."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


async def serve(start: Start, listener: socket.socket) -> None:
    """Run until SIGTERM or SIGINT, serving the control endpoint on ``listener``."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    pool = HttpPool(start.service_url)
    rng = random.Random(start.seed)

    def away(reason: str) -> None:
        log.warning("%s; traffic goes on and counts errors", reason)
        feed.refresh()

    def back() -> None:
        log.info("the service answers again")

    generator = Generator(pool, start.settings, rng=rng, wall=time.time, on_unreached=away, on_reached=back)
    feed: Feed | OwnFeed = (
        Feed(generator, pool.get, url=start.service_url, rng=rng)
        if start.app is None
        else OwnFeed(generator, start.app.traffic)
    )
    injector = Injector(TrafficHost(generator), rng=random.Random(rng.getrandbits(64)), limits=start.limits)
    faults = api.create_control_app(
        injector, start.token, instance=uuid.uuid4().hex, started_at=time.time(), hosts=start.hosts
    )
    config = uvicorn.Config(
        create_control_app(generator, feed.check, start.token, start.hosts, faults=faults),
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=1,
    )
    server = ControlServer(config)
    work = [
        asyncio.create_task(feed.run()),
        asyncio.create_task(server.serve(sockets=[listener])),
        asyncio.create_task(stopped.wait()),
    ]
    log.info("%g requests/s to %s, seed %d", start.settings.rate, start.service_url, start.seed)
    done, _ = await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    await injector.close()
    await generator.stop()
    await pool.close()
    work[0].cancel()
    await asyncio.gather(*work[:2], return_exceptions=True)
    work[2].cancel()
    for task in done:
        task.result()


def main() -> int:
    """Run the traffic process; return its exit code."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    try:
        start = start_from_environment(os.environ)
    except (TrafficError, BadLimits) as error:
        log.critical("%s", error)
        return 2
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(start.listen)
        listener.listen(BACKLOG)
    except OSError as error:
        log.critical("port %d is not free (%s); move all ports with --port-offset", start.listen[1], error.strerror)
        return 3
    gc.collect()
    gc.freeze()  # what is loaded by now stays: later collections then take microseconds and start no request late
    run(serve(start, listener))
    return 0
