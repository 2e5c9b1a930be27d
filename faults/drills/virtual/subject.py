"""The real service as ``recorder`` measures it: a process of its own that notes how long each thing takes.

Its standard input tells it what comes next, a word a line; ``end`` has it write down what it noted. It serves on
loopback, on a free port, which is its first word.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import psutil
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp, Receive, Scope, Send

import faults.kinds
from faults.base import FaultRequest
from faults.injector import Injector
from service.app import create_app
from service.clock import SystemClock
from service.compute import LOAD, ThreadCompute
from service.ids import RandomIds
from service.replicas import bound_socket
from service.seams import Seams
from service.server import server
from service.settings import Settings, load_settings
from service.telemetry.spans import CheapTracerProvider

T = TypeVar("T")

_ = faults.kinds  # importing it fills the catalogue
BURN_TTL_S = 120.0
RELOADS = 40


@dataclass
class Notes:
    """What was noted, by phase. Times in seconds of ``time.perf_counter``."""

    phase: str = "start"
    compute: dict[str, dict[str, list[tuple[float, float]]]] = field(default_factory=dict)
    """Phase, then kind of work: when each began and ended."""
    requests: dict[str, dict[str, tuple[float, float]]] = field(default_factory=dict)
    """Phase, then id of the request: when it came in and when it was answered."""
    cpu_s: dict[str, float] = field(default_factory=dict)
    """Processor time that each phase took."""
    since: tuple[float, float] = (0.0, 0.0)
    lasted_s: dict[str, float] = field(default_factory=dict)

    def enter(self, phase: str) -> None:
        """Let another phase begin."""
        now, cpu = time.perf_counter(), time.process_time()
        self.lasted_s[self.phase], self.cpu_s[self.phase] = now - self.since[0], cpu - self.since[1]
        self.phase, self.since = phase, (now, cpu)


class NotedCompute:
    """A ``Compute`` that notes how long the work took, seen from the event loop."""

    def __init__(self, compute: ThreadCompute, notes: Notes) -> None:
        self._compute, self._notes = compute, notes

    async def run(self, kind: str, function: Callable[[], T]) -> T:
        """Run ``function`` as ``compute`` does."""
        began = time.perf_counter()
        try:
            return await self._compute.run(kind, function)
        finally:
            noted = self._notes.compute.setdefault(self._notes.phase, {})
            noted.setdefault(kind, []).append((began, time.perf_counter()))


class NotedApp:
    """An app whose requests are noted from the first call of it to its last."""

    def __init__(self, app: ASGIApp, notes: Notes) -> None:
        self._app, self._notes = app, notes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        began = time.perf_counter()
        await self._app(scope, receive, send)
        if scope["type"] == "http":
            name = dict(scope["headers"]).get(b"x-request-id", b"").decode()
            self._notes.requests.setdefault(self._notes.phase, {})[name] = (began, time.perf_counter())


async def _serve(settings: Settings) -> dict[str, object]:
    """Serve until ``end`` is read; return what was noted."""
    notes = Notes()
    notes.since = (time.perf_counter(), 0.0)
    clock, ids = SystemClock(), RandomIds(random.Random(1))
    compute = ThreadCompute(settings.inference_workers)
    app = create_app(
        settings,
        registry=CollectorRegistry(auto_describe=True),
        clock=clock,
        rng=random.Random(2),
        ids=ids,
        tracer_provider=CheapTracerProvider(ALWAYS_ON, ids, lambda _scope, _item: None, time.time_ns),
        logger_provider=None,
        compute=NotedCompute(compute, notes),
        seams=Seams(),
    )
    with bound_socket("127.0.0.1", 0, "PORT", shared=False) as listener:
        serving = server(NotedApp(app, notes), settings)
        running = asyncio.create_task(serving.serve(sockets=[listener]))
        while not serving.started:  # noqa: ASYNC110 - uvicorn's server has a flag and no event
            await asyncio.sleep(0.01)
        sys.stdout.write(f"{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        injector = Injector()
        words = await _words()
        while word := (await words.readline()).decode().strip():
            await injector.reset()
            notes.enter(word)
            kind, _, threads = word.partition(" ")
            if kind == "end":
                break
            if kind == LOAD:
                for _ in range(RELOADS):
                    for name in app.state.models.names:
                        await app.state.models.reload(name)
            elif threads:
                parameters = {"contends_for": kind, "threads": int(threads)}
                await injector.light(FaultRequest(kind="cpu_burn", parameters=parameters, ttl_s=BURN_TTL_S))
            sys.stdout.write("begun\n")
            sys.stdout.flush()
        await injector.close()
        serving.should_exit = True
        await running
    compute.close()
    return {**vars(notes), "process": _process()}


async def _nothing(_scope: Scope, _receive: Receive, _send: Send) -> None:
    """Stand in for an app that is not there yet."""


def _process() -> dict[str, int]:
    process = psutil.Process()
    memory = process.memory_info()
    return {
        "resident_bytes": memory.rss,
        "virtual_bytes": memory.vms,
        "open_fds": process.num_fds(),
        "max_fds": process.rlimit(psutil.RLIMIT_NOFILE)[0],
    }


async def _words() -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    return reader


def main(arguments: list[str]) -> None:
    """Serve ``MODELS`` (by commas) from a folder of artifacts; write notes into a file."""
    models, artifacts, out = arguments
    names = models.split(",")
    settings = load_settings(
        models=models, model_name=names[0], artifacts_dir=Path(artifacts), log_output="file", log_file=Path("/dev/null")
    )
    factory = server(NotedApp(_nothing, Notes()), settings).config.get_loop_factory()  # the loop of a live service
    with asyncio.Runner(loop_factory=factory) as runner:
        Path(out).write_text(json.dumps(runner.run(_serve(settings))), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
