"""What the Predict page asks: the models of the service, attempts at them, and the trace and logs of one request."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from panel.access.guarded import Allow, everyone
from panel.readings import Feed, Feeds
from panel.tryout.attempts import Attempts
from stack.clients.jaeger import JaegerClient, Trace, TraceLog, TraceNotFound
from stack.clients.logs import LogLine, LogSearch, LogStore
from stack.clients.service import Served, ServiceClient
from stack.endpoints import Endpoints, of_replicas
from stack.errors import SourceError

SERVED_TTL_S = 3.0
METRICS_TIMEOUT_S = 2.0
ABOUT_S = 120.0
"""How far before and after a request its log records are looked for, in seconds."""
_LAST_EVENTS = frozenset({"request_completed", "request_failed"})


@dataclass(frozen=True)
class Traced:
    """Which request is waited for: its trace, and when it was sent (Unix seconds)."""

    trace_id: str
    at: float


@dataclass(frozen=True)
class Arrival:
    """What of a request has arrived in the stores so far."""

    trace: Trace | None
    logs: tuple[TraceLog, ...]

    @property
    def whole(self) -> bool:
        """Whether the request's own span is there, which ends last, and the record that ends the request."""
        rooted = self.trace is not None and any(span.parent_id is None for span in self.trace.spans)
        return rooted and any(record.body in _LAST_EVENTS for record in self.logs)


class Tryout:
    """The feeds of the page. Clients are asked when somebody looks, not before."""

    def __init__(
        self,
        endpoints: Endpoints,
        workers: int,
        jaeger: JaegerClient,
        logs: LogStore,
        *,
        quick_s: float,
        allow: Allow = everyone,
    ) -> None:
        client = ServiceClient(endpoints.url("service"))
        counted = of_replicas("replica", workers) if workers > 1 else ("service",)
        self.served: Feed[Served] = Feed("the service", client.served, ttl_s=SERVED_TTL_S)
        replicas = [ServiceClient(endpoints.url(name), timeout_s=METRICS_TIMEOUT_S) for name in counted]
        self.attempts = Attempts(client, replicas, allow=allow)
        self.arrivals: Feeds[Traced, Arrival] = Feeds(
            lambda request: Feed("the trace store", _reader(request, jaeger, logs), ttl_s=quick_s)
        )


def _reader(request: Traced, jaeger: JaegerClient, logs: LogStore) -> Callable[[], Arrival]:
    def read() -> Arrival:
        try:
            trace = jaeger.trace(request.trace_id)
        except TraceNotFound:
            trace = None
        return Arrival(trace, jaeger.logs(request.trace_id) or _searched(request, logs))

    return read


def _searched(request: Traced, logs: LogStore) -> tuple[TraceLog, ...]:
    """Return a trace's records out of the log store; none where there is no such store."""
    end = min(time.time(), request.at + ABOUT_S)
    try:
        page = logs.search(LogSearch(request.at - ABOUT_S, end, trace_id=request.trace_id))
    except SourceError:
        return ()
    return tuple(trace_log(line) for line in reversed(page.lines))


def trace_log(line: LogLine) -> TraceLog:
    """Return a log record as the pages of traces show it."""
    return TraceLog(line.time, line.severity, line.body, line.span_id, line.service, line.attributes)
