"""The plain service as a process: ports, signals, what is in flight."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar

import httpx
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from service_bench import SETOSA, Bench

from service.clock import SystemClock
from service.compute import InlineCompute, ThreadCompute
from service.server import Server, build_live_service, serve, server
from service.settings import Settings
from service.telemetry.logs import build_logger_provider
from service.telemetry.tracing import build_tracer_provider
from tests.ports import free_port

DEADLINE_S = 30.0


@pytest.fixture
def process(trained: Path, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run ``python -m service`` and give its URL; its spans have nowhere to go."""
    port = free_port()
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).resolve().parents[3]),
        "ARTIFACTS_DIR": str(trained),
        "PORT": str(port),
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}",
    }
    command = [sys.executable, "-m", "service"]
    running = subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        assert running.poll() is None, running.communicate()[0]
        try:
            httpx.get(f"{url}/ready").raise_for_status()
            break
        except httpx.HTTPError:
            time.sleep(0.1)
    yield running, url
    if running.poll() is None:
        running.kill()
        running.communicate()


def test_the_process_serves_and_ends_by_itself_when_told(process: tuple[subprocess.Popen[str], str]) -> None:
    """SIGTERM ends it with code 0 and a goodbye in the log, though its trace store is not there."""
    running, url = process
    assert httpx.post(f"{url}/predict", json=SETOSA).json()["classes"] == ["setosa"]
    running.send_signal(signal.SIGTERM)
    output = running.communicate(timeout=10)[0]
    assert running.returncode == 0, output
    assert "Traceback" not in output
    assert "application_shutting_down" in output


def test_a_bad_setting_ends_the_start_with_a_readable_line(tmp_path: Path) -> None:
    """No traceback, exit code 2."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[3]), "PORT": "eighty"}
    ended = subprocess.run(
        [sys.executable, "-m", "service"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert "PORT='eighty'" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_what_is_in_flight_is_finished_before_the_end(make: Callable[..., Bench]) -> None:
    """A request that runs when the server is told to stop gets its answer."""
    bench = make(compute=InlineCompute(lambda kind: 0.5 if kind == "predict" else 0.0), model_warmup=False, port=0)

    async def scenario() -> httpx.Response:
        entered = asyncio.Event()

        async def enter(stage: str, _call: object) -> None:
            if stage == "model_prediction":
                entered.set()

        bench.seams.stages.append(enter)
        plain = server(bench.app, bench.settings)
        serving = asyncio.ensure_future(serve([plain]))
        port = await _started(plain)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            asked = asyncio.ensure_future(client.post("/predict", json=SETOSA))
            await asyncio.wait_for(entered.wait(), DEADLINE_S)
            os.kill(os.getpid(), signal.SIGTERM)
            answer = await asked
        await serving
        return answer

    assert asyncio.run(asyncio.wait_for(scenario(), DEADLINE_S)).status_code == 200


def test_work_in_threads_leaves_the_loop_free() -> None:
    """While a thread works for 0.3 s the loop keeps ticking, and a load does not wait for predictions."""

    async def scenario() -> int:
        compute, ticks = ThreadCompute(1), 0
        work = asyncio.ensure_future(compute.run("predict", lambda: time.sleep(0.3)))
        clock = SystemClock()
        started = clock.perf()
        await compute.run("load", lambda: None)
        assert clock.perf() - started < 0.25
        while not work.done():
            await asyncio.sleep(0.01)
            ticks += 1
        compute.close()
        return ticks

    assert asyncio.run(scenario()) > 5


async def _started(plain: Server) -> int:
    """Return the port once the server listens."""
    deadline = time.monotonic() + DEADLINE_S
    while not plain.started:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    port: int = plain.servers[0].sockets[0].getsockname()[1]
    return port


class Sink(BaseHTTPRequestHandler):
    """Takes what is exported, by path."""

    received: ClassVar[dict[str, bytes]] = {}

    def do_POST(self) -> None:
        """Keep the body."""
        self.received[self.path] = self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_spans_and_logs_leave_over_otlp(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a live service records arrives at the OTLP endpoint under its own name, at the latest when it closes."""
    monkeypatch.chdir(tmp_path)
    with ThreadingHTTPServer(("127.0.0.1", 0), Sink) as sink:
        Thread(target=sink.serve_forever, daemon=True).start()
        endpoint = f"http://127.0.0.1:{sink.server_port}"
        live = build_live_service(
            Settings(artifacts_dir=trained, otel_exporter_otlp_endpoint=endpoint, otel_service_name="mine")
        )

        async def scenario() -> str:
            async with live.app.router.lifespan_context(live.app):
                transport = httpx.ASGITransport(live.app)
                async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
                    return str((await client.post("/predict", json=SETOSA)).headers["x-trace-id"])

        trace_id = asyncio.run(scenario())
        live.close()
        sink.shutdown()
    traces = ExportTraceServiceRequest.FromString(Sink.received["/v1/traces"]).resource_spans[0]
    logs = ExportLogsServiceRequest.FromString(Sink.received["/v1/logs"]).resource_logs[0]
    for resource in (traces.resource, logs.resource):
        assert "mine" in [attribute.value.string_value for attribute in resource.attributes]
    assert trace_id in {span.trace_id.hex() for span in traces.scope_spans[0].spans}
    assert trace_id in {record.trace_id.hex() for record in logs.scope_logs[0].log_records}


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_both_export_protocols_can_be_built(protocol: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Providers of either protocol start without anyone listening, and end."""
    monkeypatch.chdir(tmp_path)
    chosen = Settings(otel_exporter_otlp_protocol=protocol, otel_exporter_otlp_endpoint="http://127.0.0.1:1")
    for provider in (build_tracer_provider(chosen), build_logger_provider(chosen)):
        provider.shutdown()


def test_without_tracing_nothing_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ENABLE_TRACING=false gives spans that have ids and are not sampled."""
    monkeypatch.chdir(tmp_path)
    span = build_tracer_provider(Settings(enable_tracing=False)).get_tracer("t").start_span("x")
    assert span.is_recording() is False
    assert span.get_span_context().is_valid
