"""How export requests travel: OTLP over HTTP and over gRPC, both with bytes that are already encoded.

gRPC loads where it is chosen. Nothing here retries or queues.
"""

from __future__ import annotations

import gzip
import http.client
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPMessage
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from service.telemetry.export import ExportFailed, Failure, Transport

LARGEST_ANSWER = 65_536
_STALE = (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError)
_PASSING_STATUS = frozenset({429, 502, 503, 504})
_PASSING_CODES = frozenset(
    {"CANCELLED", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS"}
)
_METHODS = {
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
}


@dataclass(frozen=True)
class Line:
    """What is known of the way to a collector."""

    signal: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    compress: bool = False
    certificate: Path | None = None
    client_key: Path | None = None
    client_certificate: Path | None = None


class HttpTransport:
    """OTLP/HTTP with binary protobuf on one connection that is kept open."""

    def __init__(self, line: Line) -> None:
        self._line, self._url = line, urlsplit(line.url)
        self._headers = {"content-type": "application/x-protobuf", "user-agent": "firedrill-service", **line.headers}
        if line.compress:
            self._headers["content-encoding"] = "gzip"
        self._path = (self._url.path or "/") + (f"?{self._url.query}" if self._url.query else "")
        self._tls: ssl.SSLContext | None = None
        if self._url.scheme == "https":
            self._tls = ssl.create_default_context(cafile=line.certificate)
            if line.client_certificate is not None:
                self._tls.load_cert_chain(line.client_certificate, line.client_key)
        self._connection: http.client.HTTPConnection | None = None

    @property
    def target(self) -> str:
        """The URL, without whatever stands before an ``@``."""
        return self._url._replace(netloc=self._url.netloc.rpartition("@")[2]).geturl()

    def send(self, body: bytes, timeout_s: float) -> int:
        """Post ``body``; see ``Transport``."""
        content = gzip.compress(body, 1) if self._line.compress else body
        try:
            status, headers, answer = self._post(content, max(0.001, timeout_s))
        except TimeoutError as error:
            self.close()
            raise ExportFailed(Failure.TIMEOUT, str(error)) from None
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise ExportFailed(Failure.UNREACHABLE, f"{type(error).__name__}: {error}") from None
        if status == http.client.OK:
            return rejected_of(self._line.signal, answer)
        detail = f"HTTP {status}"
        if status in _PASSING_STATUS:
            raise ExportFailed(Failure.UNAVAILABLE, detail, _seconds(headers.get("retry-after")))
        raise ExportFailed(Failure.REFUSED, detail)

    def close(self) -> None:
        """End the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _post(self, content: bytes, timeout_s: float) -> tuple[int, HTTPMessage, bytes]:
        """Post on the open connection, or on a new one where it has gone stale."""
        deadline = time.monotonic() + timeout_s
        if self._connection is not None:
            try:
                return self._exchange(self._connection, content, timeout_s)
            except _STALE:
                self.close()
        made = self._connect(max(0.001, deadline - time.monotonic()))
        self._connection = made
        return self._exchange(made, content, max(0.001, deadline - time.monotonic()))

    def _connect(self, timeout_s: float) -> http.client.HTTPConnection:
        host, port = self._url.hostname or "", self._url.port
        if self._tls is not None:
            return http.client.HTTPSConnection(host, port, timeout=timeout_s, context=self._tls)
        return http.client.HTTPConnection(host, port, timeout=timeout_s)

    def _exchange(
        self, connection: http.client.HTTPConnection, content: bytes, timeout_s: float
    ) -> tuple[int, HTTPMessage, bytes]:
        connection.timeout = timeout_s
        if connection.sock is not None:
            connection.sock.settimeout(timeout_s)
        connection.request("POST", self._path, content, self._headers)
        response = connection.getresponse()
        answer = response.read(LARGEST_ANSWER)
        if not response.isclosed():
            self.close()
        return response.status, response.headers, answer


class GrpcTransport:
    """OTLP/gRPC; messages pass as they are, without stubs."""

    def __init__(self, line: Line) -> None:
        import grpc  # noqa: PLC0415 - loads grpc on demand

        url = urlsplit(line.url)
        self._grpc, self._signal, self.target = grpc, line.signal, url.netloc
        self._headers = tuple((name.lower(), value) for name, value in line.headers.items())
        self._compression = grpc.Compression.Gzip if line.compress else grpc.Compression.NoCompression
        options = (("grpc.initial_reconnect_backoff_ms", 500), ("grpc.max_reconnect_backoff_ms", 5000))
        if url.scheme == "https":
            pem = [_read(path) for path in (line.certificate, line.client_key, line.client_certificate)]
            self._channel = grpc.secure_channel(url.netloc, grpc.ssl_channel_credentials(*pem), options=options)
        else:
            self._channel = grpc.insecure_channel(url.netloc, options=options)
        self._export: Any = self._channel.unary_unary(_METHODS[line.signal])

    def send(self, body: bytes, timeout_s: float) -> int:
        """Call ``Export``; see ``Transport``."""
        try:
            answer: bytes = self._export(
                body, timeout=max(0.001, timeout_s), metadata=self._headers, compression=self._compression
            )
        except self._grpc.RpcError as error:
            raise _grpc_failure(error) from None
        return rejected_of(self._signal, answer)

    def close(self) -> None:
        """End the channel."""
        self._channel.close()


def transport_of(protocol: str, line: Line) -> Transport:
    """Return the transport of an ``OTEL_EXPORTER_OTLP_PROTOCOL``."""
    return GrpcTransport(line) if protocol == "grpc" else HttpTransport(line)


def rejected_of(signal: str, answer: bytes) -> int:
    """Return how many items an export response says were rejected; an answer that says nothing rejects nothing."""
    if not answer:
        return 0
    from google.protobuf.message import DecodeError  # noqa: PLC0415 - loads protobuf only where a collector objects
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse  # noqa: PLC0415
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse  # noqa: PLC0415

    try:
        if signal == "traces":
            return int(ExportTraceServiceResponse.FromString(answer).partial_success.rejected_spans)
        return int(ExportLogsServiceResponse.FromString(answer).partial_success.rejected_log_records)
    except DecodeError:
        return 0


def _grpc_failure(error: Any) -> ExportFailed:
    """Return a gRPC error as ours."""
    code = error.code().name
    detail = f"{code}: {error.details()}"
    if code == "DEADLINE_EXCEEDED":
        return ExportFailed(Failure.TIMEOUT, detail)
    if code == "UNAVAILABLE":
        return ExportFailed(Failure.UNREACHABLE, detail)
    return ExportFailed(Failure.UNAVAILABLE if code in _PASSING_CODES else Failure.REFUSED, detail)


def _seconds(text: str | None) -> float | None:
    """Return a ``Retry-After`` in seconds; dates are not waited for."""
    return float(text) if text is not None and text.isdecimal() else None


def _read(path: Path | None) -> bytes | None:
    return path.read_bytes() if path is not None else None
