"""``python -m panel.bench.service.programs.sink PORT``: takes OTLP over HTTP, answers 200, counts.

``GET /`` tells the counts as JSON: spans, server spans, log records. Nothing is kept.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import sys
from collections import Counter

import httptools
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from stack.endpoints import HOST


def count(path: str, body: bytes, counts: Counter[str]) -> None:
    """Add what an export holds."""
    if path == "/v1/traces":
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope in resource.scope_spans:
                counts["spans"] += len(scope.spans)
                counts["server_spans"] += sum(span.kind == Span.SPAN_KIND_SERVER for span in scope.spans)
    elif path == "/v1/logs":
        for sent in ExportLogsServiceRequest.FromString(body).resource_logs:
            counts["records"] += sum(len(scope.log_records) for scope in sent.scope_logs)


class Sink(asyncio.Protocol):
    """One connection."""

    def __init__(self, counts: Counter[str]) -> None:
        self._counts = counts
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._path, self._body, self._gzipped = "", bytearray(), False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Parse."""
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        """Begin a request."""
        self._path, self._gzipped = url.decode("ascii"), False
        self._body.clear()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Note how the body is packed."""
        if name.lower() == b"content-encoding":
            self._gzipped = value == b"gzip"

    def on_body(self, body: bytes) -> None:
        """Collect."""
        self._body += body

    def on_message_complete(self) -> None:
        """Count and answer."""
        body = bytes(self._body)
        count(self._path, gzip.decompress(body) if self._gzipped else body, self._counts)
        answer = json.dumps(self._counts).encode() if self._path == "/" else b""
        if self._transport is not None:
            self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(answer), answer))


async def serve(port: int) -> None:
    """Serve until killed."""
    counts: Counter[str] = Counter(spans=0, server_spans=0, records=0)
    server = await asyncio.get_running_loop().create_server(lambda: Sink(counts), HOST, port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
