"""Spans on a virtual clock: counted as the exporter would, kept where a report wants them, sent nowhere.

Where nothing is kept a request has one span that records nothing, in the place of its descendants too: they are told
from each other only in number, which is all that the exporter's counters, and the faults that lose spans, need. A span
is kept with all of its trace or not at all. None is marked as sampled: metrics would note it as an exemplar, which
nobody scrapes here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from opentelemetry.context import Context
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    Tracer,
    TracerProvider,
    get_current_span,
    use_span,
)
from opentelemetry.util._decorator import _agnosticcontextmanager
from opentelemetry.util.types import Attributes, AttributeValue
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from service.ids import IdSource
from service.telemetry.export import Drop, Failure
from stack.clients import traces

MOST_KEPT = 200_000
"""Spans that one world keeps at most."""


class Shelf:
    """The spans that are kept of one world, through all lives of its service, from ``open`` on."""

    def __init__(self, *, open_: bool) -> None:
        self.is_open = open_
        self.spans: list[KeptSpan] = []

    def open(self) -> None:
        """Keep the traces that begin from now on."""
        self.is_open = True

    def put(self, span: KeptSpan) -> None:
        """Keep a span, unless they are too many."""
        if len(self.spans) < MOST_KEPT:
            self.spans.append(span)


class Collected:
    """What the collector of one start of the service would have got: numbers, and the spans that are kept."""

    def __init__(self, passes: Callable[[], bool], shelf: Shelf | None) -> None:
        """Ask ``passes`` of each finished span; one that does not pass is lost."""
        self._passes, self.shelf = passes, shelf
        self.exported = self.dropped = 0

    def take(self, span: KeptSpan | None) -> None:
        """Take a finished span, or lose it."""
        if not self._passes():
            self.dropped += 1
            return
        self.exported += 1
        if span is not None and self.shelf is not None:
            self.shelf.put(span)


class CountedSpan(NonRecordingSpan):
    """The spans of one trace: it records nothing, and counts one whenever one of them ends."""

    def __init__(self, context: SpanContext, collected: Collected) -> None:
        super().__init__(context)
        self._collected = collected

    def end(self, end_time: int | None = None) -> None:  # noqa: ARG002 - the API's signature
        """Count it."""
        self._collected.take(None)


@dataclass(eq=False)
class KeptSpan(Span):
    """A span that is kept as it is. Times in nanoseconds since the epoch."""

    collected: Collected
    name: str
    parent_id: int
    context: SpanContext
    start_ns: int
    end_ns: int = 0
    failed: bool = False
    attributes: dict[str, AttributeValue] = field(default_factory=dict)
    events: list[traces.SpanEvent] = field(default_factory=list)

    def get_span_context(self) -> SpanContext:
        """Return its ids."""
        return self.context

    def is_recording(self) -> bool:
        """Return whether it has not ended."""
        return not self.end_ns

    def set_attribute(self, key: str, value: AttributeValue) -> None:
        """Set an attribute."""
        self.attributes[key] = value

    def set_attributes(self, attributes: Mapping[str, AttributeValue]) -> None:
        """Set attributes."""
        self.attributes.update(attributes)

    def add_event(self, name: str, attributes: Attributes = None, timestamp: int | None = None) -> None:
        """Add an event."""
        said = {key: str(value) for key, value in (attributes or {}).items()}
        self.events.append(traces.SpanEvent((timestamp or self.start_ns) / 1e9, name, said))

    def update_name(self, name: str) -> None:
        """Give it another name."""
        self.name = name

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:  # noqa: ARG002 - the API's
        """Set whether it failed."""
        code = status.status_code if isinstance(status, Status) else status
        self.failed = self.failed or code is StatusCode.ERROR

    def record_exception(
        self,
        exception: BaseException,
        attributes: Attributes = None,  # noqa: ARG002 - the API's
        timestamp: int | None = None,
        escaped: bool = False,  # noqa: ARG002 - as above
    ) -> None:
        """Add an exception as an event."""
        said = {"exception.type": type(exception).__name__, "exception.message": str(exception)}
        self.add_event("exception", said, timestamp)

    def end(self, end_time: int | None = None) -> None:
        """End it; only the first call counts."""
        if not self.end_ns:
            self.end_ns = end_time or self.start_ns
            self.collected.take(self)

    def as_span(self, service: str) -> traces.Span:
        """Return it as a trace store would show it."""
        return traces.Span(
            span_id=f"{self.context.span_id:016x}",
            parent_id=f"{self.parent_id:016x}" if self.parent_id else None,
            operation=self.name,
            service=service,
            start=self.start_ns / 1e9,
            duration_s=(self.end_ns - self.start_ns) / 1e9,
            tags={key: str(value) for key, value in self.attributes.items()},
            events=tuple(self.events),
            error=self.failed,
        )


class VirtualTracer(Tracer):
    """Starts spans whose end is counted."""

    def __init__(self, collected: Collected, ids: IdSource) -> None:
        self._collected, self._ids = collected, ids

    def start_span(  # noqa: PLR0917 - the API's signature
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,  # noqa: ARG002 - the API's
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,  # noqa: ARG002 - as above
        start_time: int | None = None,
        record_exception: bool = True,  # noqa: ARG002 - as above
        set_status_on_exception: bool = True,  # noqa: ARG002 - as above
    ) -> Span:
        """Return a new span below the one in ``context``, by default the current one."""
        above = get_current_span(context)
        if isinstance(above, CountedSpan):
            return above
        ids, collected = self._ids, self._collected
        parent = above.get_span_context()
        trace_id = parent.trace_id if parent.is_valid else ids.generate_trace_id()
        own = SpanContext(trace_id, ids.generate_span_id(), is_remote=False)
        if collected.shelf is None or not collected.shelf.is_open:
            return CountedSpan(own, collected)
        parent_id = parent.span_id if parent.is_valid else 0
        return KeptSpan(
            collected, name, parent_id, own, start_time or 0, attributes=dict(attributes) if attributes else {}
        )

    @_agnosticcontextmanager
    def start_as_current_span(  # noqa: PLR0917 - as above
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
        end_on_exit: bool = True,
    ) -> Iterator[Span]:
        """Yield a new span as the current one."""
        span = self.start_span(name, context, kind, attributes, links, start_time)
        with use_span(span, end_on_exit, record_exception, set_status_on_exception):
            yield span


class VirtualTracerProvider(TracerProvider):
    """Hands out tracers of one start of the service."""

    def __init__(self, collected: Collected, ids: IdSource) -> None:
        self._tracer = VirtualTracer(collected, ids)

    def get_tracer(
        self,
        instrumenting_module_name: str,  # noqa: ARG002 - the API's; there is one scope
        instrumenting_library_version: str | None = None,  # noqa: ARG002 - as above
        schema_url: str | None = None,  # noqa: ARG002 - as above
        attributes: Attributes = None,  # noqa: ARG002 - as above
    ) -> Tracer:
        """Return the tracer."""
        return self._tracer


class ExportCounts(Collector):
    """The exporter's metrics, of a collector that takes everything at once."""

    def __init__(self, spans: Collected, records: Callable[[], int], queue_limit: int) -> None:
        """Ask ``records`` how many log records there were."""
        self._spans, self._records, self._limit = spans, records, queue_limit

    def collect(self) -> Iterator[Metric]:
        """Yield the families of ``service.telemetry.export.ExportCollector``."""
        exported = CounterMetricFamily("otel_exported_items", "Taken by the collector.", labels=["signal"])
        failures = CounterMetricFamily("otel_export_failures", "Exports that failed.", labels=["signal", "reason"])
        dropped = CounterMetricFamily("otel_dropped_items", "Lost.", labels=["signal", "reason"])
        queued = GaugeMetricFamily("otel_export_queue_size", "Items that wait.", labels=["signal"])
        limit = GaugeMetricFamily("otel_export_queue_limit", "Waiting items at most.", labels=["signal"])
        for signal, taken, lost in (
            ("traces", self._spans.exported, self._spans.dropped),
            ("logs", self._records(), 0),
        ):
            exported.add_metric([signal], taken)
            queued.add_metric([signal], 0)
            limit.add_metric([signal], self._limit)
            for failure in Failure:
                failures.add_metric([signal, failure], 0)
            for why in Drop:
                dropped.add_metric([signal, why], lost if why is Drop.FILTERED else 0)
        yield from (exported, failures, dropped, queued, limit)
