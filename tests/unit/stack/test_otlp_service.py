"""Our own service as a client: its spans and log records reach the store over both protocols, under one trace id."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest
from tracestore_lab import eventually
from tracestore_process import ROOT, Process, process

from stack.errors import QueryRefused
from stack.tracestore.database import open_reader
from stack.tracestore.logs import LogRecord, logs_of
from tests.levels import thorough

READY_WITHIN_S = 90.0


@contextmanager
def service(home: Path, store: Process, protocol: str, artifacts: Path) -> Iterator[str]:
    """Run the service with the settings of a stack, exporting to ``store``; give its address."""
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "FIREDRILL_HOME": str(home),
        "FIREDRILL_PORT_OFFSET": str(store.endpoints.offset),
        "ARTIFACTS_DIR": str(artifacts),
        "MODELS": "iris",
        "ENABLE_TRACING": "true",
        "OTEL_EXPORTER_OTLP_ENDPOINT": store.endpoints.url("otlp_grpc" if protocol == "grpc" else "otlp"),
        "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        "OTEL_SERVICE_NAME": protocol,
    }
    log = home.parent / "service.log"
    with log.open("wb") as stream:
        popen = subprocess.Popen([sys.executable, "-m", "faults.serve"], env=environment, stdout=stream, stderr=stream)
    url = store.endpoints.url("service")

    def ready() -> bool:
        assert popen.poll() is None, log.read_text()
        try:
            return httpx.get(f"{url}/ready").is_success
        except httpx.TransportError:
            return False

    try:
        eventually(ready, READY_WITHIN_S)
        yield url
    finally:
        popen.terminate()
        popen.wait(20)


@pytest.mark.parametrize("protocol", ["http/protobuf", pytest.param("grpc", marks=thorough)])
def test_a_prediction_leaves_its_spans_and_its_log_lines(tmp_path: Path, trained: Path, protocol: str) -> None:
    """The id in ``X-Trace-ID`` finds five spans and the lines that the service logged while it answered."""
    home = tmp_path / "home"
    with process(home) as store, service(home, store, protocol, trained) as url, store.client() as client:
        answer = httpx.post(f"{url}/predict", json={"features": [[5.1, 3.5, 1.4, 0.2]]}, timeout=30)
        assert answer.status_code == 200
        trace_id = answer.headers["x-trace-id"]

        def spans() -> int:
            try:
                return len(client.trace(trace_id).spans)
            except QueryRefused:
                return 0

        def records() -> tuple[LogRecord, ...]:
            with closing(open_reader(home / "data" / "traces" / "traces.db")) as connection:
                return logs_of(connection, bytes.fromhex(trace_id))

        eventually(lambda: spans() == 5 and len(records()) == 3)
        assert [record.body for record in records()] == [
            "request_received",
            "prediction_completed",
            "request_completed",
        ]
        assert {(record.service, record.severity_text) for record in records()} == {(protocol, "INFO")}
        assert all(record.span_id for record in records())
