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
from faults.drills.errors import DrillError
from faults.drills.fires import Fires
from faults.drills.journal import Journal
from faults.drills.live import Parts
from faults.drills.runs import Runs
from faults.drills.spec import load_library
from faults.drills.watch import Watcher
from stack.clients.alertmanager import AlertmanagerClient
from stack.clients.prometheus import PrometheusClient
from stack.configuration import GROUP_WAIT_S
from stack.endpoints import Endpoints, of_replicas
from stack.errors import SourceError
from stack.home import Home, endpoints_from_environment, pace_from_environment, workers_from_environment
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
    """What runs beside the requests: watching alerts, tending what was lit."""

    def __init__(self, runs: Runs, watcher: Watcher, journal: Journal, every_s: float) -> None:
        self._runs, self._watcher, self._journal, self._every_s = runs, watcher, journal, every_s
        self._tasks: tuple[asyncio.Task[None], ...] = ()

    async def start(self) -> None:
        self._journal.write("conductor", "conductor_started", "conductor")
        self._runs.recover()
        self._tasks = (asyncio.create_task(self._watch()), asyncio.create_task(self._runs.tend()))

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
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._journal.write("conductor", "conductor_stopped", "conductor")
        self._journal.close()


def build_conductor(home: Home, endpoints: Endpoints, pace: Pace, *, workers: int = 1) -> Conductor:
    """Return the conductor of the stack in ``home``, whose service has so many replicas.

    Raises ``DrillError`` for a bad library or journal.

    To be called on the thread that serves the app, for the journal belongs to it.
    """
    token = home.token()
    journal = Journal(home.data / "journal.sqlite")
    watcher = Watcher(PrometheusClient(endpoints.url("prometheus")), AlertmanagerClient(endpoints.url("alertmanager")))
    control = ServiceControl([endpoints.url(name) for name in of_replicas("control", workers)], token)
    traffic = TrafficControl(endpoints.url("traffic"), token)
    board = AlertBoard(watcher, journal, group_wait_s=pace.scale(GROUP_WAIT_S), fresh_s=min(pace.interval_s, 2.0))
    fires = Fires(control, traffic, journal)
    runs = Runs(Parts(watcher, control, fires, journal, board, time.time), load_library(), pace)
    background = _Background(runs, watcher, journal, pace.interval_s)
    desk = Desk(runs, control, traffic, fires, journal, board, time.time, time.time())
    app = create_app(desk, token, tend=background.start, close=background.stop, hosts=endpoints.names)
    return Conductor(app, runs, journal, watcher)


def main() -> int:
    """Run the conductor until it is told to stop; return the exit code."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    endpoints = endpoints_from_environment()
    try:
        conductor = build_conductor(
            Home.from_environment(), endpoints, pace_from_environment(), workers=workers_from_environment()
        )
    except DrillError as error:
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
