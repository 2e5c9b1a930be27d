"""A trace store of the benchmark's own, as the supervisor would start it, on one core and free ports."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from panel.bench.service.processes import Cores, Server, serving
from panel.commands.console import CommandError
from stack.endpoints import Endpoints
from stack.ports import free_offset

ROOT = Path(__file__).resolve().parents[3]
PORTS = ("tracestore", "otlp", "otlp_grpc")
MAX_BYTES = 8 * 1024**3
"""So much that nothing is deleted while the benchmark runs."""


@dataclass(frozen=True)
class Store:
    """A running trace store."""

    server: Server
    endpoints: Endpoints

    def value(self, name: str, **labels: str) -> float:
        """Return one of its own metrics, summed over the labels that are not given."""
        text = self.server.get("/metrics").decode()
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )


@contextmanager
def trace_store(folder: Path) -> Iterator[Store]:
    """Run a trace store whose data lie in ``folder``, on the first core alone where the system lets us choose."""
    offset = free_offset(1000, {name: name for name in PORTS})
    if offset is None:
        raise CommandError("found no free ports for the benchmark's trace store; stop other stacks first")
    endpoints = Endpoints(offset)
    with serving(
        "trace store",
        [sys.executable, "-m", "stack.tracestore"],
        port=endpoints.port("tracestore"),
        ready="/health",
        core=Cores.of_this_machine().server,
        folder=folder,
        environment={
            "PYTHONPATH": str(ROOT),
            "FIREDRILL_HOME": str(folder / "home"),
            "FIREDRILL_PORT_OFFSET": str(offset),
            "TRACESTORE_MAX_BYTES": str(MAX_BYTES),
        },
    ) as server:
        yield Store(server, endpoints)
