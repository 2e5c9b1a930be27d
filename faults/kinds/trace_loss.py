"""Trace loss: requests are served, and the spans that tell of them never arrive."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from faults.base import Effect, Fault, Host, Parameters, Point, Preset, register
from faults.hosts import SpanHost


class TraceLossParameters(Parameters):
    """Nothing to set: the share of lost spans is the probability."""


@register
class TraceLoss(Fault[TraceLossParameters]):
    """Drops finished spans on their way to the exporter, each by itself: at half, traces have holes."""

    kind = "trace_loss"
    title = "Trace loss"
    summary = "Finished spans are dropped before they are exported, all of them or a share."
    parameters_type = TraceLossParameters
    effect = Effect(
        promql='sum(rate(otel_dropped_items_total{job="firedrill",signal="traces"}[1m]))',
        moves="up",
        meaning="spans lost, a second",
        unit="1/s",
    )
    presets: ClassVar[Mapping[str, Preset]] = MappingProxyType(
        {
            "No trace at all": Preset(),
            "Traces with holes": Preset(probability=0.5),
        }
    )

    @classmethod
    def unavailable(cls, host: Host) -> str | None:
        """Need spans that would have gone somewhere."""
        fits = isinstance(host, SpanHost) and host.exports_spans
        return None if fits else "it needs a service that exports its spans"

    def points(self, host: Host) -> frozenset[Point]:
        """Act on finished spans."""
        return frozenset({"spans"})

    def on_span(self) -> bool:
        """Lose it."""
        return False
