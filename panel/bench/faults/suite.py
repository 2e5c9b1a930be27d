"""All figures of the faults, in one run."""

from __future__ import annotations

from collections.abc import Callable

from panel.bench.faults import idle, schedule, toggle
from panel.bench.figures import Figure


def measure(say: Callable[[str], None]) -> list[Figure]:
    """Measure; raise ``CommandError`` where something did not work."""
    return [*toggle.measure(say), *idle.measure(say), *schedule.measure(say)]
