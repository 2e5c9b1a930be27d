"""``python -m stack.hostmetrics [--listen HOST:PORT]``: the host metrics as a process, on the stack's own port."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from types import FrameType

from prometheus_client import CollectorRegistry, ProcessCollector

from stack.home import endpoints_from_environment
from stack.hostmetrics.collector import HostCollector
from stack.hostmetrics.errors import BadAddress, HostMetricsError
from stack.hostmetrics.server import HostMetricsServer


def parse_address(text: str) -> tuple[str, int]:
    """Return host and port of ``HOST:PORT``; raise ``BadAddress``."""
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise BadAddress(text)
    return host, int(port)


def build_registry() -> CollectorRegistry:
    """Return a registry of this machine and of this process."""
    registry = CollectorRegistry()
    registry.register(HostCollector())
    ProcessCollector(registry=registry)
    return registry


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


def main(arguments: list[str]) -> int:
    """Serve until a signal ends it; return the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    parser = argparse.ArgumentParser(prog="python -m stack.hostmetrics", description="Serve metrics of this machine.")
    parser.add_argument("--listen", metavar="HOST:PORT", help="instead of the stack's own port on loopback")
    listen = parser.parse_args(arguments).listen
    endpoints = endpoints_from_environment()
    try:
        host, port = parse_address(listen) if listen else (endpoints.listen, endpoints.port("node"))
        server = HostMetricsServer(host, port, build_registry())
    except HostMetricsError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    signal.signal(signal.SIGTERM, _stop)
    logging.getLogger(__name__).info("host metrics at http://%s:%d/metrics", host, server.server_port)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        return 0
    finally:
        server.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
