"""The OTLP/gRPC endpoints: ``TraceService/Export`` and ``LogsService/Export``, each call answered after its commit.

Calls wait on threads of gRPC's own, so that the event loop of the HTTP ports never does. Nothing is decoded here: the
writer gets the message's bytes as it gets those of HTTP.

Source: the OpenTelemetry Protocol specification 1.x, section "OTLP/gRPC".
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from stack.tracestore.errors import (
    PayloadTooLarge,
    PortUnavailable,
    StoreBusy,
    StoreStopped,
    StoreUnavailable,
    TraceStoreError,
)
from stack.tracestore.limits import Limits
from stack.tracestore.otlp import Signal, answer
from stack.tracestore.store import TraceStore
from stack.tracestore.telemetry import StoreMetrics

SERVICES: dict[str, Signal] = {
    "opentelemetry.proto.collector.trace.v1.TraceService": "traces",
    "opentelemetry.proto.collector.logs.v1.LogsService": "logs",
}
CALLS = 8
"""So many calls wait for their commit at a time; a commit takes all that wait."""
GRACE_S = 1.0
_RETRYABLE = (StoreBusy, StoreUnavailable, StoreStopped)
_DETAILS = "grpc-status-details-bin"


class GrpcReceiver:
    """A gRPC server before the store. ``bind`` takes its port, ``serving`` runs it."""

    def __init__(self, store: TraceStore, metrics: StoreMetrics) -> None:
        self._server = grpc.server(
            ThreadPoolExecutor(CALLS, thread_name_prefix="tracestore-grpc"), options=_options(store.limits)
        )
        for service, signal in SERVICES.items():
            export = grpc.unary_unary_rpc_method_handler(_export(signal, store, metrics))
            self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {"Export": export}),))

    def bind(self, host: str, port: int) -> int:
        """Take a port (0: any that is free) and return it; raise ``PortUnavailable``."""
        with socket.socket() as probe:  # asked first, since gRPC writes an error of its own to standard error
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                raise PortUnavailable(host, port, error.strerror or str(error)) from error
        try:
            return int(self._server.add_insecure_port(f"{host}:{port}"))
        except RuntimeError as error:
            raise PortUnavailable(host, port, "gRPC could not take it") from error

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Serve inside the block; calls that wait for their commit at its end are still answered."""
        await asyncio.to_thread(self._server.start)
        try:
            yield
        finally:
            await asyncio.to_thread(self._server.stop(GRACE_S).wait)


def _options(limits: Limits) -> list[tuple[str, int]]:
    """Return the server's options. The limit holds before and after decompression."""
    return [
        ("grpc.max_receive_message_length", limits.max_payload_bytes),
        ("grpc.so_reuseport", 0),  # a second store must hear that the port is taken
    ]


def _export(signal: Signal, store: TraceStore, metrics: StoreMetrics) -> Callable[[bytes, grpc.ServicerContext], bytes]:
    def export(raw: bytes, context: grpc.ServicerContext) -> bytes:
        try:
            outcome = store.hand_in(signal, raw, "identity", "protobuf").result()
        except TraceStoreError as error:
            code = _code(error)
            metrics.requests.labels(signal, code.name).inc()
            if isinstance(error, _RETRYABLE):
                context.set_trailing_metadata(((_DETAILS, _retry(code, error, error.retry_after_s)),))
            context.abort(code, str(error))
        metrics.requests.labels(signal, "OK").inc()
        return answer(signal, outcome.rejected, outcome.reason, "protobuf")

    return export


def _code(error: TraceStoreError) -> grpc.StatusCode:
    """Return the status of an export that was not stored; exporters try again after ``UNAVAILABLE`` alone."""
    if isinstance(error, _RETRYABLE):
        return grpc.StatusCode.UNAVAILABLE
    if isinstance(error, PayloadTooLarge):
        return grpc.StatusCode.RESOURCE_EXHAUSTED
    return grpc.StatusCode.INVALID_ARGUMENT


def _retry(code: grpc.StatusCode, error: TraceStoreError, seconds: int) -> bytes:
    """Return the details that tell an exporter when to come back."""
    detail = Any()
    detail.Pack(RetryInfo(retry_delay=Duration(seconds=seconds)))
    return bytes(Status(code=code.value[0], message=str(error), details=[detail]).SerializeToString())
