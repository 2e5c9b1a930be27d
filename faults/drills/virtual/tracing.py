"""The service's tracing in a virtual world: spans that nobody keeps are counted, and cost no more than that.

Who asks for the current span finds one that records nothing, or none. It keeps no span: ``spans`` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType

from opentelemetry.trace import Span, SpanContext, get_current_span

from faults.drills.virtual.spans import Collected, CountedSpan, KeptSpan, VirtualTracerProvider
from service.clock import Clock
from service.ids import IdSource
from service.telemetry.tracing import ActiveSpan, Attributes, Tracing


class CountedBlock(ActiveSpan):
    """A span that is counted when its block ends, however that comes about. It is not the current one inside."""

    __slots__ = ()

    def __enter__(self) -> Span:
        return self.span

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.span.end()


class VirtualTracing(Tracing):
    """Counts spans as long as none is kept; from then on it starts them as live."""

    def __init__(self, collected: Collected, ids: IdSource, clock: Clock) -> None:
        super().__init__(VirtualTracerProvider(collected, ids), clock)
        self._collected, self._ids, self._now = collected, ids, clock
        nowhere = SpanContext(1, 1, is_remote=False)
        self._block = CountedBlock(CountedSpan(nowhere, collected), clock)

    def server(self, name: str, carrier: Mapping[str, str], attributes: Attributes) -> ActiveSpan:
        """Return the server span of a request, which has ids of its own whether or not it is kept."""
        if self._keeps or carrier:
            return super().server(name, carrier, attributes)
        ids = self._ids
        own = SpanContext(ids.generate_trace_id(), ids.generate_span_id(), is_remote=False)
        return CountedBlock(CountedSpan(own, self._collected), self._now)

    def stage(self, name: str, attributes: Attributes | None = None, *, current: bool = True) -> ActiveSpan:
        """Return a span below the current one, of which nothing but the number is known where that is not kept."""
        if self._keeps and isinstance(get_current_span(), KeptSpan):
            return super().stage(name, attributes, current=current)
        return self._block

    @property
    def _keeps(self) -> bool:
        """Whether traces that begin now are kept."""
        shelf = self._collected.shelf
        return shelf is not None and shelf.is_open
