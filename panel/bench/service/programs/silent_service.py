"""``python -m panel.bench.service.programs.silent_service``: the service without its telemetry, by the same settings.

The same routes, queue, batching, checks and answers; spans, metrics and log lines are not made. What stays are the ids
that every answer carries. It is what the telemetry's cost is measured against, so that nothing else is counted as such.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from opentelemetry.trace import INVALID_SPAN, Span
from prometheus_client import Counter, Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service import app as composition
from service.server import run
from service.settings import load_settings
from service.telemetry.features import FeatureSeries
from service.telemetry.observe import Exchange


class SilentTracing:
    """Stands in for ``Tracing`` and makes no spans."""

    def __init__(self, *_given: Any, **_named: Any) -> None:
        self._span = SilentSpan()

    def stage(self, *_given: Any, **_named: Any) -> SilentSpan:
        """Return what can be entered like a span."""
        return self._span


class SilentSpan:
    """A span that is none."""

    def __enter__(self) -> Span:
        return INVALID_SPAN

    def __exit__(self, *_error: object) -> None:
        return


class OnlyIds:
    """Stands in for ``ObserveMiddleware``: gives each request its ids, and observes nothing."""

    def __init__(self, app: ASGIApp, *, labels: Any, ids: Any, **_named: Any) -> None:
        self._app, self._labels, self._ids = app, labels, ids

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method, endpoint = self._labels(scope)
        exchange = Exchange(self._ids.request_id(), endpoint, method)
        exchange.trace_id = f"{self._ids.generate_trace_id():032x}"
        scope["firedrill.exchange"] = exchange

        async def forward(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message.get("headers", ()),
                    (b"x-request-id", exchange.request_id.encode("ascii")),
                    (b"x-trace-id", exchange.trace_id.encode("ascii")),
                ]
            await send(message)

        await self._app(scope, receive, forward)


@contextmanager
def silence() -> Iterator[None]:
    """Make every app that is built and run inside one without telemetry."""

    def nothing(*_given: Any, **_named: Any) -> None:
        return

    recorders = ((Counter, "inc"), (Gauge, "set"), (Histogram, "observe"), (FeatureSeries, "add"))
    with patch.object(composition, "Tracing", SilentTracing), patch.object(composition, "ObserveMiddleware", OnlyIds):
        patches = [patch.object(kind, method, nothing) for kind, method in recorders]
        for each in patches:
            each.start()
        try:
            yield
        finally:
            for each in patches:
                each.stop()


def main() -> None:
    """Serve by the environment's settings, which are to set ``LOG_LEVEL=critical`` and ``ENABLE_TRACING=false``."""
    with silence():
        run(load_settings())


if __name__ == "__main__":
    main()
