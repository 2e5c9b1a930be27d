"""Searching log records over HTTP: the embedded store's route by its client, the counts, Loki, and neither."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from test_jaeger_client import answering, serving
from tracestore_lab import MS, Lab, any_value, attributes, running

from stack.clients.logs import EmbeddedLogs, LogsClient, LogSearch, NoLogStore
from stack.clients.loki import LokiClient, selection
from stack.errors import QueryRefused, SourceUnreachable
from stack.tracestore.database import open_reader
from stack.tracestore.log_survey import severity_name, survey
from stack.tracestore.logs import LogQuery
from tests.ports import free_port

BEGAN = 1_700_000_000.0
TRACE = bytes(range(16))


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Run a store with 120 records of two services: one a second, every tenth an error, one with a trace."""
    with running(tmp_path_factory.mktemp("store")) as started:
        for number in range(120):
            data = LogsData()
            made_by = data.resource_logs.add()
            name = "shop" if number % 2 else "firedrill"
            made_by.resource.attributes.extend(attributes({"service.name": name, "host.name": "a"}))
            made_by.scope_logs.add().log_records.add(
                time_unix_nano=int((BEGAN + number) * 1e9) + MS,
                severity_number=9 if number % 10 else 17,
                severity_text="INFO" if number % 10 else "ERROR",
                body=any_value("request_failed" if number % 10 == 0 else "request_completed"),
                attributes=attributes({"request_id": f"r-{number}", "status_code": 200 + number}),
                trace_id=TRACE if number == 50 else b"",
                span_id=bytes(range(8)) if number == 50 else b"",
            )
            started.send_logs(data)
            if number == 7:
                started.send_logs(data)  # an exporter that missed its answer sends again
        yield started


def whole(**wanted: object) -> LogSearch:
    """Return a search over all of the two minutes."""
    return LogSearch(**{"start": BEGAN, "end": BEGAN + 120, "slots": 12, **wanted})  # type: ignore[arg-type]


def test_the_newest_come_first_and_all_are_counted(lab: Lab) -> None:
    """The list is cut at the limit, the counts are not; a record that came twice counts once."""
    with EmbeddedLogs(lab.url) as logs:
        assert logs.keeps_logs()
        assert logs.services() == ("firedrill", "shop")
        page = logs.search(whole(limit=5))
    assert [line.attributes["request_id"] for line in page.lines] == [f"r-{n}" for n in range(119, 114, -1)]
    counts = page.counts
    assert (counts.start, counts.complete_from, counts.total) == (BEGAN, BEGAN, 120)
    assert counts.step_s == pytest.approx(10.0, abs=1e-3)
    assert dict(counts.rows) == {"INFO": (9,) * 12, "ERROR": (1,) * 12}
    newest = page.lines[0]
    assert (newest.service, newest.severity, newest.body) == ("shop", "INFO", "request_completed")
    assert newest.attributes["status_code"] == "319"
    assert newest.resource == {"host.name": "a"}


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        ({"text": "failed", "service": "firedrill"}, range(110, -1, -10)),
        ({"text": "r-11"}, [119, 118, 117, 116, 115, 114, 113, 112, 111, 110, 11]),
        ({"request_id": "r-11"}, [11]),
        ({"request_id": "r-1"}, [1]),
        ({"least": "ERROR", "start": BEGAN + 95}, [110, 100]),
        ({"least": "FATAL"}, []),
        ({"trace_id": TRACE.hex()}, [50]),
        ({"trace_id": TRACE.hex().upper().lstrip("0")}, [50]),
        ({"trace_id": "f" * 32}, []),
        ({"service": "nobody"}, []),
        ({"start": BEGAN + 3.5, "end": BEGAN + 5.5}, [5, 4]),
        ({"text": "'; DROP TABLE block; --"}, []),
    ],
)
def test_filters_narrow_list_and_counts_alike(lab: Lab, wanted: dict[str, object], numbers: list[int]) -> None:
    """Text, service, severity, times, request and trace: what is listed is what is counted."""
    with EmbeddedLogs(lab.url) as logs:
        page = logs.search(whole(**wanted))
    assert [int(line.attributes["request_id"][2:]) for line in page.lines] == list(numbers)
    assert page.counts.total == len(list(numbers))
    if wanted.get("trace_id") and page.lines:
        assert (page.lines[0].trace_id, page.lines[0].span_id) == (
            TRACE.hex().lstrip("0").zfill(32),
            "0001020304050607",
        )


@pytest.mark.parametrize(
    "wrong",
    ["start=soon", "severity=25", "limit=0", "slots=0", "slots=9999", "traceID=xyz!", "attribute=x", "start=9&end=1"],
)
def test_a_bad_question_is_refused_in_words(lab: Lab, wrong: str) -> None:
    """400 and the parameter's name, as Jaeger's own API says it."""
    answer = httpx.get(f"{lab.url}/api/logs/search?{wrong}")
    assert answer.status_code == 400
    [problem] = answer.json()["errors"]
    assert wrong.partition("=")[0] in problem["msg"] or "'start'" in problem["msg"]


def test_the_client_says_what_the_store_refused(lab: Lab) -> None:
    """A trace id that is none is no breakdown but an error in the store's words."""
    with EmbeddedLogs(lab.url) as logs, pytest.raises(QueryRefused, match="not a trace id"):
        logs.search(whole(trace_id="xyz!"))


def test_a_survey_that_stops_early_says_from_when_on_it_is_complete(lab: Lab) -> None:
    """With a bound on what is read, the newest are there, and counts are right from the time that is told."""
    query = LogQuery(start_ns=int(BEGAN * 1e9), end_ns=int((BEGAN + 120) * 1e9), limit=3)
    with closing(open_reader(lab.path)) as connection:
        full = survey(connection, query, slots=120)
        part = survey(connection, query, slots=120, most_read=20)
    assert full.complete_from_ns == query.start_ns
    assert [record.attributes["request_id"] for record in part.records] == ["r-119", "r-118", "r-117"]
    if part.matched < full.matched:  # small blocks are merged while the store is quiet; one block is read whole
        first = (part.complete_from_ns - part.start_ns) // part.step_ns + 1
        assert first > 1
        for name, row in full.counts.items():
            assert part.counts[name][first:] == row[first:]


def test_severity_numbers_have_their_ranges_names() -> None:
    """As OpenTelemetry's data model has them."""
    names = [severity_name(number) for number in (0, 1, 4, 5, 9, 12, 13, 16, 17, 20, 21, 24, 99)]
    assert names == [
        "UNSET",
        "TRACE",
        "TRACE",
        "DEBUG",
        "INFO",
        "INFO",
        "WARN",
        "WARN",
        "ERROR",
        "ERROR",
        *["FATAL"] * 3,
    ]


class _Loki(BaseHTTPRequestHandler):
    """Answers written by hand after Loki's documentation, not recorded from one."""

    def do_GET(self) -> None:
        target = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(target.query).items()}
        status, body = 200, self._answer(target.path, query)
        if body is None:
            status, raw = 400, b"parse error at line 1, col 2: syntax error"
        else:
            raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json" if body else "text/plain")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    @staticmethod
    def _answer(path: str, query: dict[str, str]) -> object:
        if path == "/loki/api/v1/label/service_name/values":
            return {"status": "success", "data": ["firedrill"]}
        if path != "/loki/api/v1/query_range" or "syntax" in query["query"]:
            return None
        if query["query"].startswith("sum by"):
            points = [[BEGAN + 10, "3"], [BEGAN + 120, "2"]]
            result: list[object] = [{"metric": {"severity_text": "ERROR"}, "values": points}]
            return {"status": "success", "data": {"resultType": "matrix", "result": result}}
        labels = {
            "service_name": "firedrill", "severity_text": "ERROR", "severity_number": "17", "trace_id": TRACE.hex(),
            "span_id": "0001020304050607", "request_id": "r-50", "detected_level": "error",
        }  # fmt: skip
        streams = [
            {"stream": labels, "values": [[f"{int(BEGAN)}000000001", "request_failed"]]},
            {"stream": {"service_name": "firedrill"}, "values": [[f"{int(BEGAN) + 5}000000000", "later"]]},
        ]
        return {"status": "success", "data": {"resultType": "streams", "result": streams}}

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its base class's name
        """Say nothing."""


def test_loki_is_asked_in_its_language_and_read() -> None:
    """Lines and counts by Loki's documented shapes; a refusal in its words."""
    with serving(_Loki) as url, LokiClient(url) as loki:
        assert loki.services() == ("firedrill",)
        page = loki.search(whole())
        later, failed = page.lines
        assert (later.body, later.severity, later.trace_id) == ("later", "", "")
        assert (failed.body, failed.severity, failed.trace_id) == ("request_failed", "ERROR", TRACE.hex())
        assert failed.attributes == {"request_id": "r-50"}
        assert dict(page.counts.rows) == {"ERROR": (3, *[0] * 10, 2)}
        with pytest.raises(QueryRefused, match="parse error"):
            loki.search(whole(text="syntax"))


def test_what_a_person_types_stays_text_in_logql() -> None:
    """Quotes and braces do not end the selector."""
    wanted = whole(text='a"} | b', service='x"y', least="WARN", trace_id="AB", request_id="r\\1")
    assert selection(wanted) == (
        '{service_name="x\\"y"} |= "a\\"} | b" | severity_number >= 13 | trace_id="ab" | request_id="r\\\\1"'
    )


def test_the_client_finds_whoever_keeps_logs(lab: Lab) -> None:
    """The embedded store before Loki; Loki behind a Jaeger; neither is said; a store that is away is unreachable."""
    nowhere = f"http://127.0.0.1:{free_port()}"
    with serving(_Loki) as loki, answering(404, b"404 page not found\n") as jaeger:
        assert LogsClient(EmbeddedLogs(lab.url), LokiClient(loki)).services() == ("firedrill", "shop")
        assert LogsClient(EmbeddedLogs(jaeger), LokiClient(loki)).search(whole()).lines[0].body == "later"
        with pytest.raises(NoLogStore, match="keeps no log records"):
            LogsClient(EmbeddedLogs(jaeger), LokiClient(nowhere)).services()
        with pytest.raises(SourceUnreachable):
            LogsClient(EmbeddedLogs(nowhere), LokiClient(nowhere)).services()


def test_a_search_over_many_records_stays_quick_to_count(lab: Lab) -> None:
    """An hour ago there is nothing: no block is read, and every severity is missing from the counts."""
    with EmbeddedLogs(lab.url) as logs:
        page = logs.search(whole(start=time.time() - 3600, end=time.time()))
    assert (page.lines, page.counts.rows) == ((), ())


def test_every_path_below_logs_is_answered(lab: Lab) -> None:
    """The route by trace, which the pages of traces use, is still there beside the search."""
    assert httpx.get(f"{lab.url}/api/logs", params={"traceID": os.urandom(16).hex()}).json()["data"] == []
