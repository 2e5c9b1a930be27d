"""The conductor process: puts its parts together and serves them. ``python -m faults.drills.conductor``.

It keeps no state but the journal, decides nothing itself, and does nothing at import.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import sys
import time
from dataclasses import dataclass

import uvicorn
from starlette.applications import Starlette

from faults.drills.alerts import AlertBoard
from faults.drills.api import Desk, create_app
from faults.drills.control import ServiceControl, TrafficControl
from faults.drills.counters import pages_of
from faults.drills.extinguisher import Extinguisher
from faults.drills.fires import Fires
from faults.drills.gathering import Sources
from faults.drills.heartbeat import Guarded, beat
from faults.drills.history import Historian
from faults.drills.journal import Journal
from faults.drills.live import Parts
from faults.drills.own_app import AppProbe, control_of_app, pages_of_app
from faults.drills.places import OwnFaults, Places
from faults.drills.probe import Probe
from faults.drills.runs import Runs
from faults.drills.shelf import Shelf
from faults.drills.spec import load_library
from faults.drills.stackhost import StackHost
from faults.drills.watch import Watcher
from faults.errors import FaultError
from faults.injector import Injector
from faults.limitfile import read_limits
from faults.traffic.server import FAULTS
from stack.clients.alertmanager import AlertmanagerClient
from stack.clients.jaeger import JaegerClient
from stack.clients.prometheus import PrometheusClient
from stack.configuration import GROUP_WAIT_S
from stack.endpoints import Endpoints, of_replicas
from stack.errors import SourceError
from stack.home import Home, endpoints_from_environment, pace_from_environment, workers_from_environment
from stack.own.app import FAULTS_JOB, OwnApp, app_from_environment
from stack.pace import Pace

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Conductor:
    """The parts of one conductor, built and not yet running."""

    app: Starlette
    runs: Runs
    journal: Journal
    watcher: Watcher


class _Background:
    """What runs beside the requests: watching alerts, tending what was lit, beating for it."""

    def __init__(
        self, runs: Runs, watcher: Watcher, journal: Journal, places: Guarded, *, own: OwnFaults, every_s: float
    ) -> None:
        self._runs, self._watcher, self._journal, self._every_s = runs, watcher, journal, every_s
        self._places, self._own = places, own
        self._tasks: tuple[asyncio.Task[None], ...] = ()

    async def start(self) -> None:
        self._journal.write("conductor", "conductor_started", "conductor")
        self._runs.recover()
        work = (self._watch(), self._runs.tend(), beat(self._places), self._own.clean_up(), self._runs.arm())
        self._tasks = tuple(asyncio.create_task(each) for each in work)

    async def _watch(self) -> None:
        """Look at the alerts once an interval, for ever; say once when Prometheus goes and when it is back."""
        gone = False
        while True:
            try:
                await self._watcher.look()
                if gone:
                    _log.info("Prometheus answers again")
                gone = False
            except SourceError as error:
                if not gone:
                    _log.warning("%s", error)
                gone = True
            await asyncio.sleep(self._every_s)

    async def stop(self) -> None:
        await self._runs.close()
        await self._own.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._journal.write("conductor", "conductor_stopped", "conductor")
        self._journal.close()


def build_conductor(
    home: Home, endpoints: Endpoints, pace: Pace, *, workers: int = 1, own_app: OwnApp | None = None
) -> Conductor:
    """Return the conductor of the stack in ``home``, whose service has so many replicas, or is the user's ``own_app``.

    Raises ``DrillError`` for a bad library or journal, ``BadLimits`` for bad limits of the operator's.

    To be called on the thread that serves the app, for the journal belongs to it.
    """
    token = home.token()
    limits = read_limits(home)
    journal = Journal(home.data / "journal.sqlite")
    watcher = Watcher(
        PrometheusClient(endpoints.url("prometheus")),
        AlertmanagerClient(endpoints.url("alertmanager")),
        job=FAULTS_JOB if own_app is None else own_app.job,
    )
    urls = [endpoints.url(name) for name in of_replicas("control", workers)]
    service = ServiceControl(urls, token) if own_app is None else control_of_app(own_app, token)
    host = StackHost(home, endpoints)
    own = OwnFaults(Injector(host, limits=limits), host)
    generator = ServiceControl(endpoints.url("traffic", FAULTS), token, what="the traffic generator")
    control = Places(service, {"traffic": generator, "stack": own}, now=time.time)
    traffic = TrafficControl(endpoints.url("traffic"), token)
    board = AlertBoard(watcher, journal, group_wait_s=pace.scale(GROUP_WAIT_S), fresh_s=min(pace.interval_s, 2.0))
    historian = Historian(watcher.prometheus, pace, home.run / "history")
    fires = Fires(control, traffic, journal, historian=historian)
    library = load_library() if own_app is None else {}
    traces = JaegerClient(endpoints.url("tracestore"), page_url=endpoints.link("tracestore"))
    shelf = Shelf(home.data / "runs")
    sources = Sources(watcher, control, traces, shelf, workers)
    runs = Runs(Parts(watcher, control, fires, journal, board, time.time, historian, sources), library, pace)
    background = _Background(runs, watcher, journal, control, own=own, every_s=pace.interval_s)
    pages = pages_of(endpoints, workers) if own_app is None else pages_of_app(own_app, token)
    extinguisher = Extinguisher(control, fires, runs, pages, probe=Probe() if own_app is None else AppProbe(own_app))
    desk = Desk(runs, control, traffic, fires, journal, board, extinguisher, time.time, time.time(), shelf)
    app = create_app(desk, token, tend=background.start, close=background.stop, hosts=endpoints.names)
    return Conductor(app, runs, journal, watcher)


def main() -> int:
    """Run the conductor until it is told to stop; return the exit code."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    endpoints = endpoints_from_environment()
    try:
        conductor = build_conductor(
            Home.from_environment(),
            endpoints,
            pace_from_environment(),
            workers=workers_from_environment(),
            own_app=app_from_environment(),
        )
    except FaultError as error:
        _log.error("%s", error)
        return 1
    if conductor.journal.moved_aside is not None:
        _log.warning(
            "the journal was damaged and moved aside to %s; a new one was begun", conductor.journal.moved_aside
        )
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((endpoints.listen, endpoints.port("conductor")))
        except OSError as error:
            where = endpoints.address("conductor")
            _log.error("cannot listen at %s: %s; choose other ports with --port-offset", where, error.strerror)
            return 1
        config = uvicorn.Config(conductor.app, log_level="warning", access_log=False, timeout_graceful_shutdown=1)
        with contextlib.suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listening])
    return 0


if __name__ == "__main__":
    sys.exit(main())
