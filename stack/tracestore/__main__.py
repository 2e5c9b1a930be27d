"""``python -m stack.tracestore``: the trace store as a process, on the ports of the stack that started it."""

from __future__ import annotations

import logging
import socket
import sys

import uvicorn
from prometheus_client import CollectorRegistry, disable_created_metrics

from stack.endpoints import HOST
from stack.home import Home, endpoints_from_environment
from stack.tracestore.app import create_app
from stack.tracestore.errors import PortUnavailable, TraceStoreError
from stack.tracestore.grpc_receiver import GrpcReceiver
from stack.tracestore.limits import Limits
from stack.tracestore.store import TraceStore
from stack.tracestore.telemetry import StoreMetrics

SHUTDOWN_S = 5


def listen(port: int, host: str = HOST) -> socket.socket:
    """Return a listening socket, on loopback where no ``host`` is given; raise ``PortUnavailable``."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(256)
    except OSError as error:
        listener.close()
        raise PortUnavailable(host, port, error.strerror or str(error)) from error
    return listener


def main() -> int:
    """Serve until a signal ends it; return the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    disable_created_metrics()  # type: ignore[no-untyped-call]  # they double what is scraped, and nothing reads them
    endpoints = endpoints_from_environment()
    metrics = StoreMetrics(CollectorRegistry())
    try:
        store = TraceStore(Home.from_environment().data / "traces" / "traces.db", Limits.from_environment(), metrics)
        listeners = [listen(endpoints.port(name), endpoints.listen) for name in ("tracestore", "otlp")]
        receiver = GrpcReceiver(store, metrics)
        receiver.bind(endpoints.listen, endpoints.port("otlp_grpc"))
    except TraceStoreError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    app = create_app(store, metrics, otlp_port=endpoints.port("otlp"), hosts=endpoints.names, beside=receiver.serving)
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=SHUTDOWN_S
    )
    server = uvicorn.Server(config)
    logging.getLogger(__name__).info(
        "traces at %s, OTLP/HTTP at %s, OTLP/gRPC at %s",
        endpoints.url("tracestore", "/"),
        endpoints.url("otlp"),
        endpoints.address("otlp_grpc"),
    )
    server.run(sockets=listeners)
    return 0 if server.started else 1


if __name__ == "__main__":
    sys.exit(main())
