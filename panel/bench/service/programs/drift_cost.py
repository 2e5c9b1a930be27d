"""``python -m panel.bench.service.programs.drift_cost ARTIFACTS``: µs that the drift check of one housing row takes.

The work on windows that is put off until some rows have come is in it: whole blocks of requests are timed.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

from prometheus_client import CollectorRegistry

from service.drift import DriftMonitor
from service.models import store
from service.models.profiles import profile_named
from service.telemetry.metrics import Metrics

BLOCKS = 9
REQUESTS = 4096


def main(artifacts: Path) -> float:
    """Return the median over blocks of the time for one request, in µs."""
    profile = profile_named("housing")
    model = store.load(profile, store.artifact_dir(artifacts, profile))
    features = model.statistics.features
    series = Metrics(CollectorRegistry()).declare_version(
        model.name, model.version, model.classes, [feature.name for feature in features]
    )
    monitor = DriftMonitor(features, series)
    requests = [[list(row)] for row in model.statistics.examples]
    times = []
    for _ in range(BLOCKS):
        block = [requests[number % len(requests)] for number in range(REQUESTS)]
        started = time.perf_counter()
        for rows in block:
            monitor.check(rows)
        times.append((time.perf_counter() - started) / REQUESTS * 1e6)
    return statistics.median(times)


if __name__ == "__main__":
    sys.stdout.write(f"{main(Path(sys.argv[1])):.3f}\n")
