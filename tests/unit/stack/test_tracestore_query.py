"""What surrounds searches: dependencies, logs by trace, a search held against a naive one, and every odd parameter."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlencode

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status, TracesData
from prometheus_client import CollectorRegistry
from tracestore_lab import PROTOBUF, Lab, attributes, export_of, running, span

from stack.tracestore.dependencies import dependencies
from stack.tracestore.finder import find
from stack.tracestore.limits import Limits
from stack.tracestore.model import TraceQuery
from stack.tracestore.store import TraceStore
from stack.tracestore.telemetry import StoreMetrics
from tests.generated import examples


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Run a store."""
    with running(tmp_path_factory.mktemp("query")) as started:
        yield started


def shop(lab: Lab) -> Span:
    """Store two traces front -> shop -> database; return the first root."""
    roots = []
    for _ in range(2):
        root = span("GET /")
        call = span("order", parent=root)
        first, second = span("insert", parent=call), span("update", parent=call)
        lost = span("lost", parent=call)
        lost.parent_span_id = b"\x01" * 8
        lab.send(
            export_of(root, service="front"),
            export_of(call, span("inside", parent=call), lost, service="shop"),
            export_of(first, second, service="database"),
        )
        roots.append(root)
    return roots[0]


def test_dependencies_count_calls_between_services(tmp_path: Path) -> None:
    """Parents of another service count, those of the same and those that are missing do not, nor what came twice."""
    with running(tmp_path) as lab:
        assert httpx.get(f"{lab.url}/api/dependencies").json()["data"] == []
        root = shop(lab)
        lab.send(export_of(root, service="front"))
        now_ms = time.time_ns() // 1_000_000
        links = [
            {"parent": "front", "child": "shop", "callCount": 2},
            {"parent": "shop", "child": "database", "callCount": 4},
        ]
        for parameters in ({}, {"endTs": str(now_ms + 1000), "lookback": "60000"}):
            answer = httpx.get(f"{lab.url}/api/dependencies", params=parameters)
            assert (answer.status_code, answer.json()["data"], answer.json()["errors"]) == (200, links, None)
        of_one = httpx.get(f"{lab.url}/api/dependencies", params={"service": "front"}).json()["data"]
        assert of_one == links[:1]
        before = {"endTs": str(now_ms - 60_000), "lookback": "60000"}
        assert httpx.get(f"{lab.url}/api/dependencies", params=before).json()["data"] == []


@pytest.mark.parametrize("parameters", [{"endTs": "now"}, {"lookback": "1h"}, {"endTs": "1.5"}])
def test_a_bad_window_is_refused(lab: Lab, parameters: dict[str, str]) -> None:
    """Both are whole milliseconds; the answer names the parameter."""
    answer = httpx.get(f"{lab.url}/api/dependencies", params=parameters)
    assert answer.status_code == 400
    assert f"unable to parse param '{next(iter(parameters))}'" in answer.json()["errors"][0]["msg"]


def test_dependencies_read_no_more_than_their_bound(tmp_path: Path) -> None:
    """Of more blocks than fit, the newest are read: the calls of older ones are not counted."""
    store = TraceStore(tmp_path / "traces.db", Limits(), StoreMetrics(CollectorRegistry()))
    store.start()
    try:
        for age_s in (30, 20, 10):
            root = span("root")
            child = span("child", parent=root)
            for one in (root, child):
                one.start_time_unix_nano -= age_s * 10**9
            data = export_of(root, service="a")
            data.MergeFrom(export_of(child, service="b"))
            asyncio.run(store.submit("traces", data.SerializeToString(), "identity", "protobuf"))
        counts = {
            most: sum(
                link.calls
                for link in asyncio.run(
                    store.read(lambda connection, most=most: dependencies(connection, 0, 2**62, most))
                )
            )
            for most in (1, 3, 100)
        }
    finally:
        store.stop()
    assert counts == {1: 1, 3: 2, 100: 3}


def test_logs_of_a_trace_and_of_one_span(lab: Lab) -> None:
    """By time, with severity, body and typed attributes; other traces' records stay out."""
    root = span("root")
    child = span("child", parent=root)
    lab.send(export_of(root, child))
    data = LogsData()
    source = data.resource_logs.add()
    source.resource.attributes.extend(attributes({"service.name": "firedrill", "host": "h1"}))
    scope = source.scope_logs.add()
    for of, offset, body in ((child, 2, "second"), (root, 1, "first"), (span("another"), 0, "foreign")):
        record = scope.log_records.add(trace_id=of.trace_id, span_id=of.span_id, time_unix_nano=10**18 + offset * 1000)
        record.severity_text, record.severity_number = "WARN", 13
        record.body.string_value = body
        record.attributes.extend(attributes({"rows": 3}))
    sent = lab.exporter.post(f"{lab.otlp}/v1/logs", content=data.SerializeToString(), headers=PROTOBUF)
    assert sent.status_code == 200
    logs = f"{lab.url}/api/logs"
    answer = httpx.get(logs, params={"traceID": root.trace_id.hex()})
    assert (answer.status_code, answer.json()["total"]) == (200, 2)
    assert [record["body"] for record in answer.json()["data"]] == ["first", "second"]
    assert answer.json()["data"][0] == {
        "traceID": root.trace_id.hex(),
        "spanID": root.span_id.hex(),
        "timestamp": 10**15 + 1,
        "severity": "WARN",
        "severityNumber": 13,
        "body": "first",
        "serviceName": "firedrill",
        "attributes": [{"key": "rows", "type": "int64", "value": 3}],
        "resource": [{"key": "host", "type": "string", "value": "h1"}],
    }
    one = httpx.get(logs, params={"traceID": root.trace_id.hex(), "spanID": child.span_id.hex()}).json()["data"]
    assert [record["body"] for record in one] == ["second"]
    assert httpx.get(logs, params={"traceID": "abc"}).json()["data"] == []
    assert httpx.get(logs).status_code == 400


SERVICES, OPERATIONS = ("a", "b"), ("read", "write")
KEYS, VALUES = ("k", "resource.k", "l", "error"), ("1", "2", "true", "x\x1fy", "")
START_NS = 10**18
values = st.sampled_from(VALUES)


@st.composite
def small_spans(draw: st.DrawFn) -> list[tuple[str, Span, dict[str, str]]]:
    """Draw spans of a few traces with their service and their resource's attributes, from few names."""
    drawn = []
    for number in range(draw(st.integers(1, 10))):
        start = START_NS + draw(st.integers(0, 20))
        one = Span(
            trace_id=draw(st.integers(1, 4)).to_bytes(16, "big"),
            span_id=(number + 1).to_bytes(8, "big"),
            name=draw(st.sampled_from(OPERATIONS)),
            start_time_unix_nano=start,
            end_time_unix_nano=start + draw(st.integers(0, 20)),
            status=Status(code=draw(st.integers(0, 2))),
        )
        one.attributes.extend(attributes(draw(st.dictionaries(st.sampled_from(("k", "l")), values))))
        for _ in range(draw(st.integers(0, 1))):
            one.events.add(name="e").attributes.extend(attributes({"k": draw(values)}))
        drawn.append((draw(st.sampled_from(SERVICES)), one, draw(st.dictionaries(st.just("k"), values))))
    return drawn


bounds = st.none() | st.integers(0, 20)
queries = st.builds(
    TraceQuery,
    service=st.none() | st.sampled_from((*SERVICES, "nobody")),
    operation=st.none() | st.sampled_from(OPERATIONS),
    tags=st.dictionaries(st.sampled_from(KEYS), values, max_size=2).map(lambda tags: tuple(tags.items())),
    start_ns=bounds.map(lambda offset: None if offset is None else START_NS + offset),
    end_ns=bounds.map(lambda offset: None if offset is None else START_NS + offset),
    shortest_ns=bounds,
    longest_ns=bounds,
    limit=st.integers(1, 4),
)


def naive(spans: list[tuple[str, Span, dict[str, str]]], query: TraceQuery) -> list[set[bytes]]:
    """Return the traces that match, those with equally new matches together, the newest first."""
    newest: dict[bytes, int] = {}
    for service, one, resource in spans:
        length = one.end_time_unix_nano - one.start_time_unix_nano
        if (
            query.service in {None, service}
            and query.operation in {None, one.name}
            and (query.start_ns is None or one.start_time_unix_nano >= query.start_ns)
            and (query.end_ns is None or one.start_time_unix_nano <= query.end_ns)
            and length >= (query.shortest_ns or 0)
            and (query.longest_ns is None or length <= query.longest_ns)
            and all(_has(one, resource, key, value) for key, value in query.tags)
        ):
            newest[one.trace_id] = max(newest.get(one.trace_id, 0), one.start_time_unix_nano)
    times = sorted(set(newest.values()), reverse=True)
    return [{trace_id for trace_id, moment in newest.items() if moment == each} for each in times]


def _has(one: Span, resource: dict[str, str], key: str, value: str) -> bool:
    if key == "error":
        wanted = {"1": True, "true": True}.get(value)
        return wanted is not None and (one.status.code == Status.STATUS_CODE_ERROR) is wanted
    if key.startswith("resource."):
        return resource.get(key.removeprefix("resource.")) == value
    own = [one.attributes, *(event.attributes for event in one.events)]
    texts = [pair.value.string_value for pairs in own for pair in pairs if pair.key == key]
    return value in texts or resource.get(key) == value


@settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(small_spans(), st.lists(queries, min_size=1, max_size=12), st.integers(1, 5))
def test_a_search_finds_what_a_naive_one_finds(
    spans: list[tuple[str, Span, dict[str, str]]], asked: list[TraceQuery], parts: int
) -> None:
    """Whatever is stored, in however many exports, and whatever is asked: the same traces, cut by the same limit."""
    with tempfile.TemporaryDirectory() as folder:
        store = TraceStore(
            Path(folder) / "traces.db", Limits(), StoreMetrics(CollectorRegistry()), now=lambda: START_NS / 1e9
        )
        store.start()
        try:
            for first in range(parts):
                data = TracesData()
                for service, one, resource in spans[first::parts]:
                    data.MergeFrom(export_of(one, service=service, **resource))
                if data.resource_spans:
                    asyncio.run(store.submit("traces", data.SerializeToString(), "identity", "protobuf"))
            for query in asked:
                found = set(asyncio.run(store.read(lambda connection, query=query: find(connection, query))))
                expected: set[bytes] = set()
                for group in naive(spans, query):
                    if len(expected) + len(group) > query.limit:  # equally new: any of them will do
                        assert expected <= found <= expected | group
                        assert len(found) == query.limit
                        break
                    expected |= group
                else:
                    assert found == expected
        finally:
            store.stop()


ODD = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        (
            *("0", "-1", "99999999999999999999", "1e9", "NaN", "٣", "1_000", "+5", " 1"),
            *("1ms", "-1ms", "1h1h1h", "99999999h", ".s", "1us2", "∞s"),
            *("{}", "[]", "null", '{"a":null}', '{"a":"b"}', '{"":""}', '{"a":{"b":1}}', "[" * 3000, '"\\ud800"'),
            *("0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999-23:59", "2026-01-01T00:00:00+99:99"),
            *("a:b", ":", "error=true", "%00", "\x00", "../../etc/passwd", "'; DROP TABLE entry; --", "a" * 3000),
        )
    ),
)
NAMES = {
    "/api/traces": (
        *("service", "operation", "start", "end", "limit", "minDuration", "maxDuration"),
        *("tag", "tags", "traceID", "lookback", "raw", "prettyPrint"),
    ),
    "/api/v3/traces": tuple(
        f"query.{name}"
        for name in (
            *("serviceName", "operation_name", "startTimeMin", "start_time_max", "durationMin", "duration_max"),
            *("searchDepth", "num_traces", "attributes", "rawTraces"),
        )
    ),
    "/api/v3/operations": ("service", "span_kind"),
    "/api/operations": ("service", "spanKind"),
    "/api/dependencies": ("endTs", "lookback", "service"),
    "/api/logs": ("traceID", "spanID"),
    "/search": ("service", "operation", "tags", "lookback", "limit", "minDuration", "maxDuration", "start", "end"),
}
requests = st.sampled_from(sorted(NAMES)).flatmap(
    lambda path: st.tuples(st.just(path), st.lists(st.tuples(st.sampled_from(NAMES[path]), ODD), max_size=5))
)


@settings(max_examples=examples(250), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(requests)
def test_no_parameter_breaks_the_query_api(lab: Lab, request_: tuple[str, list[tuple[str, str]]]) -> None:
    """Whatever is asked, the answer is a result or says what is wrong with the question: never a 5xx."""
    path, parameters = request_
    query = urlencode(parameters, errors="replace")
    answer = lab.exporter.get(f"{lab.url}{path}?{query}")
    assert answer.status_code in {200, 400, 404}, answer.text


@settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(("/trace/", "/api/traces/", "/api/v3/traces/", "/api/services/")),
    st.text(min_size=1, max_size=20).filter(lambda text: text not in {".", ".."}),
)
def test_no_id_breaks_a_page(lab: Lab, path: str, text: str) -> None:
    """Nor does whatever stands where an id should."""
    answer = lab.exporter.get(lab.url + path + quote(text, safe="", errors="replace"))
    assert answer.status_code in {200, 400, 404}, answer.text
