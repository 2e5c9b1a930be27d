"""Collectors to export to: over HTTP, over gRPC, and such as do not answer."""

from __future__ import annotations

import gzip
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import grpc
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2_grpc as logs_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as traces
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as traces_grpc


@dataclass
class Received:
    """What a collector was sent, as (path or service, headers, body); ``answers`` are given first, then 200."""

    url: str = ""
    exports: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    codes: list[grpc.StatusCode] = field(default_factory=list)

    def spans(self) -> list[Any]:
        """Return the spans that came, whatever was answered."""
        requests = [
            traces.ExportTraceServiceRequest.FromString(body) for path, _, body in self.exports if "trace" in path
        ]
        return [
            span
            for request in requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def records(self) -> list[Any]:
        """Return the log records that came."""
        requests = [logs.ExportLogsServiceRequest.FromString(body) for path, _, body in self.exports if "logs" in path]
        return [
            record
            for request in requests
            for resource in request.resource_logs
            for scope in resource.scope_logs
            for record in scope.log_records
        ]

    def resource(self) -> dict[str, str]:
        """Return the attributes of the first sender of spans."""
        body = next(body for path, _, body in self.exports if "trace" in path)
        sender = traces.ExportTraceServiceRequest.FromString(body).resource_spans[0].resource
        return {attribute.key: attribute.value.string_value for attribute in sender.attributes}


@contextmanager
def http_collector() -> Iterator[Received]:
    """Yield what an OTLP/HTTP collector receives."""
    received = Received()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers["content-encoding"] == "gzip":
                body = gzip.decompress(body)
            headers = {name.lower(): value for name, value in self.headers.items()}
            received.exports.append((self.path, headers, body))
            status, more, answer = received.answers.pop(0) if received.answers else (200, {}, b"")
            self.send_response(status)
            for name, value in {**more, "content-length": str(len(answer))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        received.url = f"http://127.0.0.1:{server.server_port}"
        Thread(target=server.serve_forever, daemon=True).start()
        yield received
        server.shutdown()


class _Traces(traces_grpc.TraceServiceServicer):
    def __init__(self, received: Received) -> None:
        self._received = received

    def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        """Take spans."""
        return _take(self._received, "traces", request, context, traces.ExportTraceServiceResponse())


class _Logs(logs_grpc.LogsServiceServicer):
    def __init__(self, received: Received) -> None:
        self._received = received

    def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 - as above
        """Take log records."""
        return _take(self._received, "logs", request, context, logs.ExportLogsServiceResponse())


def _take(received: Received, kind: str, request: Any, context: Any, response: Any) -> Any:
    received.exports.append((kind, dict(context.invocation_metadata()), request.SerializeToString()))
    if received.codes:
        context.abort(received.codes.pop(0), "as told")
    return response


@contextmanager
def grpc_collector() -> Iterator[Received]:
    """Yield what an OTLP/gRPC collector receives."""
    received = Received()
    server = grpc.server(ThreadPoolExecutor(2))
    traces_grpc.add_TraceServiceServicer_to_server(_Traces(received), server)
    logs_grpc.add_LogsServiceServicer_to_server(_Logs(received), server)
    received.url = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    yield received
    server.stop(0).wait()


@contextmanager
def blackhole() -> Iterator[str]:
    """Yield the URL of a socket that takes connections and never says a word."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def refusing() -> str:
    """Return the URL of a port where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"
