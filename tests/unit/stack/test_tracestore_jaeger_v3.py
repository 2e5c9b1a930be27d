"""Jaeger's v3 API: OTLP JSON that loses nothing, the gateway's envelope and errors, parameters by both names."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status, TracesData
from tracestore_lab import MS, Lab, any_value, attributes, export_of, running, span

from stack.tracestore.errors import BadQuery
from stack.tracestore.otlp import parse
from stack.tracestore.otlp_json import span_json, value_json
from stack.tracestore.parameters import parse_rfc3339, parse_trace_id

HOUR_S = 3600


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Run a store."""
    with running(tmp_path_factory.mktemp("v3")) as started:
        yield started


def stamp(moment: float) -> str:
    """Return RFC 3339."""
    return datetime.fromtimestamp(moment, UTC).isoformat().replace("+00:00", "Z")


def window(**more: str) -> dict[str, str]:
    """Return the parameters of a search over the last hour and the next."""
    now = time.time()
    return {"query.startTimeMin": stamp(now - HOUR_S), "query.startTimeMax": stamp(now + HOUR_S)} | more


def rich_trace() -> tuple[TracesData, Span]:
    """Return a trace that uses every field of OTLP's spans."""
    root = span("root", text="x", yes=True, number=2**60, ratio=0.5)
    root.attributes.add(key="blob").value.bytes_value = b"\x00\xff"
    root.attributes.add(key="nothing").value.SetInParent()
    root.attributes.add(key="list").value.array_value.values.add().int_value = -3
    nested = root.attributes.add(key="map").value.kvlist_value.values.add(key="inner")
    nested.value.double_value = 1e300
    root.kind, root.flags, root.trace_state = Span.SPAN_KIND_CONSUMER, 257, "vendor=1"
    root.dropped_attributes_count, root.dropped_events_count, root.dropped_links_count = 1, 2, 3
    root.status.CopyFrom(Status(code=Status.STATUS_CODE_ERROR, message="boom"))
    event = root.events.add(name="event", time_unix_nano=root.start_time_unix_nano + 7, dropped_attributes_count=4)
    event.attributes.extend(attributes({"a": 1}))
    link = root.links.add(
        trace_id=b"\x07" * 16, span_id=b"\x08" * 8, trace_state="l=1", flags=1, dropped_attributes_count=8
    )
    link.attributes.extend(attributes({"why": "retry"}))
    child = span("child", parent=root)
    child.status.SetInParent()  # the JSON always has a status
    data = export_of(root, child, host="h1")
    data.resource_spans[0].schema_url = "https://example.org/resource"
    data.resource_spans[0].resource.dropped_attributes_count = 5
    scope = data.resource_spans[0].scope_spans[0]
    scope.schema_url, scope.scope.dropped_attributes_count = "https://example.org/scope", 6
    scope.scope.attributes.extend(attributes({"scoped": "yes"}))
    return data, root


def test_what_went_in_comes_out(lab: Lab) -> None:
    """Every field of a span, its scope and its resource survives, to the nanosecond and the last dropped count."""
    data, root = rich_trace()
    lab.send(data)
    answer = httpx.get(f"{lab.url}/api/v3/traces/{root.trace_id.hex()}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json().keys() == {"result"}
    (resource,) = answer.json()["result"]["resourceSpans"]
    first = resource["scopeSpans"][0]["spans"][0]
    assert (first["traceId"], first["spanId"]) == (root.trace_id.hex(), root.span_id.hex())
    assert (first["kind"], first["status"]) == (5, {"code": 2, "message": "boom"})
    assert first["startTimeUnixNano"] == str(root.start_time_unix_nano)
    again = parse("traces", json.dumps(answer.json()["result"]).encode(), "json").data
    assert again == data


def test_spans_of_several_exports_come_together_and_once(lab: Lab) -> None:
    """Parts of a trace that came apart are one; a batch that an exporter sent twice counts once."""
    root = span("root")
    child, other = span("child", parent=root), span("other", parent=root)
    lab.send(export_of(root), export_of(child), export_of(child), export_of(other, service="elsewhere"))
    result = httpx.get(f"{lab.url}/api/v3/traces/{root.trace_id.hex()}").json()["result"]["resourceSpans"]
    names = [[one["name"] for scope in part["scopeSpans"] for one in scope["spans"]] for part in result]
    assert names == [["root", "child"], ["other"]]


def test_a_minimal_trace_has_jaegers_shape(lab: Lab) -> None:
    """As in Jaeger's own snapshot: default values are left out, resource, scope and status are there."""
    data = TracesData()
    made = (
        data.resource_spans.add()
        .scope_spans.add()
        .spans.add(trace_id=bytes(15) + b"\x01", span_id=bytes(7) + b"\x02", name="foobar", kind=Span.SPAN_KIND_SERVER)
    )
    made.status.code = Status.STATUS_CODE_ERROR
    lab.send(data)
    answer = httpx.get(f"{lab.url}/api/v3/traces/1")
    assert answer.json() == {
        "result": {
            "resourceSpans": [
                {
                    "resource": {},
                    "scopeSpans": [
                        {
                            "scope": {},
                            "spans": [
                                {
                                    "kind": 2,
                                    "name": "foobar",
                                    "spanId": "0000000000000002",
                                    "status": {"code": 2},
                                    "traceId": "00000000000000000000000000000001",
                                }
                            ],
                        }
                    ],
                }
            ]
        }
    }


def test_services_and_operations(lab: Lab) -> None:
    """Names under their key; an empty list is left out, as protobuf's JSON does; no kind is told as internal."""
    served = span("GET /")
    served.kind = Span.SPAN_KIND_SERVER
    lab.send(export_of(served, span("plain"), service="v3-names"))
    assert "v3-names" in httpx.get(f"{lab.url}/api/v3/services").json()["services"]
    operations = f"{lab.url}/api/v3/operations"
    answer = httpx.get(operations, params={"service": "v3-names"})
    assert answer.json() == {
        "operations": [{"name": "GET /", "spanKind": "server"}, {"name": "plain", "spanKind": "internal"}]
    }
    for name in ("spanKind", "span_kind"):
        found = httpx.get(operations, params={"service": "v3-names", name: "server"}).json()
        assert found == {"operations": [{"name": "GET /", "spanKind": "server"}]}
    assert httpx.get(operations, params={"service": "nobody"}).json() == {}
    assert httpx.get(operations).json() == {}


def test_a_search_narrows_by_every_parameter(lab: Lab) -> None:
    """By the names of today and by the older ones; newest first, whole traces."""
    old, new = span("old", colour="red"), span("new", colour="blue")
    part = span("part", parent=old)
    for one, age_ms, length_ms in ((old, 5000, 20), (part, 4990, 5), (new, 1000, 40)):
        one.start_time_unix_nano = time.time_ns() - age_ms * MS
        one.end_time_unix_nano = one.start_time_unix_nano + length_ms * MS
    lab.send(export_of(old, part, service="finder"), export_of(new, service="finder"))

    def found(**parameters: str) -> list[str]:
        given = {f"query.{name}": value for name, value in parameters.items()}
        answer = httpx.get(f"{lab.url}/api/v3/traces", params=window() | {"query.serviceName": "finder"} | given)
        if answer.status_code == 404:
            return []
        return [
            one["name"]
            for part in answer.json()["result"]["resourceSpans"]
            for scope in part["scopeSpans"]
            for one in scope["spans"]
        ]

    now = time.time()
    assert found() == ["new", "old", "part"]
    for both in ({"operationName": "new"}, {"operation_name": "new"}):
        assert found(**both) == ["new"]
    for both in ({"durationMin": "30ms"}, {"duration_min": "30ms"}):
        assert found(**both) == ["new"]
    for both in ({"durationMax": "30ms"}, {"duration_max": "30ms"}):
        assert found(**both) == ["old", "part"]
    for both in ({"searchDepth": "1"}, {"search_depth": "1"}, {"num_traces": "1"}):
        assert found(**both) == ["new"]
    for both in ({"startTimeMin": stamp(now - 3)}, {"startTimeMax": stamp(now - 3)}):
        assert found(**both) == (["new"] if "startTimeMin" in both else ["old", "part"])
    assert found(attributes='{"colour":"red"}') == ["old", "part"]
    assert found(attributes='{"colour":"red"}', operationName="part") == []
    assert found(rawTraces="true") == ["new", "old", "part"]
    assert found(serviceName="nobody") == []
    assert len(found(serviceName="")) >= 3  # without a service: everyone's


@pytest.mark.parametrize(
    ("path", "parameters", "status", "message"),
    [
        ("traces", {}, 400, "query.startTimeMin and query.startTimeMax are required"),
        ("traces", {"query.start_time_min": "x", "query.start_time_max": "y"}, 400, "parameter query.start_time_min: "),
        ("traces", window() | {"query.startTimeMin": "2026-02-30T00:00:00Z"}, 400, "parameter query.startTimeMin: "),
        ("traces", window() | {"query.startTimeMin": "2999-01-01T00:00:00Z"}, 400, "must be before"),
        ("traces", window(**{"query.searchDepth": "x"}), 400, "malformed parameter query.searchDepth: "),
        ("traces", window(**{"query.search_depth": "0"}), 400, "malformed parameter query.search_depth: "),
        ("traces", window(**{"query.durationMin": "5"}), 400, 'query.durationMin: time: invalid duration "5"'),
        ("traces", window(**{"query.duration_max": "x"}), 400, 'query.duration_max: time: invalid duration "x"'),
        ("traces", window(**{"query.attributes": "{"}), 400, "malformed parameter query.attributes: "),
        ("traces", window(**{"query.attributes": '{"a":1}'}), 400, "malformed parameter query.attributes: "),
        ("traces", window(**{"query.raw_traces": "perhaps"}), 400, "malformed parameter query.raw_traces: "),
        ("traces", window(**{"query.serviceName": "nobody"}), 404, "No traces found"),
        ("traces/abcdef", {}, 404, "No traces found"),
        ("traces/nonsense!", {}, 400, "malformed parameter trace_id: "),
        ("traces/1", {"startTime": "x"}, 400, "malformed parameter startTime: "),
        ("traces/1", {"end_time": "x"}, 400, "malformed parameter end_time: "),
        ("traces/1", {"rawTraces": "x"}, 400, "malformed parameter rawTraces: "),
        ("trace-summaries", {}, 400, "are required"),
        ("nothing", {}, 404, "no such endpoint"),
    ],
)
def test_errors_have_the_gateways_form(
    lab: Lab, path: str, parameters: dict[str, str], status: int, message: str
) -> None:
    """Code and words inside ``error``; what the parameter was called by whoever asked."""
    answer = httpx.get(f"{lab.url}/api/v3/{path}", params=parameters)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "text/plain; charset=utf-8")
    assert answer.json().keys() == {"error"}
    assert answer.json()["error"]["httpCode"] == status
    assert message in answer.json()["error"]["message"]


def test_summaries_tell_of_traces_without_their_spans(lab: Lab) -> None:
    """Root, times, counts of spans, errors and orphans, per service, too; zeros are left out."""
    root = span("GET /list")
    child = span("query", parent=root)
    child.status.code = Status.STATUS_CODE_ERROR
    orphan = span("lost", parent=root)
    orphan.parent_span_id = b"\x09" * 8
    lab.send(export_of(root, service="front"), export_of(child, orphan, service="back"))
    answer = httpx.get(f"{lab.url}/api/v3/trace-summaries", params=window(**{"query.service_name": "front"}))
    (summary,) = answer.json()["summaries"]
    assert summary == {
        "traceId": root.trace_id.hex(),
        "rootServiceName": "front",
        "rootOperationName": "GET /list",
        "minStartTimeUnixNano": str(root.start_time_unix_nano),
        "maxEndTimeUnixNano": str(max(one.end_time_unix_nano for one in (root, child, orphan))),
        "spanCount": 3,
        "errorSpanCount": 1,
        "orphanSpanCount": 1,
        "services": [{"name": "back", "spanCount": 2, "errorSpanCount": 1}, {"name": "front", "spanCount": 1}],
    }


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:01.5Z", 1_500_000_000),
        ("1970-01-01T01:00:00.123456789+01:00", 123_456_789),
        ("1970-01-01T00:00:00.1234567899Z", 123_456_789),
        ("2026-11-21T09:30:00-02:30", 1_795_262_400_000_000_000),
    ],
)
def test_times_are_read_to_the_nanosecond(text: str, nanoseconds: int) -> None:
    """As Go reads RFC 3339 with a fraction of any length."""
    assert parse_rfc3339(text, "t") == nanoseconds


@pytest.mark.parametrize("text", ["", "now", "2026-11-21", "2026-11-21T09:30:00", "2026-11-21 09:30:00Z", "1795253400"])
def test_what_is_no_rfc3339_is_refused(text: str) -> None:
    """Dates alone, times without a zone, Unix seconds."""
    with pytest.raises(BadQuery, match="malformed parameter t: parsing time"):
        parse_rfc3339(text, "t")


def test_trace_ids_come_in_hex_or_base64() -> None:
    """Short ones are right-aligned; both alphabets of base64, padded or not."""
    whole = bytes(range(240, 256))
    assert parse_trace_id("abc") == bytes(14) + b"\x0a\xbc"
    assert parse_trace_id(whole.hex().upper()) == whole
    for text in (base64.b64encode(whole), base64.urlsafe_b64encode(whole)):
        assert parse_trace_id(text.decode()) == whole
        assert parse_trace_id(text.decode().rstrip("=")) == whole
    assert parse_trace_id(base64.b64encode(whole[:8]).decode()) == bytes(8) + whole[:8]
    for wrong in ("", "0" * 33, "xyz", "é", "a b", "0x12"):
        with pytest.raises(BadQuery):
            parse_trace_id(wrong)


@pytest.mark.parametrize("message", [Span, Span.Event, Span.Link, Status])
def test_no_field_of_a_span_is_forgotten(message: type[Message]) -> None:
    """What OTLP's own definition has, the JSON has: a field that a later version adds fails here."""
    data, root = rich_trace()
    written = {Span: span_json(root), Span.Event: span_json(root)["events"][0], Span.Link: span_json(root)["links"][0]}
    names = {field.json_name for field in message.DESCRIPTOR.fields}
    if message is Span:
        names -= {"parentSpanId"}  # a root has none; its child has
        assert "parentSpanId" in span_json(data.resource_spans[0].scope_spans[0].spans[1])
    assert written.get(message, span_json(root)["status"]).keys() == names


SCALARS = st.one_of(
    *(st.none(), st.text(max_size=5), st.booleans(), st.floats(), st.binary(max_size=5)),
    st.integers(-(2**63), 2**63 - 1),
)


@given(
    st.recursive(
        SCALARS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=8,
    )
)
def test_values_are_written_as_protobuf_would(plain: object) -> None:
    """Every kind of value, nested or not, numbers that JSON lacks included."""
    value = any_value_of(plain)
    assert value_json(value) == MessageToDict(value)


def any_value_of(plain: object) -> AnyValue:
    """Return an OTLP value of Python's."""
    if plain is None:
        return AnyValue()
    if isinstance(plain, list):
        return AnyValue(array_value=ArrayValue(values=[any_value_of(item) for item in plain]))
    if isinstance(plain, dict):
        pairs = [KeyValue(key=key, value=any_value_of(item)) for key, item in plain.items() if key]
        return AnyValue(kvlist_value=KeyValueList(values=pairs))
    if isinstance(plain, bytes):
        return AnyValue(bytes_value=plain)
    assert isinstance(plain, str | bool | int | float)
    return any_value(plain)
