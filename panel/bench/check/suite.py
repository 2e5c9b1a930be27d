"""All figures of virtual drills, in one run. Nothing has to run beforehand, and nothing is left of it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from panel.bench.check.corpus import measure_corpus
from panel.bench.check.drill import measure_drill
from panel.bench.check.judges import measure_judges
from panel.bench.check.memory import measure_memory
from panel.bench.check.sweeping import measure_matrix
from panel.bench.figures import Figure
from stack.home import Home


def measure(say: Callable[[str], None]) -> Iterator[Figure]:
    """Measure in a home of the benchmark's own; raise ``CommandError`` where something did not work.

    The first drill trains the models; it is not counted.
    """
    with tempfile.TemporaryDirectory(prefix="firedrill-bench-", ignore_cleanup_errors=True) as folder:
        home = Home(Path(folder))
        yield from measure_drill(say, home.artifacts)
        yield from measure_matrix(say, home.artifacts)
        yield from measure_judges(say, home.artifacts)
        yield from measure_corpus(say)
        yield from measure_memory(say, home.root)
