"""OTLP/HTTP in: what the trace store takes, what it refuses, and in which words."""

from __future__ import annotations

import gzip
import json
import logging
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, StatusCode
from tracestore_lab import PROTOBUF, Lab, export_of, running, span

from stack.clients.jaeger import JaegerClient
from stack.tracestore.limits import MIB, Limits

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Run a store that takes bodies of up to 1 MiB."""
    with running(tmp_path_factory.mktemp("otlp"), Limits(max_payload_bytes=MIB)) as started:
        yield started


def post(lab: Lab, content: bytes, headers: dict[str, str], signal: str = "traces") -> httpx.Response:
    """Send an export as it is."""
    return httpx.post(f"{lab.otlp}/v1/{signal}", content=content, headers=headers)


def json_span(trace_id: str, **fields: object) -> bytes:
    """Return an OTLP/JSON export of one span."""
    start = time.time_ns() - 10**9
    one = {
        "traceId": trace_id,
        "spanId": "00f067aa0ba902b7",
        "name": "by hand",
        "kind": 2,
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": start + 5_000_000,
    } | fields
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "curl"}}]}
    return json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [one]}]}]}).encode()


@pytest.mark.parametrize("coding", ["gzip", "none"])
def test_the_real_sdk_exports_and_the_trace_can_be_read(lab: Lab, coding: str) -> None:
    """Spans of the OpenTelemetry SDK arrive whole: parent, kind, attributes, events, errors."""
    provider = TracerProvider(resource=Resource.create({"service.name": f"sdk-{coding}"}))
    exporter = OTLPSpanExporter(f"{lab.otlp}/v1/traces", compression=Compression(coding))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("test", "3")
    with tracer.start_as_current_span("outer", kind=SpanKind.SERVER) as outer:
        tags = {"n": 3, "share": 0.5, "list": ["a", "b"]}
        with tracer.start_as_current_span("inner", attributes=tags) as inner:
            inner.add_event("fault.injected", {"fault.kind": "latency"})
            inner.record_exception(ValueError("boom"))
            inner.set_status(StatusCode.ERROR, "boom")
    assert provider.force_flush()
    with JaegerClient(lab.url) as client:
        trace = client.trace(format(outer.get_span_context().trace_id, "032x"))
    first, second = trace.spans
    assert (first.operation, first.parent_id, first.tags["span.kind"]) == ("outer", None, "server")
    assert (second.parent_id, second.error, second.service) == (first.span_id, True, f"sdk-{coding}")
    assert {"n": "3", "share": "0.5", "list": '["a","b"]', "otel.scope.version": "3"}.items() <= second.tags.items()
    assert [event.name for event in second.events] == ["fault.injected", "exception"]
    assert second.events[0].attributes == {"fault.kind": "latency"}


def test_json_takes_hex_ids_numbers_as_text_and_unknown_fields(lab: Lab) -> None:
    """A body that a person would send with curl is stored, and answered with an empty JSON object."""
    trace_id = os.urandom(16).hex()
    body = json_span(
        trace_id,
        parentSpanId="00F067AA0BA902B6",
        invented={"deep": [1]},
        status={"code": 2, "message": "no luck"},
        attributes=[
            {"key": "text", "value": {"intValue": "9007199254740993"}},
            {"key": "number", "value": {"intValue": 7}},
        ],
        links=[{"traceId": "000000000000000000000000000000aa", "spanId": "00000000000000bb"}],
    )
    answer = post(lab, body, JSON | {"Content-Type": "application/json; charset=utf-8"})
    assert (answer.status_code, answer.json(), answer.headers["content-type"]) == (200, {}, "application/json")
    (raw,) = httpx.get(f"{lab.url}/api/traces/{trace_id}").json()["data"]
    (stored,) = raw["spans"]
    tags = {tag["key"]: (tag["type"], tag["value"]) for tag in stored["tags"]}
    assert tags["text"] == ("int64", "9007199254740993")  # JavaScript could not hold it as a number
    assert tags["number"] == ("int64", 7)
    assert tags["otel.status_description"] == ("string", "no luck")
    assert stored["references"] == [
        {"refType": "CHILD_OF", "traceID": trace_id, "spanID": "00f067aa0ba902b6"},
        {"refType": "FOLLOWS_FROM", "traceID": "00000000000000aa", "spanID": "00000000000000bb"},
    ]


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (b"\xff\xff\xff", PROTOBUF),
        (b"{", JSON),
        (b"[]", JSON),
        (b"\xff\xfe", JSON),
        (b"[" * 100_000, JSON),
        (b'{"resourceSpans": 3}', JSON),
        (b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"startTimeUnixNano":"soon"}]}]}]}', JSON),
        (json_span("not hexadecimal"), JSON),
        (b"no gzip", PROTOBUF | {"Content-Encoding": "gzip"}),
        (gzip.compress(b"x" * 1000, mtime=0)[:-12], PROTOBUF | {"Content-Encoding": "gzip"}),
    ],
)
def test_bad_data_is_a_400_with_a_status_message(lab: Lab, content: bytes, headers: dict[str, str]) -> None:
    """What cannot be read is refused in the exporter's own format, with the reason."""
    answer = post(lab, content, headers)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == headers["Content-Type"]
    if headers is JSON:
        status = answer.json()
        assert (status["code"], "not a valid OTLP traces export" in status["message"]) == (3, True)
    else:
        status = Status.FromString(answer.content)
        assert (status.code, "not a valid OTLP traces export" in status.message) == (3, True)


def test_other_formats_and_codings_are_a_415(lab: Lab) -> None:
    """The answer names what is supported."""
    for headers in ({"Content-Type": "text/plain"}, {}):
        answer = post(lab, b"{}", headers)
        assert (answer.status_code, "application/x-protobuf" in answer.json()["message"]) == (415, True)
    answer = post(lab, b"", PROTOBUF | {"Content-Encoding": "br"})
    assert (answer.status_code, answer.headers["accept-encoding"]) == (415, "gzip, identity")


def test_gzip_is_read_also_in_several_members(lab: Lab) -> None:
    """Concatenated gzip members are one body, as RFC 1952 has it."""
    body = export_of(one := span("in members")).SerializeToString()
    packed = gzip.compress(body[:10], mtime=0) + gzip.compress(body[10:])
    assert post(lab, packed, PROTOBUF | {"Content-Encoding": "gzip"}).status_code == 200
    with JaegerClient(lab.url) as client:
        assert client.trace(one.trace_id.hex()).spans[0].operation == "in members"


def test_a_gzip_bomb_is_a_413_and_costs_no_more_than_the_limit(lab: Lab) -> None:
    """A gigabyte of zeros in a megabyte of gzip is refused without being unpacked."""
    bomb = gzip.compress(bytes(256 * MIB), 9)
    assert len(bomb) < MIB
    before = peak_bytes()
    for _ in range(3):
        answer = post(lab, bomb, PROTOBUF | {"Content-Encoding": "gzip"})
        assert (answer.status_code, Status.FromString(answer.content).code) == (413, 8)
    assert peak_bytes() - before < 32 * MIB


def peak_bytes() -> int:
    """Return the most memory that this process, in which the store runs, ever held."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def test_a_large_body_is_a_413_announced_or_not(lab: Lab) -> None:
    """The limit holds for a Content-Length and for chunks that go on and on."""
    large = bytes(MIB + 1)
    assert post(lab, large, PROTOBUF).status_code == 413
    chunks = (large[:1000] for _ in range(2000))
    try:
        answer = httpx.post(f"{lab.otlp}/v1/traces", content=chunks, headers=PROTOBUF)
    except httpx.WriteError:
        return  # the server may hang up on a sender that does not stop
    assert answer.status_code == 413


def test_spans_without_valid_ids_are_rejected_and_the_rest_is_kept(lab: Lab) -> None:
    """Partial success: the count and the reason in the answer, the good span in the store."""
    good, bad, zero = span("good"), span("short id"), span("zero id")
    bad.span_id = b"abc"
    zero.trace_id = bytes(16)
    before = lab.value("tracestore_dropped_items_total", signal="traces", reason="invalid_id")
    answer = post(lab, export_of(bad, good, zero).SerializeToString(), PROTOBUF)
    partial = ExportTraceServiceResponse.FromString(answer.content).partial_success
    assert (answer.status_code, partial.rejected_spans, "16 bytes" in partial.error_message) == (200, 2, True)
    assert lab.value("tracestore_dropped_items_total", signal="traces", reason="invalid_id") == before + 2
    with JaegerClient(lab.url) as client:
        assert len(client.trace(good.trace_id.hex()).spans) == 1


def test_an_empty_export_is_a_success(lab: Lab) -> None:
    """Exporters probe with empty bodies."""
    assert post(lab, b"", PROTOBUF).status_code == 200
    assert post(lab, b"{}", JSON).json() == {}
    assert post(lab, b"", PROTOBUF, "logs").status_code == 200


def test_log_records_are_kept_with_their_trace(lab: Lab) -> None:
    """A log record with a trace id shows on the page of that trace."""
    one = span("logged")
    lab.send(export_of(one))
    logs = LogsData()
    resource = logs.resource_logs.add()
    record = resource.scope_logs.add().log_records.add(
        trace_id=one.trace_id, span_id=one.span_id, severity_text="WARN", time_unix_nano=one.end_time_unix_nano
    )
    record.body.string_value = "<b>prediction_failed</b>"
    assert post(lab, logs.SerializeToString(), PROTOBUF, "logs").content == b""
    page = httpx.get(f"{lab.url}/trace/{one.trace_id.hex()}").text
    assert "Log records" in page
    assert "&lt;b&gt;prediction_failed&lt;/b&gt;" in page
    assert lab.value("tracestore_log_records_received_total") == 1


def test_only_posts_to_known_signals_are_served(lab: Lab) -> None:
    """GET is 405; metrics are nobody's business here: 404; the query API is not on this port."""
    assert httpx.get(f"{lab.otlp}/v1/traces").status_code == 405
    assert post(lab, b"", PROTOBUF, "metrics").status_code == 404
    assert httpx.get(f"{lab.otlp}/api/services").status_code == 404
    assert httpx.post(f"{lab.url}/v1/traces", content=b"", headers=PROTOBUF).status_code == 404


@pytest.mark.parametrize("header", [{"Host": "evil.example"}, {"Origin": "https://evil.example"}, {"Host": "a]["}])
def test_pages_of_other_sites_are_kept_out(lab: Lab, header: dict[str, str]) -> None:
    """Neither DNS rebinding nor a cross-site request reads or writes traces."""
    assert httpx.get(f"{lab.url}/api/services", headers=header).status_code == 403
    assert post(lab, b"", PROTOBUF | header).status_code == 403


def test_a_client_that_hangs_up_disturbs_nobody(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    """A body that ends in the middle leaves no traceback and no stuck request."""
    host, _, port = lab.otlp.removeprefix("http://").partition(":")
    with caplog.at_level(logging.ERROR), socket.create_connection((host, int(port))) as half:
        half.sendall(
            b"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-protobuf\r\n"
            b"Content-Length: 1000\r\n\r\nabc"
        )
        time.sleep(0.1)
    lab.send(export_of(span()))
    assert not caplog.records
