"""Names, ports and URLs of everything that listens.

This is the one place where a port number stands. It is a leaf: it imports nothing of Firedrill.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

HOST = "127.0.0.1"

PORTS: Mapping[str, int] = MappingProxyType(
    {
        "service": 8000,
        "control": 8600,
        "replica": 8620,
        "conductor": 8700,
        "traffic": 8710,
        "panel": 8501,
        "prometheus": 9090,
        "alertmanager": 9093,
        "tracestore": 16686,
        "otlp": 4318,
    }
)
MAX_REPLICAS = 16
"""So many ports follow on ``control`` and on ``replica``: one for each replica of the service."""


def of_replicas(name: str, workers: int) -> tuple[str, ...]:
    """Return the names of the port ``name`` of each of so many replicas, ``name#0`` and so on; of one, ``name``."""
    if workers == 1:
        return (name,)
    return tuple(f"{name}#{index}" for index in range(workers))


@dataclass(frozen=True)
class Endpoints:
    """Where each part of one stack listens: the table above, moved by ``offset`` ports. Loopback only.

    A name is a key of ``PORTS``, or one of ``of_replicas``.
    """

    offset: int = 0

    def port(self, name: str) -> int:
        """Return the TCP port of ``name``."""
        base, _, index = name.partition("#")
        return PORTS[base] + int(index or 0) + self.offset

    def address(self, name: str) -> str:
        """Return ``host:port`` of ``name``."""
        return f"{HOST}:{self.port(name)}"

    def url(self, name: str, path: str = "") -> str:
        """Return the HTTP URL of ``path`` at ``name``."""
        return f"http://{self.address(name)}{path}"
