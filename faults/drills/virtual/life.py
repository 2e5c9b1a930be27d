"""One start of the service in a virtual world: the real app on its own registry, with its own injector.

It lives from the moment that it serves until it is killed; a later start is another life, whose counters begin at 0.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from opentelemetry.trace import NoOpTracerProvider
from prometheus_client import CollectorRegistry
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource
from starlette.types import ASGIApp, Receive, Scope, Send

from faults.drills.virtual.clock import LoopClock
from faults.drills.virtual.compute import Turns, VirtualCompute
from faults.drills.virtual.host import VirtualServiceHost
from faults.drills.virtual.machine import Machine
from faults.drills.virtual.silence import SilentLog
from faults.drills.virtual.spans import Collected, ExportCounts, Shelf
from faults.drills.virtual.timings import HANDLE, Draws, Timings
from faults.drills.virtual.tracing import VirtualTracing
from faults.exposition import FaultCollector, span_marker
from faults.injector import Injector
from faults.serve import seams_of
from service.app import create_app
from service.ids import RandomIds
from service.settings import Settings

MOST_TASKS = 512
"""Tasks of a life that are kept before those that are done are let go."""
T = TypeVar("T")
_LIFE: ContextVar[Life | None] = ContextVar("life", default=None)


class FixedSettings(Settings):
    """The service's settings as they are by default: the environment of this process says nothing to them."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take what is given and nothing else."""
        _ = settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)


@dataclass(frozen=True)
class Given:
    """What every life of one world is built from."""

    settings: Settings
    clock: LoopClock
    timings: Timings
    seed: str
    scratch: Path
    shelf: Shelf | None
    """Where spans are kept; ``None``: nowhere."""


class Life:
    """One start of the service. ``start`` makes it serve; ``end`` is what SIGKILL does."""

    def __init__(self, given: Given, number: int) -> None:
        """Build the app; ``number`` counts the starts of this world from 0."""
        seed = f"{given.seed}/life {number}"
        self._tasks: list[asyncio.Task[Any]] = []
        self._most_tasks = MOST_TASKS
        self.requests = 0
        self.machine = Machine(given.timings.process, given.clock.time, lambda: self.requests)
        self.draws = Draws(given.timings, seed)
        self.turns = Turns(lambda: self.seconds(HANDLE))
        self.registry = CollectorRegistry(auto_describe=True)
        compute = VirtualCompute(given.settings.inference_workers, self.seconds, self.turns)
        ids = RandomIds(random.Random(f"{seed}/ids"))
        host = VirtualServiceHost(given.scratch, self.machine, compute)
        self.injector = Injector(
            host,
            rng=random.Random(f"{seed}/injector"),
            now=given.clock.time,
            on_injection=None if given.shelf is None else span_marker(given.clock.time),
        )
        seams = seams_of(self.injector, given.settings.model_name)
        seams.middleware.insert(0, lambda app: _Handled(app, self))
        log, spans = SilentLog(), Collected(self.injector.span, given.shelf)
        self.registry.register(ExportCounts(spans, lambda: log.records, given.settings.otel_bsp_max_queue_size))
        self.app = create_app(
            given.settings,
            registry=self.registry,
            clock=given.clock,
            rng=random.Random(f"{seed}/service"),
            ids=ids,
            tracer_provider=NoOpTracerProvider(),
            logger_provider=None,
            compute=compute,
            seams=seams,
            log=log.as_log(),
            tracing=VirtualTracing(spans, ids, given.clock),
            runtime=self.machine.register,
        )
        host.serve(self.app.state.models, self.app.state.queue, self.registry, compute)
        self.registry.register(FaultCollector(self.injector))

    def seconds(self, kind: str) -> float:
        """Return how long ``kind`` takes now, drawn."""
        return self.draws.seconds(kind, self.machine.burning)

    async def start(self) -> None:
        """Load the models; return when it serves."""
        await self.run(self._start())

    async def _start(self) -> None:
        await self.app.router.lifespan_context(self.app).__aenter__()

    def run(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Return a task for ``work`` that, with every task that comes of it, ends with this life."""
        token = _LIFE.set(self)
        try:
            return asyncio.get_running_loop().create_task(work)
        finally:
            _LIFE.reset(token)

    def end(self) -> None:
        """Stop every task of this life where it stands."""
        for task in self._tasks:
            if not _over(task):
                task.add_done_callback(_over)
                task.cancel()

    def own(self, task: asyncio.Task[Any]) -> None:
        """Take a task for one of this life's."""
        self._tasks.append(task)
        if len(self._tasks) > self._most_tasks:
            self._tasks = [one for one in self._tasks if not _over(one)]
            self._most_tasks = max(MOST_TASKS, 2 * len(self._tasks))


def _over(task: asyncio.Task[Any]) -> bool:
    """Return whether ``task`` is done; whatever broke it is nobody's concern but that of who waited for it."""
    if not task.done():
        return False
    if not task.cancelled():
        task.exception()
    return True


def task_of_its_life(loop: asyncio.AbstractEventLoop, work: Any, **options: Any) -> asyncio.Task[Any]:
    """Make a task, as a loop's task factory; one that is begun inside a life is that life's."""
    task: asyncio.Task[Any] = asyncio.Task(work, loop=loop, **options)
    life = context.get(_LIFE) if (context := options.get("context")) is not None else _LIFE.get()
    if life is not None:
        life.own(task)
    return task


class _Handled:
    """Middleware: what the service's own event loop needs for a request, one at a time."""

    def __init__(self, app: ASGIApp, life: Life) -> None:
        self._app, self._life = app, life

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait for the turn, then pass the request on."""
        self._life.requests += 1
        await self._life.turns.take()
        await self._app(scope, receive, send)
