"""Log records out of the store: by trace, by search, after merging, restarts and an older layout of the file."""

from __future__ import annotations

import gzip
import json
import os
import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from tracestore_lab import MS, Lab, any_value, attributes, eventually, export_of, logs_export, running, span

from stack.tracestore.database import VERSION, WITHOUT_LOG_INDEX
from stack.tracestore.limits import Limits
from stack.tracestore.logs import LogQuery, LogRecord
from stack.tracestore.model import NO_SERVICE

SERVICES = ("firedrill", "checkout", "billing")
WORDS = ("prediction", "failed", "queue", "Größe", "drift", "x")


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """Run a store."""
    with running(tmp_path) as started:
        yield started


def bodies(records: tuple[LogRecord, ...]) -> list[str]:
    """Return what records say."""
    return [record.body for record in records]


def test_a_record_is_told_whole(lab: Lab) -> None:
    """Time, severity, body, attributes, ids, service, scope and resource come back as they were sent."""
    data = LogsData()
    made_by = data.resource_logs.add()
    made_by.resource.attributes.extend(attributes({"service.name": "shop", "host.name": "a"}))
    scope = made_by.scope_logs.add()
    scope.scope.name = "app.log"
    scope.log_records.add(
        time_unix_nano=5 * MS,
        severity_number=17,
        severity_text="ERROR",
        body=any_value("it broke"),
        attributes=attributes({"code": 7, "ratio": 0.5, "fatal": True}),
        trace_id=bytes(range(16)),
        span_id=bytes(range(8)),
    )
    lab.send_logs(data)
    expected = LogRecord(
        time_unix_nano=5 * MS,
        severity_number=17,
        severity_text="ERROR",
        body="it broke",
        attributes={"code": 7, "ratio": 0.5, "fatal": True},
        trace_id=bytes(range(16)).hex(),
        span_id=bytes(range(8)).hex(),
        service="shop",
        scope="app.log",
        resource={"host.name": "a"},
    )
    assert lab.logs_of(bytes(range(16))) == (expected,)
    assert lab.search_logs(LogQuery()) == (expected,)


def test_what_a_record_lacks_is_empty(lab: Lab) -> None:
    """No ids, no time, no severity, no service: the time of observation, no text, and Jaeger's name for nobody."""
    data = LogsData()
    records = data.resource_logs.add().scope_logs.add().log_records
    records.add(observed_time_unix_nano=9, trace_id=bytes(16), span_id=b"short")
    lab.send_logs(data)
    [record] = lab.search_logs(LogQuery())
    assert (record.time_unix_nano, record.trace_id, record.span_id, record.body) == (9, "", "", "")
    assert (record.severity_number, record.severity_text, record.service) == (0, "", NO_SERVICE)
    assert lab.logs_of(bytes(16)) == ()


def test_the_logs_of_a_trace_come_by_time_and_each_once(lab: Lab) -> None:
    """Records of one trace from several exports are sorted; an export that was sent again adds nothing."""
    trace_id = os.urandom(16)
    first, other = logs_export("first", "second", trace_id=trace_id), logs_export("else", trace_id=os.urandom(16))
    third = logs_export("third", trace_id=trace_id)
    lab.send_logs(third, other, first, first)
    assert bodies(lab.logs_of(trace_id)) == ["first", "second", "third"]
    assert lab.logs_of(os.urandom(16)) == ()


def test_json_logs_arrive_with_hex_ids_also_zipped(lab: Lab) -> None:
    """OTLP's JSON: ids in hex, numbers as text, maps as bodies."""
    trace_id, span_id = os.urandom(16), os.urandom(8)
    record = {
        "timeUnixNano": str(time.time_ns()),
        "severityNumber": 13,
        "severityText": "WARN",
        "body": {"kvlistValue": {"values": [{"key": "event", "value": {"stringValue": "late"}}]}},
        "attributes": [{"key": "n", "value": {"intValue": "5"}}],
        "traceId": trace_id.hex(),
        "spanId": span_id.hex().upper(),
        "someNewField": {"ignored": True},
    }
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "js"}}]}
    document = {"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": [record]}]}]}
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    content = gzip.compress(json.dumps(document).encode())
    answer = httpx.post(f"{lab.otlp}/v1/logs", content=content, headers=headers)
    assert (answer.status_code, answer.json()) == (200, {})
    [found] = lab.logs_of(trace_id)
    assert (found.body, found.span_id, found.attributes, found.service) == (
        '{"event":"late"}',
        span_id.hex(),
        {"n": 5},
        "js",
    )
    assert lab.search_logs(LogQuery(service="js", text="late", severity_min=13)) == (found,)


@pytest.mark.parametrize("seed", range(3))
def test_a_search_agrees_with_a_plain_look_at_everything(lab: Lab, seed: int) -> None:
    """For any service, text, severity, span of time and limit, the newest matching records are found."""
    drawn = random.Random(seed)
    everything: list[tuple[int, str, int, str]] = []
    for number in range(60):
        data = LogsData()
        for service in drawn.sample(SERVICES, drawn.randrange(1, 3)):
            made_by = data.resource_logs.add()
            made_by.resource.attributes.extend(attributes({"service.name": service}))
            records = made_by.scope_logs.add().log_records
            for _ in range(drawn.randrange(1, 30)):
                time_ns = drawn.randrange(1, 1000) * 1000 + len(everything) % 1000
                severity, text = drawn.randrange(25), f"{drawn.choice(WORDS)} {drawn.choice(WORDS)} {number}"
                record = records.add(time_unix_nano=time_ns, severity_number=severity)
                if drawn.random() < 0.5:
                    record.body.string_value = text
                else:
                    record.attributes.extend(attributes({"said": text}))
                everything.append((time_ns, service, severity, text))
        lab.send_logs(data)
    for _ in range(60):
        query = LogQuery(
            service=drawn.choice((None, "nobody", *SERVICES)),
            text=drawn.choice(("", "absent", "größe", *WORDS, "failed que", "7")),
            severity_min=drawn.choice((0, 5, 17, 24)),
            start_ns=drawn.choice((None, drawn.randrange(1_000_000))),
            end_ns=drawn.choice((None, drawn.randrange(1_000_000))),
            limit=drawn.choice((1, 5, 100, 10_000)),
        )
        expected = sorted(
            (
                time_ns
                for time_ns, service, severity, text in everything
                if query.service in {None, service}
                and severity >= query.severity_min
                and query.text in text
                and (query.start_ns or 0) <= time_ns <= (10**9 if query.end_ns is None else query.end_ns)
            ),
            reverse=True,
        )[: query.limit]
        found = lab.search_logs(query)
        assert [record.time_unix_nano for record in found] == expected
        assert {record.service for record in found} <= {query.service} if query.service else True


def test_small_exports_of_logs_are_merged_and_stay_findable(lab: Lab) -> None:
    """A hundred exports of one record become few blocks; each record is found by its trace and by its text."""
    ids = [os.urandom(16) for _ in range(100)]
    for number, trace_id in enumerate(ids):
        lab.send_logs(logs_export(f"record {number}.", trace_id=trace_id, severity=1 + number % 24))
    with closing(sqlite3.connect(lab.path)) as connection:
        assert connection.execute("SELECT count(*) FROM block").fetchone()[0] < 60
    for number, trace_id in enumerate(ids):
        assert bodies(lab.logs_of(trace_id)) == [f"record {number}."]
        assert bodies(lab.search_logs(LogQuery(text=f"record {number}."))) == [f"record {number}."]
    assert len(lab.search_logs(LogQuery(severity_min=24))) == 4


def test_a_file_of_the_layout_before_is_brought_up_to_date(tmp_path: Path) -> None:
    """Traces and logs of an older file are kept, and its logs can be searched."""
    one, trace_id = span("kept"), os.urandom(16)
    with running(tmp_path) as lab:
        lab.send(export_of(one))
        lab.send_logs(logs_export("old news", trace_id=trace_id, severity=17))
        path = lab.path
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(f"DROP TABLE log_entry; PRAGMA user_version = {WITHOUT_LOG_INDEX};")
    with running(tmp_path) as lab:
        assert bodies(lab.logs_of(trace_id)) == ["old news"]
        assert bodies(lab.search_logs(LogQuery(service="firedrill", severity_min=17))) == ["old news"]
        assert httpx.get(f"{lab.url}/api/traces/{one.trace_id.hex()}").status_code == 200
        assert httpx.get(f"{lab.url}/health").json()["notices"] == []
    assert not path.with_name("traces.db.damaged").exists()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone()[0] == VERSION


def test_evicted_logs_leave_nothing_behind(tmp_path: Path) -> None:
    """When records are too old, their index goes with them."""
    clock = [time.time()]
    with running(tmp_path, Limits(max_age_s=60), now=lambda: clock[0]) as lab:
        lab.send_logs(logs_export(trace_id=os.urandom(16)))
        clock[0] += 100
        eventually(lambda: lab.value("tracestore_stored_items", signal="logs") == 0)
        assert lab.value("tracestore_evicted_items_total", signal="logs", reason="age") == 1
        with closing(sqlite3.connect(lab.path)) as connection:
            for table in ("block", "log_entry", "trace_block"):
                assert connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] == 0  # noqa: S608 - from above
