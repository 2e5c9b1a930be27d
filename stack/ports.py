"""Are the ports free, and who holds them if not? Looked at before anything starts; nothing here keeps a port."""

from __future__ import annotations

import errno
import socket
from collections.abc import Mapping
from dataclasses import dataclass

import psutil

from stack.endpoints import HOST, PORTS, Endpoints
from stack.errors import StackError

OFFSET_STEP = 1000
HIGHEST_PORT = 65535


@dataclass(frozen=True)
class PortHolder:
    """The process that listens on a port. ``pid`` is ``None`` where the system does not let us see it."""

    pid: int | None
    command: str


@dataclass(frozen=True)
class TakenPort:
    """A port that a component needs and another process has."""

    port: int
    component: str
    holder: PortHolder


class PortBusy(StackError):  # noqa: N818 - reads as a fact where it is raised
    """Ports of this stack are held by other processes."""

    def __init__(self, taken: tuple[TakenPort, ...], free_offset: int | None) -> None:
        self.taken, self.free_offset = taken, free_offset
        lines = [f"port {t.port} ({t.component}) is in use by {_describe(t.holder)}" for t in taken]
        remedy = "stop what holds it, or move all ports with `firedrill up --port-offset N`"
        if free_offset is not None:
            remedy = f"stop what holds it, or move all ports: `firedrill up --port-offset {free_offset}`"
        super().__init__("; ".join(lines) + "; " + remedy)


class OffsetOutOfRange(StackError):  # noqa: N818 - as above
    """The offset moves a port beyond what TCP has."""

    def __init__(self, offset: int) -> None:
        lowest, highest = 1 - min(PORTS.values()), HIGHEST_PORT - max(PORTS.values())
        super().__init__(f"port offset {offset} is out of range; use a number from {lowest} to {highest}")


def _describe(holder: PortHolder) -> str:
    if holder.pid is None:
        return "another process (not visible to this user; see `ss -ltnp` or `lsof -i` as root)"
    return f"pid {holder.pid}: `{holder.command}`"


def is_free(port: int) -> bool:
    """Tell whether a server could listen on ``port`` of the loopback address now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen(1)
        except OSError as error:
            if error.errno in {errno.EADDRINUSE, errno.EACCES}:
                return False
            raise
    return True


def holder_of(port: int) -> PortHolder:
    """Return who listens on ``port``, as far as this user may know."""
    try:
        listening = [c for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
    except psutil.AccessDenied:
        return PortHolder(None, "")
    for connection in listening:
        if connection.laddr and connection.laddr[1] == port and connection.pid is not None:
            try:
                command = " ".join(psutil.Process(connection.pid).cmdline())
            except psutil.Error:
                command = "?"
            return PortHolder(connection.pid, command if len(command) <= 200 else command[:197] + "...")
    return PortHolder(None, "")


def check_ports(endpoints: Endpoints, wanted: Mapping[str, str]) -> None:
    """Raise ``PortBusy`` unless every port is free. ``wanted`` maps a port's name to the component that needs it."""
    numbers = [endpoints.port(name) for name in PORTS]
    if min(numbers) < 1 or max(numbers) > HIGHEST_PORT:
        raise OffsetOutOfRange(endpoints.offset)
    taken = tuple(
        TakenPort(endpoints.port(name), component, holder_of(endpoints.port(name)))
        for name, component in wanted.items()
        if not is_free(endpoints.port(name))
    )
    if taken:
        raise PortBusy(taken, free_offset(endpoints.offset, wanted))


def free_offset(start: int, wanted: Mapping[str, str]) -> int | None:
    """Return an offset at which every wanted port is free, in steps of 1000 above ``start``, else ``None``."""
    highest = HIGHEST_PORT - max(PORTS.values())
    for offset in range(max(start, 0) + OFFSET_STEP, highest + 1, OFFSET_STEP):
        if all(is_free(Endpoints(offset).port(name)) for name in wanted):
            return offset
    return None
