"""One start of the service in a virtual world: the real app on its own registry, with its own injector.

It lives from the moment that it serves until it is killed; a later start is another life, whose counters begin at 0.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Generator
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource
from starlette.types import ASGIApp, Receive, Scope, Send

from faults.drills.virtual.clock import LoopClock
from faults.drills.virtual.compute import Turns, VirtualCompute
from faults.drills.virtual.host import VirtualServiceHost
from faults.drills.virtual.machine import Machine
from faults.drills.virtual.silence import SilentLog
from faults.drills.virtual.spans import Collected, ExportCounts, KeptSpan, VirtualTracerProvider
from faults.drills.virtual.timings import HANDLE, Draws, Timings
from faults.exposition import FaultCollector, span_marker
from faults.injector import Injector
from faults.serve import seams_of
from service.app import create_app
from service.ids import RandomIds
from service.settings import Settings

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
    kept: list[KeptSpan] | None
    """Where spans are kept; ``None``: nowhere."""


class Life:
    """One start of the service. ``start`` makes it serve; ``end`` is what SIGKILL does."""

    def __init__(self, given: Given, number: int) -> None:
        """Build the app; ``number`` counts the starts of this world from 0."""
        seed = f"{given.seed}/life {number}"
        self._tasks: dict[asyncio.Task[Any], None] = {}
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
            on_injection=None if given.kept is None else span_marker(given.clock.time),
        )
        seams = seams_of(self.injector, given.settings.model_name)
        seams.middleware.insert(0, lambda app: _Handled(app, self))
        log, spans = SilentLog(), Collected(self.injector.span, given.kept)
        self.registry.register(ExportCounts(spans, lambda: log.records, given.settings.otel_bsp_max_queue_size))
        self.app = create_app(
            given.settings,
            registry=self.registry,
            clock=given.clock,
            rng=random.Random(f"{seed}/service"),
            ids=ids,
            tracer_provider=VirtualTracerProvider(spans, ids),
            logger_provider=None,
            compute=compute,
            seams=seams,
            log=log.as_log(),
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

    def run(self, work: Generator[Any, None, Any] | Awaitable[Any]) -> asyncio.Task[Any]:
        """Return a task for ``work`` that, with every task that comes of it, ends with this life."""
        token = _LIFE.set(self)
        try:
            return asyncio.ensure_future(_awaited(work))
        finally:
            _LIFE.reset(token)

    def within(self, action: Callable[[], Awaitable[Any]]) -> asyncio.Task[Any]:
        """Return a task for ``action()``, begun inside this life."""
        return self.run(action())

    def end(self) -> None:
        """Stop every task of this life where it stands."""
        for task in tuple(self._tasks):
            task.cancel()

    def own(self, task: asyncio.Task[Any]) -> None:
        """Take a task for one of this life's."""
        self._tasks[task] = None
        task.add_done_callback(self._disown)

    def _disown(self, task: asyncio.Task[Any]) -> None:
        self._tasks.pop(task, None)
        if not task.cancelled():
            task.exception()  # whatever broke in a life that was killed is nobody's concern


async def _awaited(work: Any) -> Any:
    return await work


def task_of_its_life(loop: asyncio.AbstractEventLoop, work: Any, **options: Any) -> asyncio.Task[Any]:
    """Make a task, as a loop's task factory; one that is begun inside a life is that life's."""
    task: asyncio.Task[Any] = asyncio.Task(work, loop=loop, **options)
    context = options.get("context")
    life = _LIFE.get() if context is None else context.get(_LIFE)
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
