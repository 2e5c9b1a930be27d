"""A whole service on a fake clock, without threads, on a registry of its own."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
from fastapi import FastAPI
from opentelemetry._logs import LoggerProvider
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry

from service.app import create_app
from service.compute import Compute, InlineCompute
from service.ids import RandomIds
from service.models.registry import Models
from service.seams import Seams
from service.settings import Settings

SETOSA = {"features": [[5.1, 3.5, 1.4, 0.2]]}


class TickClock:
    """A clock that moves one millisecond at every reading."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def time(self) -> float:
        """Return Unix seconds."""
        self.now += 0.001
        return self.now

    def perf(self) -> float:
        """Return the same clock."""
        return self.time()


@dataclass
class Bench:
    """A service under test and everything that was handed to it."""

    app: FastAPI
    registry: CollectorRegistry
    exporter: InMemorySpanExporter
    seams: Seams
    settings: Settings
    clock: TickClock

    @property
    def models(self) -> Models:
        """The service's models."""
        models: Models = self.app.state.models
        return models

    def value(self, name: str, **labels: str) -> float | None:
        """Return a sample, or None where there is no such series."""
        return self.registry.get_sample_value(name, labels)

    def spans(self) -> dict[str, ReadableSpan]:
        """Return the finished spans by name; each name must be there once."""
        finished = self.exporter.get_finished_spans()
        assert len({span.name for span in finished}) == len(finished)
        return {span.name: span for span in finished}

    @asynccontextmanager
    async def client(self) -> AsyncIterator[httpx.AsyncClient]:
        """Run the lifespan and yield a client; spans of the start are forgotten."""
        async with self.app.router.lifespan_context(self.app):
            self.exporter.clear()
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
                yield client


def build(
    settings: Settings,
    *,
    compute: Compute | None = None,
    seams: Seams | None = None,
    logger_provider: LoggerProvider | None = None,
) -> Bench:
    """Return a service whose parts are all its own."""
    exporter, registry, clock = InMemorySpanExporter(), CollectorRegistry(auto_describe=True), TickClock()
    resource = Resource({"service.name": "bench"})  # given, since looking for one starts threads
    provider = TracerProvider(resource=resource, id_generator=RandomIds(random.Random(1)), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    attached = seams or Seams()
    app = create_app(
        settings,
        registry=registry,
        clock=clock,
        rng=random.Random(2),
        ids=RandomIds(random.Random(3)),
        tracer_provider=provider,
        logger_provider=logger_provider,
        compute=compute or InlineCompute(),
        seams=attached,
    )
    return Bench(app, registry, exporter, attached, settings, clock)
