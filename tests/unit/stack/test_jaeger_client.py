"""The client of Jaeger's query API, against the embedded store and against everything that is no such API."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal

import httpx
import pytest
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from tracestore_lab import PROTOBUF, attributes, export_of, running, span

from stack.clients.jaeger import JaegerClient, Trace, TraceNotFound
from stack.clients.source import UnexpectedAnswer
from stack.errors import QueryRefused, SourceUnreachable

# As Jaeger 1.x and 2.x print it: nulls for empty lists, references of both kinds, a process shared by spans.
JAEGER = {
    "data": [
        {
            "traceID": "23fff4a2edfb5b7b",
            "spans": [
                {
                    "traceID": "23fff4a2edfb5b7b",
                    "spanID": "02",
                    "flags": 1,
                    "operationName": "child",
                    "references": [
                        {"refType": "FOLLOWS_FROM", "traceID": "23fff4a2edfb5b7b", "spanID": "09"},
                        {"refType": "CHILD_OF", "traceID": "23fff4a2edfb5b7b", "spanID": "01"},
                    ],
                    "startTime": 1_700_000_000_500_000,
                    "duration": 250_000,
                    "tags": [
                        {"key": "error", "type": "bool", "value": True},
                        {"key": "n", "type": "float64", "value": 2.0},
                    ],
                    "logs": [
                        {
                            "timestamp": 1_700_000_000_600_000,
                            "fields": [{"key": "event", "type": "string", "value": "x"}],
                        }
                    ],
                    "processID": "p1",
                    "warnings": None,
                },
                {
                    "traceID": "23fff4a2edfb5b7b",
                    "spanID": "01",
                    "operationName": "root",
                    "references": None,
                    "startTime": 1_700_000_000_000_000,
                    "duration": 1_000_000,
                    "tags": None,
                    "logs": None,
                    "processID": "p1",
                },
            ],
            "processes": {"p1": {"serviceName": "shop", "tags": []}},
            "warnings": None,
        }
    ],
    "total": 0,
    "limit": 0,
    "offset": 0,
    "errors": None,
}


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Run a server until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def answering(status: int, body: bytes) -> Iterator[str]:
    """Run a server that answers everything alike."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its base class's name
            """Say nothing."""

    with serving(Handler) as url:
        yield url


def test_jaegers_own_json_is_read() -> None:
    """Seconds, parents by reference type, text values, spans by start time."""
    with answering(200, json.dumps(JAEGER).encode()) as url, JaegerClient(url) as client:
        trace = client.trace("23fff4a2edfb5b7b")
    root, child = trace.spans
    assert (trace.trace_id, trace.start, trace.duration_s, trace.root, trace.error) == (
        "23fff4a2edfb5b7b",
        1_700_000_000.0,
        1.0,
        root,
        True,
    )
    assert (root.operation, root.parent_id, root.service, root.tags, root.error) == ("root", None, "shop", {}, False)
    assert (child.parent_id, child.duration_s, child.tags, child.error) == (
        "01",
        0.25,
        {"error": "true", "n": "2"},
        True,
    )
    assert (child.events[0].name, child.events[0].time, child.events[0].attributes) == ("x", 1_700_000_000.6, {})


@pytest.mark.parametrize("api", ["v1", "v3"])
def test_every_condition_of_a_search_reaches_the_store(tmp_path: Path, api: Literal["v1", "v3"]) -> None:
    """Times in seconds, durations in seconds, tags and limit narrow a search of real spans."""
    with running(tmp_path) as lab, JaegerClient(lab.url, api=api) as client:
        now = time.time()
        lab.send(export_of(span("a", colour="red")), export_of(span("b", colour="blue"), service="other/service"))
        assert client.services() == ("firedrill", "other/service")
        assert client.operations("other/service") == ("b",)
        assert client.operations("nobody") == ()
        assert len(client.search("firedrill", operation="a", tags={"colour": "red"}, start=now - 5, end=now + 5)) == 1
        assert client.search("firedrill", start=now + 5) == ()
        assert client.search("firedrill", end=now - 5) == ()
        assert len(client.search("firedrill", min_duration_s=0.005, max_duration_s=0.005)) == 1
        assert client.search("firedrill", min_duration_s=0.0051) == ()
        assert client.search("firedrill", tags={"colour": "blue"}) == ()
        trace = client.search("firedrill", limit=1)[0]
        assert client.trace(trace.trace_id) == trace
        assert "colour" in httpx.get(client.page_url(trace.trace_id)).text
        assert trace.trace_id in httpx.get(client.search_url("firedrill", tags={"colour": "red"}, operation="a")).text


@pytest.mark.parametrize("api", ["v1", "v3"])
def test_an_unknown_trace_has_an_error_of_its_own(tmp_path: Path, api: Literal["v1", "v3"]) -> None:
    """It says that the store answered and does not have it."""
    with running(tmp_path) as lab, JaegerClient(lab.url, api=api) as client, pytest.raises(TraceNotFound, match="abc"):
        client.trace("abc")


@pytest.mark.parametrize("api", ["v1", "v3"])
def test_a_refusal_carries_the_reason(tmp_path: Path, api: Literal["v1", "v3"]) -> None:
    """The store's words reach whoever asked."""
    with (
        running(tmp_path) as lab,
        JaegerClient(lab.url, api=api) as client,
        pytest.raises(QueryRefused, match="not positive"),
    ):
        client.search("firedrill", limit=0)


def test_both_versions_tell_the_same_of_a_trace(tmp_path: Path) -> None:
    """Whichever API a trace comes by: the same tags as text, parents, events, errors; times to the microsecond."""
    root = span("root", text="x", yes=True, number=2**60, ratio=2.0, tiny=1e-7, trace_id=bytes(15) + b"\x05")
    for key, number in (("nan", float("nan")), ("inf", float("-inf"))):
        root.attributes.add(key=key).value.double_value = number
    root.attributes.add(key="blob").value.bytes_value = b"\x00\xff"
    root.attributes.add(key="list").value.array_value.values.add().int_value = -3
    root.attributes.add(key="map").value.kvlist_value.values.add(key="k").value.string_value = "v"
    root.attributes.add(key="unset").value.SetInParent()
    root.kind, root.trace_state = Span.SPAN_KIND_SERVER, "vendor=1"
    child, follower = span("child", parent=root, error="true"), span("follower", trace_id=root.trace_id)
    child.status.CopyFrom(Status(code=Status.STATUS_CODE_ERROR, message="boom"))
    child.events.add(name="e", time_unix_nano=child.start_time_unix_nano).attributes.extend(attributes({"n": 1.5}))
    follower.links.add(trace_id=root.trace_id, span_id=root.span_id)
    follower.status.code = Status.STATUS_CODE_OK
    with running(tmp_path) as lab, JaegerClient(lab.url) as newer, JaegerClient(lab.url, api="v1") as older:
        lab.send(export_of(root, follower), export_of(child, service=""))
        one, other = newer.trace("5"), older.trace("5")
        assert newer._api == "v3"
        assert newer.search("firedrill") == (one,)
        assert one.trace_id == other.trace_id == "0000000000000005"
        assert len(one.spans) == len(other.spans) == 3
        by_id = {each.span_id: each for each in other.spans}
        for each in one.spans:
            same = by_id[each.span_id]
            assert (each.start, each.duration_s) == pytest.approx((same.start, same.duration_s), abs=2e-6)
            assert [event.time for event in each.events] == pytest.approx([event.time for event in same.events])
            assert [(event.name, event.attributes) for event in each.events] == [
                (event.name, event.attributes) for event in same.events
            ]
            for field in ("parent_id", "operation", "service", "tags", "error"):
                assert getattr(each, field) == getattr(same, field), field


def test_an_answer_that_streams_is_one_answer() -> None:
    """The gateway may send a message a line: a trace that is spread over them is put together."""
    message = '{"result":{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"%s","spanId":"%s","name":"n"}]}]}]}}'
    lines = "\n".join(message % ("ab" * 16, f"{number:016x}") for number in (1, 2))
    with answering(200, lines.encode()) as url, JaegerClient(url, api="v3") as client:
        assert [one.span_id for one in client.trace("ab" * 16).spans] == ["0000000000000001", "0000000000000002"]


def test_log_records_come_from_a_store_that_has_them(tmp_path: Path) -> None:
    """By time, with their span; a Jaeger, which answers any path with its page, has none."""
    root = span("root")
    data = LogsData()
    record = data.resource_logs.add().scope_logs.add().log_records.add(trace_id=root.trace_id, span_id=root.span_id)
    record.time_unix_nano, record.severity_text, record.body.string_value = 10**18, "INFO", "hello"
    record.attributes.extend(attributes({"rows": 3}))
    with running(tmp_path) as lab, JaegerClient(lab.url) as client:
        body = data.SerializeToString()
        assert lab.exporter.post(f"{lab.otlp}/v1/logs", content=body, headers=PROTOBUF).status_code == 200
        (log,) = client.logs(root.trace_id.hex())
        assert client.logs("abc") == ()
    assert (log.time, log.severity, log.body, log.span_id) == (1e9, "INFO", "hello", root.span_id.hex())
    assert log.attributes == {"rows": "3"}
    with answering(200, b"<html>") as url, JaegerClient(url) as client:
        assert client.logs("abc") == ()


def test_nothing_there_is_unreachable() -> None:
    """A closed port is named, with what to do."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{holder.getsockname()[1]}"
        with JaegerClient(url) as client, pytest.raises(SourceUnreachable, match=f"{url}.*firedrill up"):
            client.services()


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"data": 3}', b'{"data": [{"traceID": 1}]}'])
def test_something_else_at_the_address_is_said(body: bytes) -> None:
    """A page of another program, or JSON of another shape, is no silent empty result."""
    with (
        answering(200, body) as url,
        JaegerClient(url) as client,
        pytest.raises(UnexpectedAnswer, match=r"unexpected answer"),
    ):
        client.search("firedrill")


def test_a_source_that_changes_is_found_out_anew() -> None:
    """After an answer that does not fit, the next question asks again which API is spoken there."""
    answers = {"/api/v3/services": b"<html>", "/api/services": b'{"data":["old"]}'}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = answers[self.path.partition("?")[0]]
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its base class's name
            """Say nothing."""

    with serving(Handler) as url, JaegerClient(url) as client:
        assert client.services() == ("old",)
        answers.update({"/api/v3/services": b'{"services":["new"]}', "/api/services": b"<html>"})
        with pytest.raises(UnexpectedAnswer):
            client.services()
        assert client.services() == ("new",)


def test_links_lead_where_a_browser_gets() -> None:
    """The pages may stand at another address than the one that is asked."""
    with JaegerClient("http://jaeger:16686", page_url="http://127.0.0.1:16686/") as client:
        assert client.page_url("ab") == "http://127.0.0.1:16686/trace/ab"
        assert client.search_url("a b").startswith("http://127.0.0.1:16686/search?service=a+b&")


def test_a_trace_without_spans_has_no_root() -> None:
    """The summary of nothing is nothing, not an exception."""
    trace = Trace("1", ())
    assert (trace.root, trace.start, trace.duration_s, trace.error) == (None, 0.0, 0.0, False)
