"""The sockets of the service process, bound before anything is built, so that a taken port is named at once."""

from __future__ import annotations

import socket

from faults.errors import FaultError
from stack.endpoints import HOST
from stack.ports import holder_of


class PortTaken(FaultError):  # noqa: N818 - reads as a fact where it is raised
    """A port that this process listens on cannot be bound."""

    def __init__(self, name: str, port: int, reason: str) -> None:
        self.name, self.port = name, port
        super().__init__(
            f"cannot listen on {HOST}:{port} ({name}): {reason}; end what holds the port, "
            f"or move all ports with FIREDRILL_PORT_OFFSET or `firedrill up --port-offset N`"
        )


def bind(name: str, port: int, *, shared: bool = False, host: str = HOST) -> socket.socket:
    """Return a socket bound to ``port`` of ``host``, beside other replicas' where ``shared``; raise ``PortTaken``."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        holder = holder_of(port)
        reason = str(error) if holder.pid is None else f"pid {holder.pid} has it ({holder.command})"
        raise PortTaken(name, port, reason) from None
    return bound
