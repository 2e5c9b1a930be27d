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

import httpx
import pytest
from tracestore_lab import export_of, running, span

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

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


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


def test_every_condition_of_a_search_reaches_the_store(tmp_path: Path) -> None:
    """Times in seconds, durations in seconds, tags and limit narrow a search of real spans."""
    with running(tmp_path) as lab, JaegerClient(lab.url) as client:
        now = time.time()
        lab.send(export_of(span("a", colour="red")), export_of(span("b", colour="blue"), service="other/service"))
        assert client.services() == ("firedrill", "other/service")
        assert client.operations("other/service") == ("b",)
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


def test_an_unknown_trace_has_an_error_of_its_own(tmp_path: Path) -> None:
    """It says that the store answered and does not have it."""
    with running(tmp_path) as lab, JaegerClient(lab.url) as client, pytest.raises(TraceNotFound, match="abc"):
        client.trace("abc")


def test_a_refusal_carries_the_reason(tmp_path: Path) -> None:
    """The store's words reach whoever asked."""
    with running(tmp_path) as lab, JaegerClient(lab.url) as client, pytest.raises(QueryRefused, match="limit"):
        client.search("firedrill", limit=0)


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


def test_a_trace_without_spans_has_no_root() -> None:
    """The summary of nothing is nothing, not an exception."""
    trace = Trace("1", ())
    assert (trace.root, trace.start, trace.duration_s, trace.error) == (None, 0.0, 0.0, False)
