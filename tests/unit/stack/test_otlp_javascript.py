"""OpenTelemetry's JavaScript exporters as real clients: OTLP over HTTP in JSON, as a Node program sends it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from tracestore_lab import running

from stack.clients.jaeger import JaegerClient
from stack.tracestore.logs import LogQuery
from tests.environments import node_with

PROGRAM = Path(__file__).with_name("exporters.cjs")
PACKAGES = (
    "@opentelemetry/api@1.9",
    "@opentelemetry/api-logs@0.223.1",
    "@opentelemetry/exporter-logs-otlp-http@0.223.1",
    "@opentelemetry/exporter-trace-otlp-http@0.223.1",
    "@opentelemetry/resources@2.12.1",
    "@opentelemetry/sdk-logs@0.223.1",
    "@opentelemetry/sdk-trace-base@2.12.1",
)


@pytest.fixture(scope="module")
def modules() -> Path:
    """Return a folder whose ``node_modules`` has the exporters; skip where there is no Node, but never in CI."""
    if (shutil.which("node") is None or shutil.which("npm") is None) and os.environ.get("CI") != "true":
        pytest.skip("needs node and npm, for OpenTelemetry's JavaScript exporters")
    return node_with(*PACKAGES)


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_what_javascript_sends_is_stored_whole(tmp_path: Path, modules: Path, compression: str) -> None:
    """Spans and log records of the JavaScript SDK arrive in JSON: ids, kinds, numbers, events, errors, bodies."""
    with running(tmp_path) as lab:
        command = ["node", str(PROGRAM), lab.otlp, compression]
        done = subprocess.run(command, cwd=modules, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        ids = json.loads(done.stdout)
        with JaegerClient(lab.url) as client:
            outer, inner = sorted(client.trace(ids["trace"]).spans, key=lambda span: span.parent_id is not None)
        assert (outer.operation, outer.parent_id, outer.tags["span.kind"]) == ("outer", None, "server")
        assert (outer.span_id, outer.service) == (ids["outer"], f"javascript-{compression}")
        assert {
            "n": "3",
            "share": "0.5",
            "list": '["a","b"]',
            "otel.scope.version": "2.5",
        }.items() <= outer.tags.items()
        assert (inner.parent_id, inner.error, inner.tags["span.kind"]) == (outer.span_id, True, "client")
        assert [event.name for event in inner.events] == ["fault.injected"]
        warning, info = sorted(lab.logs_of(bytes.fromhex(ids["trace"])), key=lambda record: -record.severity_number)
        assert (warning.body, warning.severity_text) == ("größer als 9 007 199 254 740 993", "WARN")
        assert warning.attributes == {"degrees": 31, "huge": 9007199254740991}
        assert (warning.span_id, warning.service) == (ids["outer"], f"javascript-{compression}")
        assert json.loads(info.body) == {"event": "late", "ms": 12}
        assert lab.search_logs(LogQuery(text="größer", severity_min=13)) == (warning,)
        assert lab.value("tracestore_stored_items", signal="traces") == 2
        assert lab.value("tracestore_stored_items", signal="logs") == 2
