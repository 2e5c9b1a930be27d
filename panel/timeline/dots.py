"""Exemplars: single requests that lead from a chart to their traces. No Streamlit."""

from __future__ import annotations

from collections.abc import Iterable

from panel.timeline.range import Grid
from panel.timeline.story import Dot
from stack.clients.prometheus import Exemplar, PrometheusClient
from stack.selectors import PREDICTION_ENDPOINTS

MOST_DOTS = 40
"""More than this would be a cloud: of each of so many equal stretches the slowest request stands."""
_LATENCY = f'http_request_duration_seconds_bucket{{job="firedrill",{PREDICTION_ENDPOINTS}}}'
_TRACE_LABELS = ("trace_id", "traceID")


def read_dots(prometheus: PrometheusClient, grid: Grid) -> tuple[Dot, ...]:
    """Return exemplars of the latency of predictions within ``grid``, oldest first. Raises ``SourceError``."""
    return slowest(prometheus.exemplars(_LATENCY, grid.start, grid.end), grid)


def slowest(exemplars: Iterable[Exemplar], grid: Grid, most: int = MOST_DOTS) -> tuple[Dot, ...]:
    """Return the slowest exemplar with a trace of each of ``most`` equal stretches of ``grid``, oldest first."""
    width_s = max(grid.end - grid.start, grid.step_s) / most
    best: dict[int, Dot] = {}
    for each in exemplars:
        trace_id = next((each.labels[name] for name in _TRACE_LABELS if name in each.labels), "")
        if not trace_id or not grid.start <= each.time <= grid.end:
            continue
        place = int(each.time // width_s)  # counted from the epoch: a dot stays chosen while the chart moves on
        if place not in best or each.value > best[place].value:
            best[place] = Dot(each.time, each.value, trace_id)
    return tuple(best[place] for place in sorted(best))
