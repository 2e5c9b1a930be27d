"""OpenTelemetry spans that cost little: the API's ``TracerProvider``, ``Tracer`` and ``Span``, written for one purpose.

What the SDK does for every span (locks, bounded and cleaned attributes, processors, its own metrics) costs more than a
whole request has to spare. These spans keep to the API and to the SDK's semantics (sampling, limits, status, what
happens after the end), which the tests check span by span against the SDK; a finished one goes to a sink as bytes.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType

from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import Decision, Sampler
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
from opentelemetry.trace.span import TraceFlags, TraceState
from opentelemetry.util._decorator import _agnosticcontextmanager
from opentelemetry.util.types import AnyValue, Attributes

from service.ids import IdSource
from service.telemetry import wire

LIMIT = 128
"""Most attributes, events and links of a span, as OpenTelemetry's defaults have it."""

Sink = Callable[[bytes, bytes], None]
"""Takes the scope's and the item's bytes."""

_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_NOT_SAMPLED = TraceFlags(TraceFlags.DEFAULT)


class RecordedSpan(Span):
    """A span that is sampled and will be exported."""

    def __init__(
        self,
        tracer: CheapTracer,
        name: str,
        kind: SpanKind,
        *,
        trace_id: int,
        parent_id: int,
        parent_is_remote: bool,
        trace_state: TraceState | None,
        attributes: Attributes,
        links: Sequence[Link] | None,
        start_ns: int,
    ) -> None:
        self._tracer, self._name, self._kind = tracer, name, kind
        self.trace_id, self.span_id = trace_id, tracer.ids.generate_span_id()
        self._parent_id, self._parent_is_remote = parent_id, parent_is_remote
        self.trace_state, self._start_ns = trace_state, start_ns
        self._attributes: dict[str, AnyValue] = dict(attributes) if attributes else {}
        self._links: Sequence[Link] = tuple(links[-LIMIT:]) if links else ()
        self._events: tuple[wire.Event, ...] = ()
        self._dropped_attributes = self._dropped_events = 0
        self._status = StatusCode.UNSET
        self._description: str | None = None
        self._context: SpanContext | None = None
        self._ended = False
        if len(self._attributes) > LIMIT:
            self._shorten()

    def _shorten(self) -> None:
        """Let the oldest attributes go beyond the limit."""
        surplus = len(self._attributes) - LIMIT
        for key in list(self._attributes)[:surplus]:
            del self._attributes[key]
        self._dropped_attributes += surplus

    def get_span_context(self) -> SpanContext:
        """Return the immutable context, made when first asked for."""
        if self._context is None:
            self._context = SpanContext(
                self.trace_id, self.span_id, is_remote=False, trace_flags=_SAMPLED, trace_state=self.trace_state
            )
        return self._context

    def is_recording(self) -> bool:
        """Return whether the span has not ended."""
        return not self._ended

    def set_attribute(self, key: str, value: AnyValue) -> None:
        """Set an attribute."""
        if not self._ended:
            self._attributes[key] = value
            if len(self._attributes) > LIMIT:
                self._shorten()

    def set_attributes(self, attributes: Attributes) -> None:
        """Set attributes."""
        if not self._ended and attributes:
            self._attributes.update(attributes)
            if len(self._attributes) > LIMIT:
                self._shorten()

    def add_event(self, name: str, attributes: Attributes = None, timestamp: int | None = None) -> None:
        """Add an event, at the clock's time where none is given."""
        if self._ended:
            return
        time_ns = self._tracer.now_ns() if timestamp is None else timestamp
        event: wire.Event = (name, time_ns, dict(attributes) if attributes else {})
        if len(self._events) == LIMIT:
            self._dropped_events += 1
        self._events = (*self._events[-LIMIT + 1 :], event)

    def add_link(self, context: SpanContext, attributes: Attributes = None) -> None:
        """Add a link to another span."""
        if not self._ended and context is not None and (context.is_valid or attributes):
            self._links = (*self._links, Link(context, attributes))[-LIMIT:]

    def update_name(self, name: str) -> None:
        """Give the span another name."""
        if not self._ended:
            self._name = name

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        """Set the status; ``OK`` is final and ``UNSET`` changes nothing."""
        code = status.status_code if isinstance(status, Status) else status
        told = status.description if isinstance(status, Status) else description
        if self._ended or self._status is StatusCode.OK or code is StatusCode.UNSET:
            return
        self._status, self._description = code, told if code is StatusCode.ERROR else None

    def record_exception(
        self,
        exception: BaseException,
        attributes: Attributes = None,
        timestamp: int | None = None,
        escaped: bool = False,
    ) -> None:
        """Add an exception with its stack as an event, by the semantic conventions."""
        kind = type(exception)
        name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
        said: dict[str, AnyValue] = {
            "exception.type": name,
            "exception.message": str(exception),
            "exception.stacktrace": "".join(traceback.format_exception(exception)),
            "exception.escaped": str(escaped),
        }
        self.add_event("exception", said | dict(attributes or {}), timestamp)

    def end(self, end_time: int | None = None) -> None:
        """End the span and hand it on; only the first call counts."""
        if self._ended:
            return
        self._ended = True
        tracer, state = self._tracer, self.trace_state
        tracer.sink(
            tracer.scope,
            wire.span_message(
                trace_id=self.trace_id,
                span_id=self.span_id,
                parent_id=self._parent_id,
                parent_is_remote=self._parent_is_remote,
                trace_state=state.to_header() if state else "",
                flags=TraceFlags.SAMPLED,
                name=self._name,
                kind=self._kind.value,
                start_ns=self._start_ns,
                end_ns=tracer.now_ns() if end_time is None else end_time,
                attributes_=self._attributes,
                dropped_attributes=self._dropped_attributes,
                events=self._events,
                dropped_events=self._dropped_events,
                links=self._links,
                status=self._status,
                description=self._description,
            ),
        )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End, an exception recorded as the SDK does."""
        if error is not None and not self._ended:
            self.record_exception(error, escaped=True)
            self.set_status(StatusCode.ERROR, f"{type(error).__name__}: {error}")
        self.end()


class UnsampledSpan(NonRecordingSpan):
    """The span of a request that is not sampled: it has ids to pass on and records nothing, nor do spans below it."""


class CheapTracer(Tracer):
    """Starts spans of one instrumentation scope.

    The sampler is asked where a trace enters the process; spans below a local one share its fate, which is what each
    of the standard samplers would decide for them too.
    """

    def __init__(self, scope: bytes, sampler: Sampler, ids: IdSource, sink: Sink, now_ns: Callable[[], int]) -> None:
        self.scope, self.ids, self.sink, self.now_ns = scope, ids, sink, now_ns
        self._sampler = sampler

    def start_span(  # noqa: PLR0917 - the API's signature
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        start_time: int | None = None,
        record_exception: bool = True,  # noqa: ARG002 - the API's; it means leaving a ``with`` block of the span
        set_status_on_exception: bool = True,  # noqa: ARG002 - as above
    ) -> Span:
        """Return a new span below the one in ``context``, by default the current one."""
        parent = get_current_span(context)
        if isinstance(parent, UnsampledSpan):
            return parent
        if isinstance(parent, RecordedSpan):
            trace_id, parent_id, remote, state = parent.trace_id, parent.span_id, False, parent.trace_state
        else:
            above = parent.get_span_context()
            trace_id = above.trace_id if above.is_valid else self.ids.generate_trace_id()
            sampled = self._sampler.should_sample(context, trace_id, name, kind, attributes, links)
            state = sampled.trace_state
            if sampled.decision is not Decision.RECORD_AND_SAMPLE:
                span_id = self.ids.generate_span_id()
                return UnsampledSpan(
                    SpanContext(trace_id, span_id, is_remote=False, trace_flags=_NOT_SAMPLED, trace_state=state)
                )
            parent_id, remote = (above.span_id, above.is_remote) if above.is_valid else (0, False)
        return RecordedSpan(
            self,
            name,
            kind,
            trace_id=trace_id,
            parent_id=parent_id,
            parent_is_remote=remote,
            trace_state=state,
            attributes=attributes,
            links=links,
            start_ns=self.now_ns() if start_time is None else start_time,
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


class CheapTracerProvider(TracerProvider):
    """Hands out tracers whose finished spans go to ``sink``."""

    def __init__(self, sampler: Sampler, ids: IdSource, sink: Sink, now_ns: Callable[[], int]) -> None:
        self._sampler, self._ids, self._sink, self._now_ns = sampler, ids, sink, now_ns

    def get_tracer(
        self,
        instrumenting_module_name: str,
        instrumenting_library_version: str | None = None,
        schema_url: str | None = None,  # noqa: ARG002 - the API's; one schema is as good as another here
        attributes: Attributes = None,  # noqa: ARG002 - the API's; scopes have names and versions here
    ) -> Tracer:
        """Return a tracer of the named scope."""
        scope = wire.scope_message(instrumenting_module_name, instrumenting_library_version)
        return CheapTracer(scope, self._sampler, self._ids, self._sink, self._now_ns)
