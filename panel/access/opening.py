"""How far the panel is open: to this machine, or to a network, and under which names. From the environment.

It binds sockets and looks at the machine's addresses; it knows no password and no role.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Self

import psutil

from panel.access.errors import BadOpening
from panel.access.hosts import LOOPBACK
from stack.endpoints import HOST

VARIABLE = "FIREDRILL_PANEL_HOST"
NAMES = "FIREDRILL_PANEL_NAMES"
OPTION = "--panel-host"
NO_ADDRESS = (
    "this machine has no such address ({reason}); give one of its own (`ip address` shows them), or 0.0.0.0 for all"
)
EVERY = frozenset({"0.0.0.0", "::"})  # noqa: S104 - opened on purpose, by whoever says so
_VIRTUAL = ("docker", "br-", "veth", "virbr", "lo")
_BACKLOG = 2048


@dataclass(frozen=True)
class Opening:
    """``host`` is empty (loopback), an address of this machine, or ``0.0.0.0`` or ``::`` for all of them.

    ``names`` are further hosts that browsers may use, such as that of a proxy. ``listen`` is where a container's panel
    listens in any case: what is published of it is for whoever starts the container to say.
    """

    host: str = ""
    names: tuple[str, ...] = ()
    listen: str = HOST

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Return what ``FIREDRILL_PANEL_HOST`` and ``FIREDRILL_PANEL_NAMES`` (by commas) say."""
        names = (name.strip() for name in environment.get(NAMES, "").split(","))
        return cls(
            host=environment.get(VARIABLE, "").strip(),
            names=tuple(name for name in names if name),
            listen=environment.get("FIREDRILL_LISTEN") or HOST,
        )

    @property
    def opened(self) -> bool:
        """Whether anyone but this machine can reach it, by itself or by what goes before it: everyone then logs in."""
        return self.listens_to_network or bool(self.names)

    @property
    def listens_to_network(self) -> bool:
        """Whether it listens on more than loopback."""
        return bool(self.host) and self.host not in LOOPBACK

    def sockets(self, port: int) -> list[socket.socket]:
        """Return the sockets that the panel listens on, loopback among them; raise ``BadOpening`` where one fails.

        With port 0 it is only tried whether this machine has the address, before anything is started.
        """
        addresses = {HOST, self.host} if self.listens_to_network else {self.listen}
        if every := EVERY & {self.host, self.listen}:
            addresses = {max(every)}  # both: the one that takes IPv6 too
        found: list[socket.socket] = []
        try:
            found.extend(_bound(address, port) for address in sorted(addresses))
        except OSError as problem:
            for each in found:
                each.close()
            reason = problem.strerror or str(problem)
            what = f"cannot listen on port {port} there ({reason})" if port else NO_ADDRESS.format(reason=reason)
            raise BadOpening(VARIABLE if port else OPTION, self.host or HOST, what) from problem
        return found

    def sites(self, port: int) -> tuple[str, ...]:
        """Return the addresses to tell others: the given names, else what this machine is called in its networks.

        A name for a panel that listens on loopback alone is that of a proxy, which speaks TLS.
        """
        if self.names and not self.listens_to_network:
            return tuple(f"https://{name}" for name in self.names)
        hosts = self.names or (tuple(_of_this_machine()) if self.host in EVERY else ()) or (self.host or HOST,)
        return tuple(site(host, port) for host in hosts)


def site(host: str, port: int) -> str:
    """Return the address of a host's ``port``, as it is typed into a browser."""
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _bound(address: str, port: int) -> socket.socket:
    family, *_, where = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(address != "::"))
        bound.bind(where)
        bound.listen(_BACKLOG)
        bound.setblocking(False)  # noqa: FBT003 - the standard library's own signature
    except OSError:
        bound.close()
        raise
    return bound


def _of_this_machine() -> Iterator[str]:
    """Yield the IPv4 addresses of interfaces that are up, without those of containers and virtual machines."""
    states = psutil.net_if_stats()
    for name, addresses in psutil.net_if_addrs().items():
        if name.startswith(_VIRTUAL) or name not in states or not states[name].isup:
            continue
        for each in addresses:
            if each.family == socket.AF_INET and not each.address.startswith("127."):
                yield each.address
