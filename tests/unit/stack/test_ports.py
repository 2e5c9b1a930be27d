"""Free and busy ports, and what is said of them."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from stack import ports
from stack.endpoints import HOST, Endpoints
from tests.ports import free_endpoints

WANTED = {"prometheus": "prometheus", "control": "service"}


@contextmanager
def listening(address: str, port: int) -> Iterator[None]:
    """Hold a port."""
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind((address, port))
        holder.listen()
        yield


@pytest.fixture
def offset() -> int:
    """Return an offset at which all ports are free now."""
    return free_endpoints().offset


@pytest.mark.parametrize("address", [HOST, "0.0.0.0"])  # noqa: S104 - a stranger may well listen everywhere
def test_a_held_port_is_not_free(offset: int, address: str) -> None:
    """A port counts as busy while somebody listens there, on loopback or on every address, and as free afterwards."""
    port = Endpoints(offset).port("prometheus")
    assert ports.is_free(port)
    with listening(address, port):
        assert not ports.is_free(port)
        assert ports.holder_of(port).pid == os.getpid()
    assert ports.is_free(port)


def test_busy_ports_are_all_named_with_holder_and_remedy(offset: int) -> None:
    """The message has every busy port, its component, the holder's id and command line, and an offset that is free."""
    endpoints = Endpoints(offset)
    with (
        listening(HOST, endpoints.port("prometheus")),
        listening(HOST, endpoints.port("control")),
        pytest.raises(ports.PortBusy) as caught,
    ):
        ports.check_ports(endpoints, WANTED)
    message = str(caught.value)
    assert f"port {endpoints.port('prometheus')} (prometheus) is in use by pid {os.getpid()}" in message
    assert f"port {endpoints.port('control')} (service)" in message
    assert " ".join(psutil.Process().cmdline())[:40] in message
    assert caught.value.free_offset is not None
    ports.check_ports(Endpoints(caught.value.free_offset), WANTED)


def test_a_holder_that_may_not_be_seen_is_said_to_be_so(offset: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system hides other users' sockets, the message still names the port and how to find out."""

    def refuse(_kind: str) -> None:
        raise psutil.AccessDenied

    monkeypatch.setattr(psutil, "net_connections", refuse)
    port = Endpoints(offset).port("prometheus")
    with listening(HOST, port), pytest.raises(ports.PortBusy, match=f"port {port} .*not visible to this user"):
        ports.check_ports(Endpoints(offset), WANTED)


@pytest.mark.parametrize("offset", [-3000, 65535 - 16686 + 1])
def test_an_offset_that_leaves_the_range_of_ports_is_refused(offset: int) -> None:
    """An offset beyond what TCP has is refused with the numbers that are allowed."""
    with pytest.raises(ports.OffsetOutOfRange, match="from -2999 to 48849"):
        ports.check_ports(Endpoints(offset), WANTED)
