"""The cheap spans and log records against OpenTelemetry's SDK: the same calls must give the same OTLP messages."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry._logs import SeverityNumber
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased, Sampler, TraceIdRatioBased
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    Tracer,
    TraceState,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.span import TraceFlags

from service.ids import RandomIds
from service.telemetry import wire
from service.telemetry.records import CheapLoggerProvider
from service.telemetry.spans import CheapTracerProvider
from tests.generated import examples

RESOURCE = {"service.name": "oracle", "answer": 42}
EVENT_NS = 1_800_000_000_000_000_000

_scalars = (
    st.text(max_size=200)
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.binary(max_size=20)
)
_values = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.dictionaries(st.text(min_size=1), inner, max_size=3),
    max_leaves=5,
)
_attributes = st.dictionaries(st.text(min_size=1, max_size=20), _values, max_size=6)
_calls = st.lists(
    st.one_of(
        st.tuples(st.just("set_attribute"), st.text(min_size=1), _values),
        st.tuples(st.just("set_attributes"), _attributes),
        st.tuples(st.just("add_event"), st.text(), _attributes, st.just(EVENT_NS)),
        st.tuples(st.just("update_name"), st.text()),
        st.tuples(st.just("set_status"), st.sampled_from(StatusCode)),
        st.tuples(st.just("set_status"), st.text().map(lambda text: Status(StatusCode.ERROR, text))),
        st.tuples(st.just("add_link"), st.just(SpanContext(5, 6, is_remote=True)), _attributes),
        st.tuples(st.just("end"), st.just(EVENT_NS + 9)),
    ),
    max_size=8,
)


class Collected:
    """What reaches a sink, as an export request."""

    def __init__(self) -> None:
        self.scopes: dict[bytes, list[bytes]] = {}

    def take(self, scope: bytes, item: bytes) -> None:
        """Keep an item."""
        self.scopes.setdefault(scope, []).append(item)

    def body(self) -> bytes:
        """Return the request."""
        return wire.request_message(wire.resource_message(RESOURCE), self.scopes)


def _spans(act: Callable[[Tracer], object], sampler: Sampler = ALWAYS_ON) -> tuple[Any, Any]:
    """Return the requests that both implementations make of the same acts, ours first."""
    collected, exporter = Collected(), InMemorySpanExporter()
    ours = CheapTracerProvider(sampler, RandomIds(random.Random(7)), collected.take, lambda: EVENT_NS)
    sdk = TracerProvider(sampler, Resource(RESOURCE), shutdown_on_exit=False, id_generator=RandomIds(random.Random(7)))
    sdk.add_span_processor(SimpleSpanProcessor(exporter))
    act(ours.get_tracer("scope", "1"))
    act(sdk.get_tracer("scope", "1"))
    theirs = encode_spans(exporter.get_finished_spans())
    own = ExportTraceServiceRequest.FromString(collected.body())
    for request in (own, theirs):
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                for span in scope.spans:
                    span.flags |= TraceFlags.SAMPLED  # the SDK leaves the W3C flags out
                    span.status.SetInParent()  # ours leaves an unset status out
                    span.attributes.sort(key=lambda attribute: attribute.key)  # in OpenTelemetry they have no order
    return own, theirs


@settings(max_examples=examples(150), deadline=None)
@given(st.text(max_size=40), st.sampled_from(SpanKind), _attributes, _calls)
def test_a_span_is_what_the_sdk_makes_of_it(
    name: str, kind: SpanKind, attributes: dict[str, Any], calls: list[tuple[Any, ...]]
) -> None:
    """Whatever is called on a span, also after its end, the message is the SDK's."""

    def act(tracer: Tracer) -> None:
        span = tracer.start_span(name, Context(), kind, attributes, start_time=EVENT_NS)
        for method, *arguments in calls:
            getattr(span, method)(*arguments)
        span.end(EVENT_NS + 1)

    ours, theirs = _spans(act)
    assert ours == theirs


def test_limits_are_the_sdks() -> None:
    """Of 200 attributes, events and links 128 stay, the last ones, and what went is counted."""

    def act(tracer: Tracer) -> None:
        links = [Link(SpanContext(number + 1, 1, is_remote=False), {}) for number in range(200)]
        span = tracer.start_span("many", Context(), attributes={"first": 1}, links=links[:128], start_time=1)
        for number in range(200):
            span.set_attribute(f"key {number}", number)
            span.add_event(f"event {number}", timestamp=number)
        span.end(2)

    ours, theirs = _spans(act)
    assert ours == theirs
    span = ours.resource_spans[0].scope_spans[0].spans[0]
    assert (len(span.attributes), span.dropped_attributes_count) == (128, 73)
    assert (len(span.events), span.dropped_events_count) == (128, 72)


def test_an_exception_is_recorded_as_the_sdk_does() -> None:
    """Type, message, stack and status are the same, by hand and by a with block."""

    def act(tracer: Tracer) -> None:
        def broken() -> None:
            raise LookupError("gone")

        try:
            with tracer.start_as_current_span("block", Context(), start_time=1):
                broken()
        except LookupError:
            pass
        span = tracer.start_span("by hand", Context(), start_time=1)
        span.record_exception(ValueError("bad"), {"extra": 1}, timestamp=3)
        span.end(4)

    ours, theirs = _spans(act)
    for request in (ours, theirs):
        block = request.resource_spans[0].scope_spans[0].spans[0]
        block.end_time_unix_nano = block.events[0].time_unix_nano = 0
        for attribute in block.events[0].attributes:
            if attribute.key == "exception.stacktrace":
                assert "in broken" in attribute.value.string_value
                attribute.value.string_value = ""
    assert ours == theirs


SAMPLERS = [
    ALWAYS_ON,
    ALWAYS_OFF,
    TraceIdRatioBased(0.5),
    ParentBased(ALWAYS_ON),
    ParentBased(ALWAYS_OFF),
    ParentBased(TraceIdRatioBased(0.5)),
]


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda sampler: sampler.get_description())
def test_each_standard_sampler_decides_as_in_the_sdk(sampler: Sampler) -> None:
    """Roots, children of remote parents and grandchildren are recorded by ours exactly when theirs are."""
    parents = [
        SpanContext(trace_id, 9, is_remote=True, trace_flags=TraceFlags(flags), trace_state=TraceState([("k", "v")]))
        for trace_id in (3, 2**63 + 1, 2**64 - 1)
        for flags in (0, 1)
    ]
    contexts = [Context(), *(set_span_in_context(NonRecordingSpan(parent), Context()) for parent in parents)]
    states: list[list[tuple[bool, int, int]]] = []

    def act(tracer: Tracer) -> None:
        seen: list[tuple[bool, int, int]] = []
        for context in contexts:
            root = tracer.start_span("root", context, SpanKind.SERVER, start_time=1)
            child = tracer.start_span("child", set_span_in_context(root, Context()), start_time=2)
            for span in (child, root):
                said = span.get_span_context()
                seen.append((span.is_recording(), int(said.trace_flags), said.trace_id if context else 0))
                span.end(3)
        states.append(seen)

    ours, theirs = _spans(act, sampler)
    assert states[0] == states[1]
    names = [
        [
            (span.name, span.trace_state, span.flags, bool(span.parent_span_id))
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]
        for request in (ours, theirs)
    ]
    assert names[0] == names[1]


def test_a_span_is_current_inside_its_block() -> None:
    """The context of the cheap spans is OpenTelemetry's own."""
    provider = CheapTracerProvider(ALWAYS_ON, RandomIds(random.Random(1)), Collected().take, lambda: 1)
    tracer = provider.get_tracer("x")
    outer: Span
    with tracer.start_as_current_span("outer") as outer:
        assert get_current_span() is outer
        inner = tracer.start_span("inner")
        assert inner.get_span_context().trace_id == outer.get_span_context().trace_id
    assert not outer.is_recording()


@settings(max_examples=examples(100), deadline=None)
@given(_values, _attributes, st.sampled_from(SeverityNumber), st.booleans())
def test_a_log_record_is_what_the_sdk_makes_of_it(
    body: Any, attributes: dict[str, Any], severity: SeverityNumber, within: bool
) -> None:
    """Body, attributes, severity and trace are the SDK's, within a span and outside of one."""
    collected, exporter = Collected(), InMemoryLogRecordExporter()
    sdk = LoggerProvider(Resource(RESOURCE), shutdown_on_exit=False)
    sdk.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    span = NonRecordingSpan(SpanContext(2**100, 2**60, is_remote=False, trace_flags=TraceFlags(1)))
    context = set_span_in_context(span, Context()) if within else Context()
    for provider in (CheapLoggerProvider(collected.take, lambda: 1), sdk):
        provider.get_logger("scope", "1").emit(
            timestamp=5,
            observed_timestamp=6,
            context=context,
            severity_number=severity,
            severity_text="WORD",
            body=body,
            attributes=attributes,
        )
    ours = ExportLogsServiceRequest.FromString(collected.body())
    assert ours == _without_empty_ids(encode_logs(exporter.get_finished_logs()))


def _without_empty_ids(request: Any) -> Any:
    """Return the SDK's request without the ids of zeros that it writes outside of spans."""
    for resource in request.resource_logs:
        for scope in resource.scope_logs:
            for record in scope.log_records:
                if not any(record.trace_id):
                    record.ClearField("trace_id")
                    record.ClearField("span_id")
    return request


def test_what_no_message_can_hold_becomes_text() -> None:
    """Numbers beyond 64 bits, lone surrogates and strange objects neither raise nor break the message."""
    collected = Collected()
    provider = CheapTracerProvider(ALWAYS_ON, RandomIds(random.Random(1)), collected.take, lambda: 1)
    span = provider.get_tracer("x").start_span("\ud800")
    span.set_attributes({"big": 2**80, "half": "a\ud800", "odd": object(), "none": None})  # type: ignore[dict-item]
    span.end()
    said = ExportTraceServiceRequest.FromString(collected.body()).resource_spans[0].scope_spans[0].spans[0]
    values = {attribute.key: attribute.value for attribute in said.attributes}
    assert said.name == "?"
    assert values["big"].string_value == str(2**80)
    assert values["half"].string_value == "a?"
    assert values["odd"].string_value.startswith("<object")
    assert values["none"].WhichOneof("value") is None


@given(st.integers(0, 2**64 - 1))
def test_varints_are_protobufs(number: int) -> None:
    """A varint read by protobuf's rule is the number."""
    encoded = wire.varint(number)
    assert sum((byte & 127) << 7 * place for place, byte in enumerate(encoded)) == number
    assert all(byte > 127 for byte in encoded[:-1])
    assert encoded[-1] < 128
