"""By which names the panel may be called, so that no page of another site reaches it through the visitor's browser.

A site whose name is made to point at a private address (DNS rebinding) sends its own name as ``Host``; a page of
another site sends its own address as ``Origin``. Both are looked at before anything else. Nothing here knows a role.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def host_of(header: str) -> str | None:
    """Return the host in a ``Host`` header, in lower case and without its port; ``None`` for what is no host."""
    try:
        parts = urlsplit(f"//{header}")
        _ = parts.port  # raises where it is no number
    except ValueError:
        return None
    if parts.netloc != header or "@" in header or not parts.hostname:
        return None
    return parts.hostname.lower().rstrip(".")  # urlsplit leaves what follows a % as it is


def own_names() -> frozenset[str]:
    """Return the names under which a local network knows this machine."""
    name = socket.gethostname().lower().rstrip(".")
    return frozenset({name, f"{name.partition('.')[0]}.local"} if name else ())


class Hosts:
    """Which hosts and origins are the panel's own.

    On loopback: its names alone. Opened to a network: any address written in numbers, since only a name can be made to
    point elsewhere, and this machine's names. ``names`` are allowed besides, for a reverse proxy for example.
    """

    def __init__(self, *, opened: bool, names: Iterable[str] = ()) -> None:
        self._opened = opened
        self._given = frozenset(name.lower().rstrip(".") for name in names if name)
        self._allowed = LOOPBACK | self._given | (own_names() if opened else frozenset())

    def allows(self, header: str | None) -> bool:
        """Say whether a request with this ``Host`` header is meant for the panel."""
        host = host_of(header) if header else None
        return host is not None and (host in self._allowed or (self._opened and _is_address(host)))

    def same_site(self, origin: str | None, header: str | None) -> bool:
        """Say whether a request with this ``Origin`` comes from the panel's own pages, or from no page at all."""
        if origin is None:
            return True
        try:
            parts = urlsplit(origin)
        except ValueError:
            return False
        if parts.scheme not in {"http", "https"} or not parts.netloc:
            return False
        return parts.netloc.lower() == (header or "").lower() or parts.hostname in self._given


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
