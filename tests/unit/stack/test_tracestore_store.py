"""What the trace store keeps: through kills, restarts, damage, full disks, and within its bounds."""

from __future__ import annotations

import os
import re
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing, suppress
from pathlib import Path

import httpx
import pytest
from tracestore_lab import PROTOBUF, eventually, export_of, running, span
from tracestore_process import ROOT, Process, process

from stack.clients.jaeger import JaegerClient
from stack.errors import QueryRefused, SourceUnreachable
from stack.tracestore.database import VERSION
from stack.tracestore.errors import BadSetting, StoreUnavailable
from stack.tracestore.limits import MIB, Limits
from tests.levels import thorough


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    """Killed in the middle of many exports, the store has every one that it had answered with 200."""
    acknowledged: list[bytes] = []

    def export(store: Process) -> None:
        for _ in range(500):
            one = span("precious", parent=None)
            try:
                if store.post(one, span("child", parent=one)).status_code == 200:
                    acknowledged.append(one.trace_id)
            except httpx.TransportError:
                return

    with process(tmp_path / "home") as store:
        exporters = [threading.Thread(target=export, args=(store,)) for _ in range(3)]
        for exporter in exporters:
            exporter.start()
        eventually(lambda: len(acknowledged) >= 60)
        store.popen.send_signal(signal.SIGKILL)
        store.popen.wait(20)
        for exporter in exporters:
            exporter.join(20)
    assert len(acknowledged) < 1500
    with process(tmp_path / "home") as store, store.client() as client:
        for trace_id in acknowledged:
            assert len(client.trace(trace_id.hex()).spans) == 2
        assert "damaged" not in store.log.read_text()


def test_a_stop_leaves_one_tidy_file(tmp_path: Path) -> None:
    """SIGTERM ends the process soon; the log of the database is folded in."""
    with process(tmp_path / "home") as store:
        assert store.post(span()).status_code == 200
        store.popen.terminate()
        store.popen.wait(10)
    assert [path.name for path in (tmp_path / "home" / "data" / "traces").iterdir()] == ["traces.db"]


def test_a_disk_that_takes_no_more_is_a_503_and_then_it_goes_on(tmp_path: Path) -> None:
    """While the database cannot grow, exporters are told to come back and old traces can be read; then it goes on."""
    with process(tmp_path / "home") as store, store.client() as client:
        first = span("first")
        assert store.post(first).status_code == 200
        unlimited = resource.prlimit(store.popen.pid, resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
        big = [span("big", noise=os.urandom(40_000).hex()) for _ in range(4)]
        answer = store.post(*big)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        health = httpx.get(store.endpoints.url("tracestore", "/health")).json()
        assert (health["status"], bool(health["detail"])) == ("degraded", True)
        assert client.trace(first.trace_id.hex()).spans
        resource.prlimit(store.popen.pid, resource.RLIMIT_FSIZE, unlimited)
        assert store.post(*big).status_code == 200
        assert httpx.get(store.endpoints.url("tracestore", "/health")).json()["status"] == "healthy"
        assert client.trace(big[0].trace_id.hex()).spans


def test_a_busy_port_is_named(tmp_path: Path) -> None:
    """The second store on the same ports says which one is taken and ends."""
    with process(tmp_path / "home") as store:
        settings = {"FIREDRILL_HOME": str(tmp_path / "b"), "FIREDRILL_PORT_OFFSET": str(store.endpoints.offset)}
        second = subprocess.run(
            [sys.executable, "-m", "stack.tracestore"],
            env=os.environ | settings | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert second.returncode == 1
    assert f"127.0.0.1:{store.endpoints.port('tracestore')}" in second.stderr
    assert "Traceback" not in second.stderr


@pytest.mark.parametrize("damage", ["garbage", "truncated", "foreign"])
def test_a_damaged_file_is_put_aside_at_the_start(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The store starts with an empty database, keeps the damaged one beside it, and says why."""
    with running(tmp_path) as lab:
        lab.send(export_of(span()))
        path = lab.path
    if damage == "garbage":
        path.write_bytes(os.urandom(50_000))
    elif damage == "truncated":
        path.write_bytes(path.read_bytes()[:5000])
    else:
        path.unlink()
        with closing(sqlite3.connect(path)) as other:
            other.execute(f"PRAGMA user_version = {VERSION + 1}")
    before = path.read_bytes()
    with running(tmp_path) as lab, JaegerClient(lab.url) as client:
        lab.send(export_of(one := span()))
        assert len(client.search("firedrill")) == 1
        assert client.trace(one.trace_id.hex()).spans
    assert path.with_name("traces.db.damaged").read_bytes() == before
    assert "cannot be used" in caplog.text


def test_damage_while_running_costs_what_is_stored_and_no_more(tmp_path: Path) -> None:
    """When the file turns bad under a running store, it is replaced and ingest goes on."""
    with running(tmp_path) as lab, JaegerClient(lab.url) as client:
        for _ in range(30):
            lab.send(export_of(*(span("old", noise=os.urandom(500).hex()) for _ in range(40))))
        with closing(sqlite3.connect(lab.path)) as other:
            other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        size = lab.path.stat().st_size
        with lab.path.open("r+b") as stream:
            stream.seek(4096)
            stream.write(os.urandom(size - 4096))
        eventually(lambda: _replaced(client, lab.path))
        lab.send(export_of(span("new")))
        assert client.operations("firedrill") == ("new",)
        assert lab.value("tracestore_database_damaged_total") == 1


def _replaced(client: JaegerClient, path: Path) -> bool:
    with suppress(QueryRefused, SourceUnreachable):  # what a search hears while the file is bad
        client.search("firedrill", tags={"noise": "none"})
    return path.with_name("traces.db.damaged").exists()


@thorough
def test_the_file_stays_within_its_bytes_while_ingest_goes_on(tmp_path: Path) -> None:
    """The oldest traces go, the newest stay, the file and its log never pass the limit by much."""
    limit = 4 * MIB
    with running(tmp_path, Limits(max_bytes=limit)) as lab, JaegerClient(lab.url) as client:
        first = span("first")
        lab.send(export_of(first))
        for number in range(60):
            lab.send(export_of(*(span(f"batch {number}", noise=os.urandom(500).hex()) for _ in range(200))))
            assert lab.path.stat().st_size <= limit
        eventually(lambda: lab.value("tracestore_stored_bytes") <= 0.9 * limit)
        operations = client.operations("firedrill")
        assert "batch 59" in operations
        assert "first" not in operations
        assert "batch 0" not in operations
        evicted = lab.value("tracestore_evicted_items_total", signal="traces", reason="bytes")
        assert evicted + lab.value("tracestore_stored_items", signal="traces") == 1 + 60 * 200
        assert evicted > 0


def test_old_traces_go(tmp_path: Path) -> None:
    """What was received longer ago than the limit is deleted, also without any ingest."""
    clock = [time.time()]
    with running(tmp_path, Limits(max_age_s=60), now=lambda: clock[0]) as lab, JaegerClient(lab.url) as client:
        lab.send(export_of(span("old")))
        clock[0] += 50
        lab.send(export_of(span("new")))
        clock[0] += 20
        lab.send(export_of(span("newest")))
        eventually(lambda: client.operations("firedrill") == ("new", "newest"))
        clock[0] += 100
        eventually(lambda: client.services() == ())
        assert lab.value("tracestore_evicted_items_total", signal="traces", reason="age") == 3
        assert lab.value("tracestore_stored_items", signal="traces") == 0


def test_small_exports_are_merged_and_nothing_is_lost(tmp_path: Path) -> None:
    """Two hundred exports of one trace become a few blocks; every span is still found, by trace, tag and operation."""
    root = span("root")
    with running(tmp_path) as lab, JaegerClient(lab.url) as client:
        lab.send(export_of(root))
        for number in range(199):
            lab.send(export_of(span(f"step {number % 7}", parent=root, number=number)))
        eventually(lambda: _count(lab.path, "block") < 60)
        assert len(client.trace(root.trace_id.hex()).spans) == 200
        for number in (0, 100, 198):
            assert len(client.search("firedrill", tags={"number": str(number)})) == 1
        assert client.search("firedrill", operation="step 3", tags={"number": "4"}) == ()
        assert len(client.operations("firedrill")) == 8


def _count(path: Path, table: str) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608 - a name from above


def test_a_batch_sent_twice_shows_once(tmp_path: Path) -> None:
    """An exporter that missed the answer sends again; the trace has each span once."""
    root = span()
    export = export_of(root, span(parent=root))
    with running(tmp_path) as lab, JaegerClient(lab.url) as client:
        lab.send(export, export)
        assert len(client.trace(root.trace_id.hex()).spans) == 2


def test_more_than_fits_in_the_queue_is_a_503(tmp_path: Path) -> None:
    """When exports come faster than the disk takes them, exporters are told to wait a second, and nothing is lost."""
    body = export_of(*(span(noise=os.urandom(1000).hex()) for _ in range(500))).SerializeToString()
    statuses: list[tuple[int, str | None]] = []

    def export(url: str) -> None:
        for _ in range(5):
            answer = httpx.post(f"{url}/v1/traces", content=body, headers=PROTOBUF, timeout=30)
            statuses.append((answer.status_code, answer.headers.get("retry-after")))

    with running(tmp_path, Limits(max_pending_bytes=len(body) + 1)) as lab:
        exporters = [threading.Thread(target=export, args=(lab.otlp,)) for _ in range(8)]
        for exporter in exporters:
            exporter.start()
        for exporter in exporters:
            exporter.join(60)
        assert set(statuses) == {(200, None), (503, "1")}
        assert lab.value("tracestore_spans_received_total") == 500 * statuses.count((200, None))


def test_a_folder_that_cannot_be_made_stops_the_start(tmp_path: Path) -> None:
    """The message names the path."""
    (tmp_path / "traces").write_text("in the way")
    from prometheus_client import CollectorRegistry  # noqa: PLC0415 - needed here alone

    from stack.tracestore.store import TraceStore  # noqa: PLC0415
    from stack.tracestore.telemetry import StoreMetrics  # noqa: PLC0415

    store = TraceStore(tmp_path / "traces" / "traces.db", Limits(), StoreMetrics(CollectorRegistry()))
    with pytest.raises(StoreUnavailable, match=r"traces\.db"):
        store.start()


@pytest.mark.parametrize("value", ["lots", "0", "-1", "nan", "inf"])
def test_a_bad_limit_names_its_key(value: str) -> None:
    """The message says which variable, what stands there, and what was expected."""
    with pytest.raises(BadSetting, match=f"TRACESTORE_MAX_BYTES='{value}' is not a number"):
        Limits.from_environment({"TRACESTORE_MAX_BYTES": value})


def test_limits_come_from_the_environment() -> None:
    """Both limits can be set; unset ones have their defaults; a body that could never be stored is too large."""
    limits = Limits.from_environment({"TRACESTORE_MAX_BYTES": "1e8", "TRACESTORE_MAX_AGE_S": "3600", "OTHER": "x"})
    assert limits == Limits(max_bytes=100_000_000, max_age_s=3600, max_payload_bytes=25_000_000)
    assert Limits.from_environment({}) == Limits(max_bytes=512 * MIB, max_age_s=7 * 86400)


def test_metrics_and_health_are_served(tmp_path: Path) -> None:
    """Prometheus can scrape the store: every family is there from the start, with counts after an export."""
    with running(tmp_path) as lab:
        before = httpx.get(f"{lab.url}/metrics")
        assert before.headers["content-type"].startswith("text/plain")
        assert "tracestore_spans_received_total 0.0" in before.text
        assert 'tracestore_export_requests_total{signal="traces",status="200"} 0.0' in before.text
        lab.send(export_of(span(), span()))
        after = httpx.get(f"{lab.url}/metrics").text
        assert "tracestore_spans_received_total 2.0" in after
        assert 'tracestore_stored_items{signal="traces"} 2.0' in after
        assert 'tracestore_export_requests_total{signal="traces",status="200"} 1.0' in after
        for url in (lab.url, lab.otlp):
            assert httpx.get(f"{url}/health").json()["status"] == "healthy"


def test_the_documentation_names_every_metric_and_setting(tmp_path: Path) -> None:
    """The tables of ``docs/traces.md`` agree with what the store exports and reads."""
    text = (ROOT / "docs" / "traces.md").read_text(encoding="utf-8")
    with running(tmp_path) as lab:
        families = [family for family in lab.metrics.registry.collect() if family.name.startswith("tracestore_")]
    exported = {family.name + ("_total" if family.type == "counter" else "") for family in families}
    assert len(exported) == 13
    documented = set(re.findall(r"`(tracestore_[a-z_]+)", text))
    assert exported == documented
    assert f"| `TRACESTORE_MAX_BYTES` | {Limits().max_bytes} " in text
    assert f"| `TRACESTORE_MAX_AGE_S` | {Limits().max_age_s:.0f} " in text
