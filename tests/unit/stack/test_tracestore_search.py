"""Searches in Jaeger's v1 API, case by case: one span must match everything, the whole trace comes back."""

from __future__ import annotations

import json
import os
import string
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from tracestore_lab import MS, Lab, any_value, attributes, export_of, running, span

from stack.tracestore.attributes import text_of, value_of
from stack.tracestore.durations import parse_go_duration, readable
from stack.tracestore.errors import BadQuery
from stack.tracestore.terms import line_of, needles

NOW_NS = time.time_ns() // 1000 * 1000  # whole microseconds, as the API has them


def trace_of(name: str, age_s: float) -> tuple[Span, Span]:
    """Return a server span and its child of a trace that started so long ago."""
    root = span(f"GET /{name}", name=name)
    root.kind = Span.SPAN_KIND_SERVER
    child = span("compute", parent=root, rows=3)
    for one, length_ms in ((root, 50), (child, 20)):
        one.start_time_unix_nano = NOW_NS - int(age_s * 1e9)
        one.end_time_unix_nano = one.start_time_unix_nano + length_ms * MS
    return root, child


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Three traces: `plain` (60 s old), `failed` (30 s), `tagged` (10 s, two services), and one of last week."""
    plain, failed, tagged, ancient = (
        trace_of(name, age) for name, age in (("plain", 60), ("failed", 30), ("tagged", 10), ("ancient", 6 * 86400))
    )
    failed[1].status.CopyFrom(Status(code=Status.STATUS_CODE_ERROR, message="boom"))
    failed[1].events.add(name="fault.injected").attributes.extend(attributes({"fault.kind": "latency"}))
    failed[0].status.code = Status.STATUS_CODE_OK
    tagged[0].attributes.extend(attributes({"ok": True, "ratio": 2.0, "tiny": 0.00002, "long": "x" * 1000}))
    tagged[0].trace_state = "vendor=1"
    tagged[0].links.add(trace_id=os.urandom(16), span_id=os.urandom(8)).attributes.extend(attributes({"why": "retry"}))
    with running(tmp_path_factory.mktemp("search")) as started:
        started.send(
            export_of(*plain),
            export_of(*ancient),
            export_of(*failed),
            export_of(tagged[0]),
            export_of(*tagged[1:], service="other", host="h1"),
        )
        yield started


def names(lab: Lab, **parameters: str) -> list[str]:
    """Return the root span names of the traces found."""
    answer = httpx.get(f"{lab.url}/api/traces", params=parameters)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body.keys() == {"data", "total", "limit", "offset", "errors"}
    assert body["errors"] is None
    found = []
    for trace in body["data"]:
        assert len(trace["spans"]) == 2  # the whole trace, whatever matched
        found += [one["operationName"][5:] for one in trace["spans"] if one["operationName"].startswith("GET /")]
    return found


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, ["tagged", "failed", "plain"]),
        ({"service": "other"}, ["tagged"]),
        ({"service": "nobody"}, []),
        ({"operation": "compute"}, ["failed", "plain"]),
        ({"operation": "GET /plain"}, ["plain"]),
        ({"limit": "2"}, ["tagged", "failed"]),
        ({"limit": "1", "operation": "compute"}, ["failed"]),
        ({"lookback": "1w"}, ["tagged", "failed", "plain", "ancient"]),
        ({"lookback": "custom"}, ["tagged", "failed", "plain"]),
        ({"start": str((NOW_NS - 40 * 10**9) // 1000), "lookback": "1s"}, ["tagged", "failed"]),
        ({"end": str((NOW_NS - 20 * 10**9) // 1000)}, ["failed", "plain"]),
        ({"start": str((NOW_NS - 60 * 10**9) // 1000), "end": str((NOW_NS - 30 * 10**9) // 1000)}, ["failed", "plain"]),
        ({"minDuration": "50ms"}, ["tagged", "failed", "plain"]),
        ({"minDuration": "50.001ms"}, []),
        ({"operation": "compute", "minDuration": "30ms"}, []),
        ({"maxDuration": "20ms"}, ["failed", "plain"]),
        ({"minDuration": "0.02s", "maxDuration": "20000us"}, ["failed", "plain"]),
        ({"tag": "name:plain"}, ["plain"]),
        ({"tags": '{"name":"plain"}'}, ["plain"]),
        ({"tags": '{"name":"plai"}'}, []),
        ({"tags": '{"rows":"3"}'}, ["failed", "plain"]),
        ({"tags": '{"rows":"3","name":"plain"}'}, []),  # both hold in the trace, but not on one span
        ({"tags": '{"ok":"true"}'}, ["tagged"]),
        ({"tags": '{"ratio":"2"}'}, ["tagged"]),
        ({"tags": '{"tiny":"0.00002"}'}, ["tagged"]),
        ({"tags": json.dumps({"long": "x" * 1000})}, ["tagged"]),
        ({"tags": json.dumps({"long": "x" * 999})}, []),
        ({"tags": '{"error":"true"}'}, ["failed"]),
        ({"tags": '{"error":"1"}'}, ["failed"]),
        ({"tags": '{"error":"false"}', "operation": "compute"}, ["plain"]),
        ({"tags": '{"error":"perhaps"}'}, []),
        ({"tags": '{"otel.status_code":"ERROR"}'}, ["failed"]),
        ({"tags": '{"otel.status_code":"OK"}'}, ["failed"]),
        ({"tags": '{"span.status":"ok"}', "operation": "GET /failed"}, ["failed"]),
        ({"tags": '{"otel.status_description":"boom"}'}, ["failed"]),
        ({"tags": '{"span.kind":"server","name":"failed"}'}, ["failed"]),
        ({"tags": '{"span.kind":"client"}'}, []),
        ({"tags": '{"event":"fault.injected"}'}, ["failed"]),
        ({"tags": '{"fault.kind":"latency"}'}, ["failed"]),
        ({"tags": '{"why":"retry"}'}, ["tagged"]),
        ({"tags": '{"w3c.tracestate":"vendor=1"}'}, ["tagged"]),
        ({"tags": '{"scope.name":"lab"}', "limit": "1"}, ["tagged"]),
        ({"tags": '{"otel.scope.version":"1.2"}', "limit": "1"}, ["tagged"]),
        ({"tags": '{"otel.scope.version":"1"}'}, []),
        ({"tags": '{"host":"h1"}', "service": "other"}, ["tagged"]),
        ({"tags": '{"resource.host":"h1"}', "service": "other"}, ["tagged"]),
        ({"tags": '{"resource.name":"plain"}'}, []),
    ],
)
def test_a_search_finds_what_it_should(lab: Lab, parameters: dict[str, str], expected: list[str]) -> None:
    """Every condition alone and together, the newest trace first."""
    assert names(lab, **({"service": "firedrill"} | parameters)) == expected


def test_a_lookback_is_counted_from_now(tmp_path: Path) -> None:
    """A short one leaves out what is older; it is measured when the search is made."""
    with running(tmp_path) as fresh:
        fresh.send(export_of(*trace_of("old", 3600)), export_of(*trace_of("new", NOW_NS / 1e9 - time.time())))
        assert names(fresh, service="firedrill", lookback="30m") == ["new"]
        assert names(fresh, service="firedrill", lookback="3h") == ["new", "old"]


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({}, "parameter 'service' is required"),
        ({"service": "a", "start": "yesterday"}, "unable to parse param 'start'"),
        ({"service": "a", "end": "1.5"}, "unable to parse param 'end'"),
        ({"service": "a", "limit": "many"}, "unable to parse param 'limit'"),
        ({"service": "a", "limit": "0"}, "unable to parse param 'limit'"),
        ({"service": "a", "minDuration": "5"}, "unable to parse param 'minDuration'"),
        ({"service": "a", "maxDuration": "5 ms"}, "unable to parse param 'maxDuration'"),
        ({"service": "a", "minDuration": "2s", "maxDuration": "1s"}, "'maxDuration' should be greater"),
        ({"service": "a", "lookback": "soon"}, "unable to parse param 'lookback'"),
        ({"service": "a", "raw": "perhaps"}, "unable to parse param 'raw'"),
        ({"service": "a", "tag": "nocolon"}, "malformed 'tag' parameter"),
        ({"service": "a", "tags": "{"}, "malformed 'tags' parameter"),
        ({"service": "a", "tags": '{"a":1}'}, "malformed 'tags' parameter"),
        ({"service": "a", "tags": "[1]"}, "malformed 'tags' parameter"),
        ({"traceID": "xyz"}, "cannot parse traceID param"),
        ({"traceID": "1" * 33}, "cannot parse traceID param"),
    ],
)
def test_a_bad_parameter_is_a_400_in_jaegers_words(lab: Lab, parameters: dict[str, str], words: str) -> None:
    """The envelope carries the code and names the parameter."""
    answer = httpx.get(f"{lab.url}/api/traces", params=parameters)
    (error,) = answer.json()["errors"]
    assert (answer.status_code, answer.json()["data"], error["code"]) == (400, None, 400)
    assert words in error["msg"]
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"  # as Jaeger's


def test_traces_by_id_and_what_is_missing(lab: Lab) -> None:
    """Repeated ids give their traces; an unknown one is an error beside them, or a 404 of its own."""
    known = httpx.get(f"{lab.url}/api/traces", params={"service": "firedrill"}).json()["data"]
    ids = [trace["traceID"] for trace in known]
    answer = httpx.get(f"{lab.url}/api/traces", params={"traceID": [*ids[:2], "abc"]})
    assert [trace["traceID"] for trace in answer.json()["data"]] == ids[:2]
    assert answer.json()["errors"] == [{"msg": "trace not found", "traceID": "0000000000000abc"}]
    missing = httpx.get(f"{lab.url}/api/traces/abc")
    assert missing.status_code == 404
    assert missing.json() == {
        "data": None,
        "total": 0,
        "limit": 0,
        "offset": 0,
        "errors": [{"code": 404, "msg": "trace not found"}],
    }
    assert httpx.get(f"{lab.url}/api/traces/nonsense").status_code == 400


def test_services_and_operations(lab: Lab) -> None:
    """Names sorted; the newer operations call tells kinds and filters by them."""
    assert httpx.get(f"{lab.url}/api/services").json()["data"] == ["firedrill", "other"]
    answer = httpx.get(f"{lab.url}/api/services/firedrill/operations").json()
    assert answer["data"] == ["GET /ancient", "GET /failed", "GET /plain", "GET /tagged", "compute"]
    assert answer["total"] == 5
    params = {"service": "firedrill", "spanKind": "server"}
    kinds = httpx.get(f"{lab.url}/api/operations", params=params).json()["data"]
    assert {"name": "GET /plain", "spanKind": "server"} in kinds
    assert len(kinds) == 4
    assert httpx.get(f"{lab.url}/api/operations").status_code == 400


def test_the_json_of_a_trace_is_jaegers(lab: Lab) -> None:
    """Processes apart, times in microseconds, events as logs, references by type, a short id for a zero upper half."""
    root = span("root", trace_id=bytes(8) + b"12345678", answer=42, blob="b")
    root.attributes[1].value.bytes_value = b"\x00\xff"
    root.events.add(time_unix_nano=root.start_time_unix_nano + 1000, name="e").attributes.extend(attributes({"k": 1.5}))
    twin = span("twin", parent=root)
    twin.links.add(trace_id=root.trace_id, span_id=root.span_id).attributes.extend(
        attributes({"opentracing.ref_type": "follows_from"})
    )
    lab.send(export_of(root, zone="a"), export_of(twin, zone="a"), export_of(span("third", parent=root), zone="b"))
    (trace,) = httpx.get(f"{lab.url}/api/traces/{root.trace_id.hex()}").json()["data"]
    assert trace["traceID"] == b"12345678".hex()
    assert trace["processes"] == {
        "p1": {"serviceName": "firedrill", "tags": [{"key": "zone", "type": "string", "value": "a"}]},
        "p2": {"serviceName": "firedrill", "tags": [{"key": "zone", "type": "string", "value": "b"}]},
    }
    spans = {one["operationName"]: one for one in trace["spans"]}
    assert spans["root"]["startTime"] == root.start_time_unix_nano // 1000
    assert spans["root"]["duration"] == 5000
    assert spans["root"]["references"] == []
    assert spans["root"]["tags"][2:] == [
        {"key": "answer", "type": "int64", "value": 42},
        {"key": "blob", "type": "binary", "value": "AP8="},
    ]
    assert spans["root"]["logs"] == [
        {
            "timestamp": root.start_time_unix_nano // 1000 + 1,
            "fields": [
                {"key": "event", "type": "string", "value": "e"},
                {"key": "k", "type": "float64", "value": 1.5},
            ],
        }
    ]
    assert [reference["refType"] for reference in spans["twin"]["references"]] == ["FOLLOWS_FROM"]
    assert {one["processID"] for one in trace["spans"]} == {"p1", "p2"}


TEXT = st.text(string.printable + "\x1e\x1f\x00é␟", max_size=12)


@given(st.dictionaries(TEXT, TEXT | st.booleans() | st.integers(-(2**63), 2**63 - 1), max_size=5), TEXT, TEXT)
def test_a_line_contains_a_needle_exactly_when_the_span_has_the_tag(
    tags: dict[str, str | bool | int], key: str, value: str
) -> None:
    """The text that searches scan tells no lies, whatever characters keys and values are made of."""
    tags = {name: text for name, text in tags.items() if name not in {"error", "span.kind"}}
    one = Span(name="x")
    one.attributes.extend(attributes(tags))
    line = line_of(one).encode()
    assert b"\n" not in line
    for name, content in tags.items():
        if name != "otel.status_code":
            assert needles(name, text_of(content))[0] in line
    derived = {"error", "span.status", "otel.status_code", "span.kind", "scope.name", "scope.version"}
    if key not in tags and key not in derived and not set("\x1e\x1f\n␞␟␊") & set("".join([key, *tags])):
        assert needles(key, value)[0] not in line


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1.0, "1"),
        (0.5, "0.5"),
        (1e16, "10000000000000000"),
        (1e-6, "0.000001"),
        (1e-7, "1e-7"),
        (1e21, "1e+21"),
        (-2.5, "-2.5"),
    ],
)
def test_floats_read_as_go_prints_them(number: float, text: str) -> None:
    """The texts of Go's JSON encoder, which Jaeger compares."""
    assert text_of(value_of(any_value(number))) == text


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [("1.5ms", 1_500_000), ("1h30m", 5400 * 10**9), ("10us", 10_000), ("10µs", 10_000), (".5s", 5 * 10**8), ("0", 0)],
)
def test_go_durations(text: str, nanoseconds: int) -> None:
    """The units of Go's ``time.ParseDuration``."""
    assert parse_go_duration(text, "x") == nanoseconds


@pytest.mark.parametrize("text", ["", "5", "ms", "1d", "-1s", "1s ", "1.2.3s", "9" * 30 + "h"])
def test_what_is_no_go_duration(text: str) -> None:
    """Anything else is refused, with the parameter's name."""
    with pytest.raises(BadQuery, match="unable to parse param 'x'"):
        parse_go_duration(text, "x")


def test_durations_for_people() -> None:
    """Three digits and a fitting unit."""
    assert [readable(n) for n in (0, 950, 12_345, 999_600, 1_500_000, 123_456_789, 2.5e9)] == [
        "0.00 µs",
        "0.95 µs",
        "12.3 µs",
        "1.00 ms",
        "1.50 ms",
        "123 ms",
        "2.50 s",
    ]
