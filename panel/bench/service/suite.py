"""All figures of the service, in one run.

Everything is compared in one run on one machine, in rounds that take turns, so that what slows one slows the other.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from panel.bench.figures import Figure
from panel.bench.service import batching, comparison, drift, scrape
from panel.bench.service.contenders import Bench
from panel.bench.service.processes import Cores


def measure(say: Callable[[str], None]) -> list[Figure]:
    """Train the models, then measure; raise ``CommandError`` where something did not work."""
    with tempfile.TemporaryDirectory(prefix="firedrill-bench-", ignore_cleanup_errors=True) as folder:
        bench = Bench(Path(folder), Cores.of_this_machine())
        say("training the models")
        models = bench.train()
        with bench.sink() as sink:
            return [
                *comparison.measure(bench, sink, say),
                *batching.measure(bench, sink, say),
                *scrape.measure(bench, sink, models, say),
                *drift.measure(bench, say),
            ]
