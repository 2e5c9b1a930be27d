"""What lies under the store: small, full and damaged disks, and bounds that never stop ingest."""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
from contextlib import closing, suppress
from pathlib import Path

import grpc
import httpx
import pytest
from tracestore_lab import PROTOBUF, Lab, eventually, export_of, logs_export, running, span
from tracestore_process import Process, on_small_disk, process, seen_by

from stack.tracestore.limits import MIB, Limits
from tests.levels import thorough

TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


def big(megabytes: int = 1) -> bytes:
    """Return an export that compression does not make small."""
    return export_of(*(span("big", noise=os.urandom(20_000).hex()) for _ in range(25 * megabytes))).SerializeToString()


def fill(path: Path) -> None:
    """Write to a file until its disk is full."""
    with path.open("wb", buffering=0) as stream, suppress(OSError):
        while stream.write(bytes(65536)):
            pass


def post(store: Process, body: bytes) -> httpx.Response:
    """Send an export of spans as it is."""
    return httpx.post(store.endpoints.url("otlp", "/v1/traces"), content=body, headers=PROTOBUF, timeout=30)


@thorough
def test_a_disk_smaller_than_the_limit_never_stops_ingest(tmp_path: Path) -> None:
    """On a volume that is full before the store's own limit is, the oldest goes and every export is taken."""
    home = tmp_path / "home"
    with process(home, before=on_small_disk(home, 32)) as store, store.client() as client:
        last = span("last")
        for _ in range(50):
            assert post(store, big()).status_code == 200
        assert post(store, export_of(last).SerializeToString()).status_code == 200
        assert client.trace(last.trace_id.hex()).spans
        metrics = httpx.get(store.endpoints.url("tracestore", "/metrics")).text
        assert 'evicted_items_total{reason="disk",signal="traces"} 0.0' not in metrics
        assert store.health()["status"] == "healthy"


def test_a_disk_that_others_fill_is_reported_over_both_protocols_and_then_it_goes_on(tmp_path: Path) -> None:
    """While nothing fits, exporters hear when to come back and what is stored can be read; room again, all is well."""
    home = tmp_path / "home"
    with process(home, before=on_small_disk(home, 16)) as store, store.client() as client:
        first = span("first")
        assert store.post(first).status_code == 200
        filler = seen_by(store, home / "filler")
        fill(filler)
        body = big(8)
        answer = post(store, body)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        channel = grpc.insecure_channel(store.endpoints.address("otlp_grpc"))
        with channel, pytest.raises(grpc.RpcError) as refused:
            channel.unary_unary(TRACES)(body, timeout=20)
        assert refused.value.code() == grpc.StatusCode.UNAVAILABLE
        assert (store.health()["status"], bool(store.health()["detail"])) == ("degraded", True)
        assert client.trace(first.trace_id.hex()).spans
        filler.unlink()
        assert post(store, body).status_code == 200
        assert store.health()["status"] == "healthy"


@thorough
def test_a_disk_that_is_full_at_the_start_is_reported_and_waited_for(tmp_path: Path) -> None:
    """The store starts without a database, says so, and makes one when there is room."""
    home = tmp_path / "home"
    with process(home, before=on_small_disk(home, 8, full=True)) as store, store.client() as client:
        assert store.health()["status"] == "degraded"
        assert store.post(span()).status_code == 503
        assert "tracestore_writable 0.0" in httpx.get(store.endpoints.url("tracestore", "/metrics")).text
        seen_by(store, home / "filler").unlink()
        eventually(lambda: store.health()["status"] == "healthy")
        assert "tracestore_writable 1.0" in httpx.get(store.endpoints.url("tracestore", "/metrics")).text
        assert store.post(one := span("at last")).status_code == 200
        assert client.trace(one.trace_id.hex()).spans


def test_bounds_hold_for_traces_and_logs_together_and_never_refuse(tmp_path: Path) -> None:
    """With a tiny budget every export of either signal is taken, and what is left plus what went is what came."""
    limit = 3 * MIB
    with running(tmp_path, Limits(max_bytes=limit)) as lab:
        for _ in range(40):
            lab.send(export_of(*(span(noise=os.urandom(400).hex()) for _ in range(150))))
            lab.send_logs(logs_export(*(os.urandom(600).hex() for _ in range(150))))
            assert lab.path.stat().st_size <= limit
        for name in ("traces", "logs"):
            gone = lab.value("tracestore_evicted_items_total", signal=name, reason="bytes")
            assert gone > 0
            assert gone + lab.value("tracestore_stored_items", signal=name) == 40 * 150


def test_a_damaged_file_is_told_in_health_and_metrics(tmp_path: Path) -> None:
    """After a start with a damaged file, health says what was put aside and where, and a counter counts it."""
    path = tmp_path / "traces" / "traces.db"
    path.parent.mkdir()
    path.write_bytes(b"no database at all" * 500)
    with running(tmp_path) as lab:
        answer = httpx.get(f"{lab.url}/health").json()
        assert answer["status"] == "healthy"
        assert "traces.db.damaged" in answer["notices"][0]
        assert lab.value("tracestore_database_damaged_total") == 1
        lab.send(export_of(span()))


@pytest.mark.parametrize("found_by", ["a reader", "the writer"])
def test_a_block_that_rotted_is_damage_and_ingest_goes_on(tmp_path: Path, found_by: str) -> None:
    """Bytes that SQLite cannot know to be wrong are noticed on reading and on merging; the file is put aside."""
    with running(tmp_path) as lab:
        lab.send(export_of(one := span()))
        with closing(sqlite3.connect(lab.path)) as connection, connection:
            connection.execute("UPDATE block SET body = randomblob(length(body))")
        if found_by == "a reader":
            assert httpx.get(f"{lab.url}/api/traces/{one.trace_id.hex()}").status_code == 503
        else:
            lab.send(export_of(*(span() for _ in range(600))))
            lab.send(export_of(*(span() for _ in range(511))))
        eventually(lambda: lab.path.with_name("traces.db.damaged").exists())
        eventually(lambda: lab.value("tracestore_database_damaged_total") == 1)
        lab.send(export_of(after := span()))
        assert httpx.get(f"{lab.url}/api/traces/{after.trace_id.hex()}").status_code == 200
        assert "decompressed" in httpx.get(f"{lab.url}/health").json()["notices"][0] or found_by == "a reader"


def test_a_file_deleted_under_the_store_is_told_and_made_anew(tmp_path: Path) -> None:
    """Somebody who tidies the folder while the store runs loses what was there, and nothing that comes after."""
    with running(tmp_path) as lab:
        lab.send(export_of(span()))
        shutil.rmtree(lab.path.parent)
        lab.send(export_of(span()))
        eventually(lambda: "deleted" in str(httpx.get(f"{lab.url}/health").json()["notices"]))
        lab.send(export_of(after := span()))
        assert httpx.get(f"{lab.url}/api/traces/{after.trace_id.hex()}").status_code == 200
    with running(tmp_path) as lab:
        assert httpx.get(f"{lab.url}/api/traces/{after.trace_id.hex()}").status_code == 200


def test_large_exports_at_once_into_a_small_store_are_all_taken(tmp_path: Path) -> None:
    """Even bodies of a quarter of what may be stored, many at a time, make the oldest go and are never refused."""
    limits = Limits(max_bytes=4 * MIB, max_payload_bytes=MIB)
    body = export_of(*(span(noise=os.urandom(40_000).hex()) for _ in range(12))).SerializeToString()
    statuses: list[int] = []

    def export(lab: Lab) -> None:
        with httpx.Client(timeout=30) as client:
            answers = (client.post(f"{lab.otlp}/v1/traces", content=body, headers=PROTOBUF) for _ in range(5))
            statuses.extend(answer.status_code for answer in answers)

    assert 0.9 * MIB < len(body) < MIB
    with running(tmp_path, limits) as lab:
        exporters = [threading.Thread(target=export, args=(lab,)) for _ in range(6)]
        for exporter in exporters:
            exporter.start()
        for exporter in exporters:
            exporter.join(60)
        assert lab.path.stat().st_size <= 4 * MIB
        assert lab.value("tracestore_evicted_items_total", signal="traces", reason="bytes") > 0
    assert statuses == [200] * 30
