"""Names, ports and URLs of everything that listens.

This is the one place where a port number stands. It is a leaf: it imports nothing of Firedrill.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
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
        "otlp_grpc": 4317,
        "jaeger_grpc": 16685,
        "jaeger_metrics": 8888,
        "jaeger_health": 13133,
        "node": 9100,
        "grafana": 3000,
        "loki": 3100,
        "mlflow": 5000,
        "own_prometheus": 9190,
        "own_alertmanager": 9193,
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
    """Where each part of one stack listens: the table above, moved by ``offset`` ports, on loopback.

    A name is a key of ``PORTS``, or one of ``of_replicas``. In containers the parts are on ``hosts`` (by name, loopback
    where it is not named) and listen on ``listen``; the ports that they are published at are moved by ``published``.
    """

    offset: int = 0
    hosts: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), hash=False)
    listen: str = HOST
    published: int | None = None

    def port(self, name: str) -> int:
        """Return the TCP port of ``name``."""
        base, _, index = name.partition("#")
        return PORTS[base] + int(index or 0) + self.offset

    @property
    def names(self) -> frozenset[str]:
        """The hosts, other than loopback, that parts of this stack call each other by."""
        return frozenset(self.hosts.values())

    def host(self, name: str) -> str:
        """Return the host that ``name`` is reached at."""
        return self.hosts.get(name.partition("#")[0], HOST)

    def address(self, name: str) -> str:
        """Return ``host:port`` of ``name``."""
        return f"{self.host(name)}:{self.port(name)}"

    def url(self, name: str, path: str = "") -> str:
        """Return the HTTP URL of ``path`` at ``name``, for another part of the stack."""
        return f"http://{self.address(name)}{path}"

    def link(self, name: str, path: str = "") -> str:
        """Return the HTTP URL of ``path`` at ``name``, for a browser on this machine."""
        offset = self.offset if self.published is None else self.published
        return f"http://{HOST}:{self.port(name) - self.offset + offset}{path}"
