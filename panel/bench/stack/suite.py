"""All figures of the stack, in one run."""

from __future__ import annotations

from collections.abc import Callable

from panel.bench.figures import Figure
from panel.bench.stack.containers import measure_containers
from panel.bench.stack.ingest import measure_ingest
from panel.bench.stack.search import measure_search


def measure(say: Callable[[str], None]) -> list[Figure]:
    """Measure ingest, search and a start in containers; raise ``CommandError`` where something did not work."""
    return [*measure_ingest(say), *measure_search(say), *measure_containers(say)]
