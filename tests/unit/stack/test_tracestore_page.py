"""The pages of the trace store: what a person sees, and what an attacker does not get to run."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser

import httpx
import pytest
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from tracestore_lab import MS, PROTOBUF, Lab, attributes, export_of, running, span

from stack.tracestore.model import Resource, Scope, StoredSpan, StoredTrace
from stack.tracestore.page.search import typed_tags
from stack.tracestore.page.waterfall import lay_out

EVIL = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Run a store."""
    with running(tmp_path_factory.mktemp("pages")) as started:
        yield started


class Elements(HTMLParser):
    """Collects the elements of a page as a browser would see them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.words: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        """Note text."""
        self.words.append(data)


def send_logs(lab: Lab, of: Span, *records: tuple[str, int]) -> None:
    """Store log records of a span: body and severity number, a millisecond apart."""
    data = LogsData()
    source = data.resource_logs.add()
    source.resource.attributes.extend(attributes({"service.name": "firedrill"}))
    scope = source.scope_logs.add()
    for place, (body, severity) in enumerate(records):
        record = scope.log_records.add(trace_id=of.trace_id, span_id=of.span_id, severity_number=severity)
        record.time_unix_nano = of.start_time_unix_nano + place * MS
        record.severity_text = {9: "INFO", 13: "WARN", 17: "ERROR"}[severity]
        record.body.string_value = body
        record.attributes.extend(attributes({"request_id": body}))
    answer = lab.exporter.post(f"{lab.otlp}/v1/logs", content=data.SerializeToString(), headers=PROTOBUF)
    assert answer.status_code == 200


def faulty_trace(lab: Lab) -> Span:
    """Store a trace of three spans, the last of which a fault hit; return its root."""
    root = span("POST /predict")
    child = span("model_prediction", parent=root, rows=3)
    child.status.CopyFrom(Status(code=Status.STATUS_CODE_ERROR, message="injected"))
    event = child.events.add(name="fault.injected", time_unix_nano=child.start_time_unix_nano + MS)
    event.attributes.extend(attributes({"fault.kind": "error", "fault.id": "f-17"}))
    lab.send(export_of(root, child, host="here"), export_of(span("query", parent=child), service="database"))
    return root


def test_the_page_of_a_trace_tells_its_story(lab: Lab) -> None:
    """Operations, services, duration, the error, the fault with its facts, tags and process: all in plain HTML."""
    root = faulty_trace(lab)
    answer = httpx.get(f"{lab.url}/trace/{root.trace_id.hex()}")
    assert answer.status_code == 200
    text = " ".join(Elements(answer.text).words)
    for words in ("POST /predict", "model_prediction", "query", "database", "5.00 ms", "error", "here", "f-17", "rows"):
        assert words in text
    assert "Injected fault: error" in " ".join(text.split())
    assert answer.text.count('class="mark fault-mark"') == 1
    assert answer.text.count('<details class="line bad"') == 1


def test_the_page_loads_nothing_and_runs_nothing(lab: Lab) -> None:
    """No script, no foreign asset, and a policy that would forbid both."""
    root = faulty_trace(lab)
    for path in (f"/trace/{root.trace_id.hex()}?open=all", "/search", "/trace/1...2", "/nowhere"):
        answer = httpx.get(lab.url + path)
        page = Elements(answer.text)
        assert not page.tags & {"script", "img", "iframe", "object"}
        for name, value in page.attributes:
            assert not name.startswith("on")
            if name in {"href", "src", "action"}:
                assert value.startswith(("/", "data:,", "#"))
        assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_hostile_text_stays_text(lab: Lab) -> None:
    """Markup in any name, key or value, or in the address, is shown and never becomes an element."""
    root = span(EVIL, **{EVIL: EVIL})
    root.trace_state = EVIL
    root.status.CopyFrom(Status(code=Status.STATUS_CODE_ERROR, message=EVIL))
    root.events.add(name=EVIL).attributes.extend(attributes({EVIL: EVIL}))
    root.events.add(name="fault.injected").attributes.extend(attributes({"fault.kind": EVIL}))
    root.links.add(trace_id=b"\x01" * 16, span_id=b"\x01" * 8).attributes.extend(attributes({EVIL: EVIL}))
    lab.send(export_of(root, service=EVIL, **{EVIL: EVIL}))
    send_logs(lab, root, (EVIL, 17), ("harmless", 9))
    for path, params in (
        (f"/trace/{root.trace_id.hex()}", {"uiFind": EVIL}),
        ("/search", {"service": EVIL}),
        ("/search", {"service": EVIL, "operation": EVIL, "tags": EVIL, "limit": EVIL}),
        ("/search", {"lookback": EVIL, "minDuration": EVIL, "maxDuration": EVIL, "start": EVIL, "end": EVIL}),
        ("/search", {"traceID": EVIL}),
        (f"/trace/{EVIL}", {}),
        (f"/trace/{EVIL}...{EVIL}", {}),
        (f"/{EVIL}", {}),
        ("/", {}),
    ):
        answer = httpx.get(lab.url + path, params=params, follow_redirects=True)
        page = Elements(answer.text)
        assert not page.tags & {"script", "img"}, path
        assert not any(name.startswith("on") for name, _ in page.attributes), path
        assert answer.headers["content-type"].startswith("text/html")


def test_an_unknown_trace_is_a_friendly_404(lab: Lab) -> None:
    """The page says what may have happened and leads back."""
    answer = httpx.get(f"{lab.url}/trace/00000000000000000000000000000abc")
    assert answer.status_code == 404
    assert "Trace not found" in answer.text
    assert 'href="/search"' in answer.text
    assert httpx.get(f"{lab.url}/trace/nonsense").status_code == 400
    assert httpx.get(f"{lab.url}/nowhere").status_code == 404


def test_the_first_page_lists_recent_traces_and_searches(lab: Lab) -> None:
    """Opening the port shows traces with links; the form's parameters are those of search links; a mistake is said."""
    root = faulty_trace(lab)
    link = f'href="/trace/{root.trace_id.hex()}"'
    assert link in httpx.get(f"{lab.url}/", follow_redirects=True).text
    assert link in httpx.get(f"{lab.url}/search", params={"tags": 'error=true  fault.kind="error"', "limit": ""}).text
    assert link in httpx.get(f"{lab.url}/search", params={"service": "firedrill", "tags": '{"error":"true"}'}).text
    assert link not in httpx.get(f"{lab.url}/search", params={"tags": '{"error":"never"}'}).text
    wrong = httpx.get(f"{lab.url}/search", params={"minDuration": "long"})
    assert (wrong.status_code, "unable to parse param" in wrong.text) == (400, True)


def test_the_form_shows_what_was_asked_and_offers_what_there_is(lab: Lab) -> None:
    """Fields keep their values, the operations of the chosen service are offered, an id leads to its trace."""
    root = faulty_trace(lab)
    asked = {"service": "firedrill", "tags": "error=true", "minDuration": "1ms", "limit": "7", "lookback": "1h"}
    page = Elements(httpx.get(f"{lab.url}/search", params=asked).text)
    values = [value for name, value in page.attributes if name == "value"]
    assert {"error=true", "1ms", "7", "POST /predict", "model_prediction"} <= set(values)
    times = {"start": "1", "end": "17", "service": "firedrill"}
    for lookback, kept in (("1h", False), ("custom", True)):
        page = httpx.get(f"{lab.url}/search", params=times | {"lookback": lookback}).text
        assert ('name="end" value="17"' in page) is kept
        assert "No trace matches" in page
    opened = httpx.get(f"{lab.url}/search", params={"traceID": f" {root.trace_id.hex()} "})
    assert (opened.status_code, opened.headers["location"]) == (302, f"/trace/{root.trace_id.hex()}")


@pytest.mark.parametrize(
    ("typed", "tags"),
    [
        ("", ""),
        ('{"a":"b"}', '{"a":"b"}'),
        ("a=b", '{"a": "b"}'),
        ('a=b  http.url="x y=\\"z\\"" c=', '{"a": "b", "http.url": "x y=\\"z\\"", "c": ""}'),
        ("just words", "just words"),
        ("a=b stray", "a=b stray"),
    ],
)
def test_tags_may_be_typed_without_braces(typed: str, tags: str) -> None:
    """Pairs become the JSON of a search link; what is neither stays for the parser to refuse."""
    assert typed_tags(typed) == tags


def test_the_logs_of_a_span_stand_with_it_and_all_together_below(lab: Lab) -> None:
    """Bodies, severities and attributes; the list below leads to each record's span."""
    root = faulty_trace(lab)
    send_logs(lab, root, ("request_received", 9), ("slow_answer", 13), ("request_failed", 17))
    text = httpx.get(f"{lab.url}/trace/{root.trace_id.hex()}").text
    anchor = f"span-{root.span_id.hex()}"
    span_part = text.partition(f'id="{anchor}"')[2].partition("</details>")[0]
    for body in ("request_received", "slow_answer", "request_failed"):
        assert text.count(f">{body}</") == 3  # as body and as attribute at the span, and in the list
        assert body in span_part
    assert text.count(f'<a href="#{anchor}">POST /predict</a>') == 3
    assert 'severity bad">ERROR' in text


def test_links_lead_on(lab: Lab) -> None:
    """A link into another trace opens that page at the span, one within the trace leads to the line."""
    root = span("root")
    root.links.add(trace_id=b"\x07" * 16, span_id=b"\x08" * 8).attributes.extend(attributes({"why": "retry"}))
    root.links.add(trace_id=root.trace_id, span_id=root.span_id)
    lab.send(export_of(root))
    text = httpx.get(f"{lab.url}/trace/{root.trace_id.hex()}").text
    assert f'href="/trace/{"07" * 16}#span-{"08" * 8}"' in text
    assert f'href="#span-{root.span_id.hex()}"' in text
    assert "retry" in text


def test_two_traces_in_one_address_are_offered_one_by_one(lab: Lab) -> None:
    """Jaeger's link for comparing leads to a page that says what to do."""
    answer = httpx.get(f"{lab.url}/trace/aa...bb")
    assert answer.status_code == 404
    assert 'href="/trace/aa"' in answer.text
    assert 'href="/trace/bb"' in answer.text


def test_a_search_within_the_trace_marks_spans(lab: Lab) -> None:
    """The ``uiFind`` of Jaeger's deep links marks what contains the text."""
    root = faulty_trace(lab)
    page = httpx.get(f"{lab.url}/trace/{root.trace_id.hex()}", params={"uiFind": "ROWS=3"}).text
    assert page.count(" found") == 1
    assert "1 of 3 spans contain it" in page
    both = httpx.get(f"{lab.url}/trace/{root.trace_id.hex()}", params={"uiFind": " rows=3  POST "}).text
    assert "2 of 3 spans contain it" in both


def stored(span_id: int, parent_id: int, start_ms: int, length_ms: int) -> StoredSpan:
    """Return a stored span by small numbers; parent 0 is none."""
    return StoredSpan(
        trace_id=b"t" * 16,
        span_id=span_id.to_bytes(8, "big"),
        parent_id=parent_id.to_bytes(8, "big") if parent_id else b"",
        name=str(span_id),
        kind=0,
        start_ns=start_ms * MS,
        end_ns=(start_ms + length_ms) * MS,
        attributes={},
        events=(),
        links=(),
        status=0,
        status_message="",
        trace_state="",
        resource=Resource("s", {}),
        scope=Scope("", "", {}),
    )


def test_the_waterfall_nests_and_scales() -> None:
    """Children follow their parent by start; bars are shares of the whole; a span without its parent stands on top."""
    trace = StoredTrace(
        b"t" * 16,
        (stored(1, 0, 0, 100), stored(3, 1, 20, 10), stored(2, 1, 50, 50), stored(4, 3, 25, 5), stored(5, 9, 60, 0)),
    )
    waterfall = lay_out(trace)
    assert [(line.span.name, line.depth) for line in waterfall.lines] == [
        ("1", 0),
        ("3", 1),
        ("4", 2),
        ("2", 1),
        ("5", 0),
    ]
    assert [(line.left, line.width) for line in waterfall.lines][:2] == [(0.0, 1.0), (0.2, 0.1)]
    assert [line.orphan for line in waterfall.lines] == [False, False, False, False, True]
    assert waterfall.ticks_ns[-1] == 100 * MS
    assert waterfall.depth == 2


def test_a_circle_of_parents_ends() -> None:
    """Spans that are each other's parents, or their own, show once each."""
    trace = StoredTrace(b"t" * 16, (stored(1, 2, 0, 1), stored(2, 1, 0, 1), stored(3, 3, 0, 1)))
    assert sorted(line.span.name for line in lay_out(trace).lines) == ["1", "2", "3"]
