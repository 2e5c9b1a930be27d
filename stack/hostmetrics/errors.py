"""What can go wrong in the host metrics. Every subclass takes facts and builds its own message."""

from __future__ import annotations

from stack.errors import StackError


class HostMetricsError(StackError):
    """Base of all errors of the host metrics."""


class BadAddress(HostMetricsError):  # noqa: N818 - reads as a fact where it is raised
    """An address to listen on that is none."""

    def __init__(self, text: str) -> None:
        super().__init__(f"--listen {text}: give HOST:PORT, such as 127.0.0.1:9100")


class PortUnavailable(HostMetricsError):  # noqa: N818 - as above
    """An address that cannot be listened on."""

    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__(
            f"the host metrics cannot listen on {host}:{port} ({reason}); stop what holds the port, such as a "
            "node_exporter, or move all ports with `firedrill up --port-offset`"
        )
