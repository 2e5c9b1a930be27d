"""A real trace store for tests: uvicorn on free ports in a thread, a database in a temporary folder, spans to send."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import uvicorn
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.trace.v1.trace_pb2 import Span, TracesData
from prometheus_client import CollectorRegistry

from stack.tracestore.__main__ import listen
from stack.tracestore.app import create_app
from stack.tracestore.database import open_reader
from stack.tracestore.grpc_receiver import GrpcReceiver
from stack.tracestore.limits import Limits
from stack.tracestore.logs import LogQuery, LogRecord, logs_of, search_logs
from stack.tracestore.store import TraceStore
from stack.tracestore.telemetry import StoreMetrics

Plain = str | bool | int | float
DEADLINE_S = 20.0
PROTOBUF = {"Content-Type": "application/x-protobuf"}
MS = 1_000_000


@dataclass(frozen=True)
class Lab:
    """A running store."""

    url: str
    otlp: str
    grpc: str
    metrics: StoreMetrics
    path: Path
    exporter: httpx.Client

    def send(self, *exports: TracesData) -> None:
        """Export spans and expect full success."""
        for export in exports:
            answer = self.exporter.post(f"{self.otlp}/v1/traces", content=export.SerializeToString(), headers=PROTOBUF)
            assert (answer.status_code, answer.content) == (200, b"")

    def send_logs(self, *exports: LogsData) -> None:
        """Export log records and expect full success."""
        for export in exports:
            answer = self.exporter.post(f"{self.otlp}/v1/logs", content=export.SerializeToString(), headers=PROTOBUF)
            assert (answer.status_code, answer.content) == (200, b"")

    def logs_of(self, trace_id: bytes) -> tuple[LogRecord, ...]:
        """Return the log records of a trace, read from the file."""
        with closing(open_reader(self.path)) as connection:
            return logs_of(connection, trace_id)

    def search_logs(self, query: LogQuery) -> tuple[LogRecord, ...]:
        """Return the log records that match, read from the file."""
        with closing(open_reader(self.path)) as connection:
            return search_logs(connection, query)

    def value(self, name: str, **labels: str) -> float:
        """Return a sample of the store's own metrics."""
        found = self.metrics.registry.get_sample_value(name, labels)
        assert found is not None
        return found


@contextmanager
def running(folder: Path, limits: Limits | None = None, now: Callable[[], float] = time.time) -> Iterator[Lab]:
    """Run a store until the block ends."""
    metrics = StoreMetrics(CollectorRegistry())
    path = folder / "traces" / "traces.db"
    store = TraceStore(path, limits or Limits(), metrics, now=now)
    query, otlp = listen(0), listen(0)
    receiver = GrpcReceiver(store, metrics)
    grpc_port = receiver.bind("127.0.0.1", 0)
    app = create_app(store, metrics, otlp_port=_port(otlp), now=now, beside=receiver.serving)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [query, otlp]})
    thread.start()
    eventually(lambda: server.started or not thread.is_alive())
    assert server.started
    try:
        with httpx.Client() as exporter:
            yield Lab(
                f"http://127.0.0.1:{_port(query)}",
                f"http://127.0.0.1:{_port(otlp)}",
                f"127.0.0.1:{grpc_port}",
                metrics,
                path,
                exporter,
            )
    finally:
        server.should_exit = True
        thread.join(DEADLINE_S)
        assert not thread.is_alive()


def eventually(condition: Callable[[], bool], deadline_s: float = DEADLINE_S) -> None:
    """Wait until a condition holds; fail at the deadline."""
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, "the condition did not come true in time"
        time.sleep(0.02)


def span(name: str = "work", /, *, trace_id: bytes | None = None, parent: Span | None = None, **tags: Plain) -> Span:
    """Return a span that starts now and lasts 5 ms."""
    now = time.time_ns() - 10 * MS
    made = Span(
        trace_id=parent.trace_id if parent is not None else trace_id or os.urandom(16),
        span_id=os.urandom(8),
        parent_span_id=parent.span_id if parent is not None else b"",
        name=name,
        start_time_unix_nano=now,
        end_time_unix_nano=now + 5 * MS,
    )
    made.attributes.extend(attributes(tags))
    return made


def attributes(tags: Mapping[str, Plain]) -> list[KeyValue]:
    """Return OTLP attributes."""
    return [KeyValue(key=key, value=any_value(value)) for key, value in tags.items()]


def any_value(value: Plain) -> AnyValue:
    """Return an OTLP value."""
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    return AnyValue(string_value=value)


def export_of(*spans: Span, service: str = "firedrill", **resource: Plain) -> TracesData:
    """Return an export of spans of one service."""
    data = TracesData()
    made_by = data.resource_spans.add()
    made_by.resource.attributes.extend(attributes({"service.name": service} | resource))
    scope = made_by.scope_spans.add()
    scope.scope.name, scope.scope.version = "lab", "1.2"
    scope.spans.extend(spans)
    return data


def logs_export(*bodies: str, trace_id: bytes = b"", severity: int = 9, service: str = "firedrill") -> LogsData:
    """Return an export of log records of one service and now, one where no bodies are given."""
    data = LogsData()
    made_by = data.resource_logs.add()
    made_by.resource.attributes.extend(attributes({"service.name": service}))
    records = made_by.scope_logs.add().log_records
    for body in bodies or ("said",):
        records.add(
            time_unix_nano=time.time_ns(), trace_id=trace_id, severity_number=severity, body=AnyValue(string_value=body)
        )
    return data


def _port(listener: socket.socket) -> int:
    return int(listener.getsockname()[1])
