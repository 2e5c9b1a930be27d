"""What the injector does, as metrics on the service's registry and as events on the spans that a fault hit.

Nothing is done per injection for the metrics: they are read from the injector at scrape time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from opentelemetry import trace
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector
from pydantic import JsonValue

from faults.acts import Injection
from faults.injector import Injector

BESIDE_CALLS = frozenset({"host", "spans"})
"""Points where no call is hit: whatever span is the current one has nothing to do with it."""


class FaultCollector(Collector):
    """``firedrill_fault_active`` and ``firedrill_fault_injections_total`` for each kind of its process, born with 0."""

    def __init__(self, injector: Injector) -> None:
        self._injector = injector

    def collect(self) -> Iterator[Metric]:
        """Yield both families."""
        active, injections = self._injector.active(), self._injector.injections()
        gauge = GaugeMetricFamily("firedrill_fault_active", "Active faults.", labels=["kind"])
        counter = CounterMetricFamily("firedrill_fault_injections", "Calls that a fault acted on.", labels=["kind"])
        for kind in self._injector.names():
            gauge.add_metric([kind], active.get(kind, 0))
            counter.add_metric([kind], injections.get(kind, 0))
        yield gauge
        yield counter


def span_marker(now: Callable[[], float]) -> Callable[[Injection], None]:
    """Return what adds a ``fault.injected`` event, at ``now()`` Unix seconds, to the current OpenTelemetry span."""

    def mark(injection: Injection) -> None:
        span = trace.get_current_span()
        if span.is_recording() and injection.point not in BESIDE_CALLS:
            attributes = {f"fault.parameters.{name}": _plain(value) for name, value in injection.parameters.items()}
            attributes |= {"fault.id": injection.fault_id, "fault.kind": injection.kind, "fault.point": injection.point}
            span.add_event("fault.injected", attributes, timestamp=int(now() * 1e9))

    return mark


def _plain(value: JsonValue) -> str | bool | int | float:
    """Return ``value`` as a span attribute; lists and the like as JSON."""
    return value if isinstance(value, str | bool | int | float) else json.dumps(value)
