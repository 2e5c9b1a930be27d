"""Ingest goes on: what was acknowledged outlives kills and stops, and no hostile body ends it."""

from __future__ import annotations

import gzip
import json
import os
import select
import signal
import socket
import sqlite3
import threading
import time
from contextlib import ExitStack, closing
from pathlib import Path

import grpc
import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from prometheus_client import CollectorRegistry
from tracestore_lab import MS, PROTOBUF, Lab, any_value, eventually, export_of, logs_export, running, span
from tracestore_process import Process, process

from stack.tracestore.database import open_reader
from stack.tracestore.errors import StoreStopped
from stack.tracestore.limits import MIB, Limits
from stack.tracestore.logs import LogQuery, logs_of
from stack.tracestore.store import TraceStore
from stack.tracestore.telemetry import StoreMetrics
from tests.generated import examples
from tests.levels import thorough

TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
LOGS = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """Run a store that takes bodies of up to 1 MiB."""
    with running(tmp_path_factory.mktemp("ingest"), Limits(max_payload_bytes=MIB)) as started:
        yield started


def test_logs_and_grpc_calls_that_were_acknowledged_survive_kill_9(tmp_path: Path) -> None:
    """Killed in the middle of calls of both signals and both protocols, the store has all that it had answered."""
    acknowledged: dict[str, list[bytes]] = {"http logs": [], "grpc logs": [], "grpc traces": []}

    def export(store: Process, way: str) -> None:
        with grpc.insecure_channel(store.endpoints.address("otlp_grpc")) as channel, httpx.Client(timeout=20) as client:
            for _ in range(2000):
                trace_id = os.urandom(16)
                logs = logs_export(trace_id=trace_id).SerializeToString()
                try:
                    if way == "http logs":
                        url = store.endpoints.url("otlp", "/v1/logs")
                        assert client.post(url, content=logs, headers=PROTOBUF).status_code == 200
                    elif way == "grpc logs":
                        channel.unary_unary(LOGS)(logs, timeout=20)
                    else:
                        channel.unary_unary(TRACES)(export_of(span(trace_id=trace_id)).SerializeToString(), timeout=20)
                except (httpx.TransportError, grpc.RpcError):
                    return
                acknowledged[way].append(trace_id)

    home = tmp_path / "home"
    with process(home) as store:
        exporters = [threading.Thread(target=export, args=(store, way)) for way in acknowledged]
        for exporter in exporters:
            exporter.start()
        eventually(lambda: all(len(ids) >= 30 for ids in acknowledged.values()))
        store.popen.send_signal(signal.SIGKILL)
        store.popen.wait(20)
        for exporter in exporters:
            exporter.join(30)
    assert all(len(ids) < 2000 for ids in acknowledged.values())
    with process(home) as store, store.client() as client:
        for trace_id in acknowledged["grpc traces"]:
            assert len(client.trace(trace_id.hex()).spans) == 1
        with closing(open_reader(home / "data" / "traces" / "traces.db")) as connection:
            for trace_id in acknowledged["http logs"] + acknowledged["grpc logs"]:
                assert len(logs_of(connection, trace_id)) == 1
        assert store.health() | {"status": "healthy", "detail": "", "notices": []} == store.health()


def test_a_stop_under_load_is_orderly(tmp_path: Path) -> None:
    """SIGTERM in the middle of exports of both protocols: one tidy file is left, with all that was answered."""
    home = tmp_path / "home"
    acknowledged: list[bytes] = []

    def pour(store: Process, *, over_grpc: bool) -> None:
        channel = grpc.insecure_channel(store.endpoints.address("otlp_grpc"))
        with channel, httpx.Client(timeout=20) as client:
            while True:
                trace_id = os.urandom(16)
                body = export_of(span(trace_id=trace_id)).SerializeToString()
                try:
                    if over_grpc:
                        channel.unary_unary(TRACES)(body, timeout=20)
                    else:
                        url = store.endpoints.url("otlp", "/v1/traces")
                        client.post(url, content=body, headers=PROTOBUF).raise_for_status()
                except (httpx.HTTPError, grpc.RpcError):
                    return
                acknowledged.append(trace_id)

    with process(home) as store:
        pourers = [threading.Thread(target=pour, args=(store,), kwargs={"over_grpc": way}) for way in (True, False)]
        for pourer in pourers:
            pourer.start()
        eventually(lambda: len(acknowledged) >= 100)
        store.popen.terminate()
        store.popen.wait(20)
        for pourer in pourers:
            pourer.join(30)
        assert "Traceback" not in store.log.read_text()
    folder = home / "data" / "traces"
    assert [path.name for path in folder.iterdir()] == ["traces.db"]
    with closing(sqlite3.connect(folder / "traces.db")) as connection:
        stored = {row[0] for row in connection.execute("SELECT trace_id FROM trace_block")}
    assert stored >= set(acknowledged)


def test_after_the_stop_exports_are_refused_and_none_hangs(tmp_path: Path) -> None:
    """What comes after the last commit is told to come again."""
    store = TraceStore(tmp_path / "traces.db", Limits(), StoreMetrics(CollectorRegistry()))
    store.start()
    body = export_of(span()).SerializeToString()
    taken = store.hand_in("traces", body, "identity", "protobuf")
    store.stop()
    assert taken.result(timeout=5).accepted == 1
    with pytest.raises(StoreStopped):
        store.hand_in("traces", body, "identity", "protobuf")


def body_of(form: str, name: str) -> bytes:
    """Return a good export, as protobuf or JSON."""
    start = str(time.time_ns() - 10 * MS)
    good = {"traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331", "name": "n", "kind": 2}
    document: dict[str, object] = {
        "resourceSpans": [{"scopeSpans": [{"spans": [good | {"startTimeUnixNano": start}]}]}]
    }
    if name == "logs":
        body = logs_export("said", trace_id=os.urandom(16)).SerializeToString()
        document = {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": {"stringValue": "said"}}]}]}]}
    else:
        body = export_of(span(a=1, b="x")).SerializeToString()
    return json.dumps(document).encode() if form == "json" else body


@settings(max_examples=examples(150), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    way=st.tuples(st.sampled_from(["json", "protobuf"]), st.sampled_from(["traces", "logs"]), st.booleans()),
    cut=st.floats(0, 1),
    hits=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=6),
    junk=st.binary(max_size=30),
)
def test_mangled_bodies_are_stored_or_refused_and_never_an_error_of_ours(
    lab: Lab, way: tuple[str, str, bool], cut: float, hits: list[tuple[float, int]], junk: bytes
) -> None:
    """Truncated, overwritten and padded bodies get 200 or 400, in any form and coding; what got in can be read."""
    form, name, zipped = way
    body = bytearray(gzip.compress(body_of(form, name)) if zipped else body_of(form, name))
    del body[int(cut * len(body)) + 1 :]
    for place, value in hits:
        body[int(place * (len(body) - 1))] = value
    body += junk
    media_type = "application/json" if form == "json" else "application/x-protobuf"
    headers = {"Content-Type": media_type} | ({"Content-Encoding": "gzip"} if zipped else {})
    answer = lab.exporter.post(f"{lab.otlp}/v1/{name}", content=bytes(body), headers=headers)
    assert answer.status_code in {200, 400}, answer.text
    assert answer.headers["content-type"] == media_type
    if answer.status_code == 200:
        assert lab.exporter.get(f"{lab.url}/search").status_code == 200
        lab.search_logs(LogQuery(text="said"))


def test_deep_nesting_is_refused_or_kept_and_never_an_error_of_ours(lab: Lab) -> None:
    """Neither JSON nor protobuf nested beyond reason ends in a stack overflow."""
    deep = b'{"resourceSpans":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    answer = lab.exporter.post(f"{lab.otlp}/v1/traces", content=deep, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    one = span("nested")
    value = one.attributes.add(key="deep").value
    for _ in range(30):
        value = value.array_value.values.add()
    value.string_value = "bottom"
    lab.send(export_of(one))
    assert httpx.get(f"{lab.url}/api/traces/{one.trace_id.hex()}").status_code == 200


@thorough
def test_a_bomb_inside_json_and_logs_is_a_413(lab: Lab) -> None:
    """The limit holds for both signals and both forms after decompression."""
    bomb = gzip.compress(b" " * (200 * MIB), 9)
    assert len(bomb) < MIB
    for name in ("traces", "logs"):
        for media_type in ("application/json", "application/x-protobuf"):
            headers = {"Content-Type": media_type, "Content-Encoding": "gzip"}
            answer = lab.exporter.post(f"{lab.otlp}/v1/{name}", content=bomb, headers=headers)
            assert answer.status_code == 413


def test_unknown_fields_and_odd_values_of_log_records_are_taken(lab: Lab) -> None:
    """A record without time, ids or body is kept; ids of a wrong length count as none."""
    logs = LogsData()
    records = logs.resource_logs.add().scope_logs.add().log_records
    records.add(severity_number=9)
    records.add(trace_id=b"short", span_id=b"x", body=any_value("odd ids"), observed_time_unix_nano=time.time_ns())
    before = lab.value("tracestore_stored_items", signal="logs")
    lab.send_logs(logs)
    assert lab.value("tracestore_stored_items", signal="logs") == before + 2


def test_bodies_that_are_under_way_are_bounded_together(tmp_path: Path) -> None:
    """Clients that send large bodies slowly are told to come back once they hold too much; one alone gets through."""
    limits = Limits(max_payload_bytes=MIB, max_pending_bytes=MIB)
    with running(tmp_path, limits) as lab, ExitStack() as clients:
        host, _, port = lab.otlp.removeprefix("http://").partition(":")
        head = f"POST /v1/traces HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/x-protobuf\r\n"
        slow = []
        for _ in range(3):
            slow.append(clients.enter_context(socket.create_connection((host, int(port)), timeout=20)))
            slow[-1].sendall(f"{head}Content-Length: {MIB}\r\n\r\n".encode() + bytes(600 * 1024))
        eventually(lambda: lab.exporter.get(f"{lab.otlp}/health").is_success)
        answers = [client for client in slow if select.select([client], [], [], 5)[0]]
        assert 1 <= len(answers) < 3
        assert all(b" 503 " in client.recv(100) for client in answers)
    with running(tmp_path, limits) as lab:
        one = export_of(span(noise="x" * (MIB - 2000)))
        lab.send(one)
