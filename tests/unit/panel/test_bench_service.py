"""The parts of the service's benchmark, with real processes: load, sink, service, rival app, environments."""

from __future__ import annotations

import asyncio
import gzip
import importlib.metadata
import json
import random
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from panel.bench.service import drift, environments, scrape
from panel.bench.service.bodies import row_requests, tensor_requests, usual_requests
from panel.bench.service.contenders import Bench
from panel.bench.service.environments import COMMON, Environment, EnvironmentNotBuilt, python_of
from panel.bench.service.pressure import LoadFailed, press
from panel.bench.service.processes import Cores, Server, ServerFailed, free_port, serving
from panel.bench.service.programs.load import Job, run
from stack.endpoints import HOST
from tests.levels import on_request, thorough

FLOWER = [[5.1, 3.5, 1.4, 0.2]]
IRIS = {"MODELS": "iris"}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Return a place with two trained models."""
    bench = Bench(tmp_path_factory.mktemp("bench"), Cores.of_this_machine())
    assert set(bench.train("iris", "housing")) == {"iris", "housing"}
    return bench


@pytest.fixture(scope="module")
def sink(bench: Bench) -> Iterator[Server]:
    """Run the sink."""
    with bench.sink() as sink:
        yield sink


@pytest.fixture(scope="module")
def service(bench: Bench, sink: Server) -> Iterator[Server]:
    """Run the service with iris alone."""
    with bench.service(sink, settings=IRIS) as server:
        yield server


def answer(server: Server) -> dict[str, object]:
    """Return the server's prediction for one flower."""
    body = json.dumps({"features": FLOWER}).encode()
    request = urllib.request.Request(f"{server.url}/predict", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10.0) as response:
        told = json.load(response)
    return {key: told[key] for key in ("predictions", "classes")} | {"confidence": round(told["confidence"][0], 9)}


@thorough
def test_the_service_is_measured_with_all_of_its_telemetry(bench: Bench, sink: Server, service: Server) -> None:
    """Every request has its server span at the sink and its log lines, and cost the service some time and memory."""
    cost = press(bench.cores, service, sink, row_requests(FLOWER), connections=4, seconds=0.4)
    assert cost.requests > 20
    assert cost.server_spans == cost.requests
    assert cost.cpu_us > 50
    assert service.peak_bytes() > 50e6
    lines = [json.loads(line) for line in service.log.read_text().splitlines()]
    assert sum(line["event"] == "request_completed" for line in lines) >= cost.requests


@thorough
def test_the_silent_service_answers_alike_and_tells_nothing(bench: Bench, sink: Server, service: Server) -> None:
    """Without its telemetry the service predicts the same, sends nothing, logs nothing and counts nothing."""
    with bench.service(sink, name="silent", silent=True, settings=IRIS) as silent:
        cost = press(bench.cores, silent, sink, row_requests(FLOWER), connections=4, seconds=0.4)
        assert (cost.spans, silent.log.read_text()) == (0, "")
        samples = [line for line in silent.get("/metrics").decode().splitlines() if line.startswith("http_")]
        assert samples
        assert {line.rpartition(" ")[2] for line in samples} == {"0.0"}
        assert answer(silent) == answer(service)


@thorough
@pytest.mark.parametrize("predictor", ["folded", "scikit-learn"])
def test_the_rival_app_serves_the_same_model(bench: Bench, sink: Server, service: Server, predictor: str) -> None:
    """The bare app gives the service's own predictions, folded or by scikit-learn."""
    with bench.app(Path(sys.executable), sink, name="rival", kind="bare", predictor=predictor) as rival:
        assert answer(rival) == answer(service)


@thorough
def test_an_answer_other_than_200_ends_the_benchmark(bench: Bench, sink: Server, service: Server) -> None:
    """Load that is refused is an error that tells the statuses, never a fast round."""
    with pytest.raises(LoadFailed, match="× 422"):
        press(bench.cores, service, sink, row_requests([[1.0]]), connections=2, seconds=0.2)


def test_unknown_requests_do_not_make_metrics_grow(bench: Bench, service: Server) -> None:
    """Requests that nothing answers add no series, not even the first of each sort, and all of them differ."""
    requests = scrape.unknown_requests(random.Random(1), 1500)
    assert len(set(requests)) == len(requests)
    assert scrape._unknown(bench, service, number=600) == 0


@thorough
def test_scrapes_are_measured_after_traffic(bench: Bench, service: Server) -> None:
    """A scrape has lines, takes time, and the requests that come before it are answered."""
    lines, milliseconds = scrape._scraped(bench, service, scrapes=2)
    assert lines > 100
    assert milliseconds > 0.1
    assert set(usual_requests(service)) == {"iris"}


@thorough
def test_drift_detection_is_measured(bench: Bench) -> None:
    """The figure has a plausible value: more than nothing, less than a millisecond."""
    (figure,) = drift.measure(bench, lambda _text: None)
    assert figure.value is not None
    assert 0.0 < figure.value < 1000.0


def test_the_sink_counts_packed_exports(sink: Server) -> None:
    """A gzipped export of two spans, one of them a server's, raises both counts."""
    before = json.loads(sink.get("/"))
    spans = [Span(kind=Span.SPAN_KIND_SERVER), Span(kind=Span.SPAN_KIND_INTERNAL)]
    export = ExportTraceServiceRequest(resource_spans=[ResourceSpans(scope_spans=[ScopeSpans(spans=spans)])])
    request = urllib.request.Request(
        f"{sink.url}/v1/traces", gzip.compress(export.SerializeToString()), {"Content-Encoding": "gzip"}
    )
    with urllib.request.urlopen(request, timeout=10.0):
        after = json.loads(sink.get("/"))
    assert (after["spans"] - before["spans"], after["server_spans"] - before["server_spans"]) == (2, 1)


def test_the_load_sends_each_request_once_where_it_has_no_time() -> None:
    """With 0 seconds every request is sent once; a connection closed without an answer is counted and replaced."""
    seen: list[str] = []
    paths = [f"/{number}" for number in range(40)] + ["/drop"] + [f"/late-{number}" for number in range(40)]

    async def answer_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):
            while (path := (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()) != "/drop":
                seen.append(path)
                writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno")
        writer.close()

    async def loaded() -> dict[int, int]:
        async with await asyncio.start_server(answer_one, HOST, 0) as server:
            port = server.sockets[0].getsockname()[1]
            requests = [scrape._plain("GET", path) for path in paths]
            return (await run(Job.of(port, requests, connections=3, seconds=0.0))).statuses

    assert asyncio.run(loaded()) == {404: 80, 0: 1}
    assert sorted([*seen, "/drop"]) == sorted(paths)


def test_a_server_that_does_not_start_is_told_with_its_last_words(tmp_path: Path) -> None:
    """The error has the exit code and what the server printed."""
    command = [sys.executable, "-c", "print('no such model'); raise SystemExit(3)"]
    start = serving("wreck", command, port=free_port(), ready="/", core=None, folder=tmp_path, environment={})
    with pytest.raises(ServerFailed, match=r"exit code 3\n  no such model"), start:
        pass


def test_tensors_have_one_row_each() -> None:
    """A request of the Open Inference Protocol has the shape of its row."""
    body = json.loads(tensor_requests("iris", FLOWER)[0].partition(b"\r\n\r\n")[2])
    assert body["inputs"][0]["shape"] == [1, 4]
    assert body["inputs"][0]["data"] == FLOWER[0]


def environment(folder: Path, monkeypatch: pytest.MonkeyPatch, requirements: str) -> Environment:
    """Return an environment of its own that wants ``requirements``."""
    monkeypatch.setattr(environments, "FOLDER", folder)
    monkeypatch.setenv("FIREDRILL_CACHE", str(folder / "cache"))
    monkeypatch.delenv("FIREDRILL_OFFLINE", raising=False)
    (folder / "requirements-tried.txt").write_text(requirements)
    return Environment("tried")


@on_request
def test_an_environment_is_built_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first call builds it and says so, the second finds it; other requirements are another environment."""
    tried, said = environment(tmp_path, monkeypatch, "# nothing\n"), []
    python = python_of(tried, said.append)
    assert python.exists()
    assert python_of(tried, said.append) == python
    assert len(said) == 1
    assert environment(tmp_path, monkeypatch, "# something else\n").folder() != python.parents[1]


@on_request
def test_an_environment_that_cannot_be_built_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failing installation tells the installer's words and is no environment; offline nothing is fetched."""
    tried = environment(tmp_path, monkeypatch, f"{tmp_path}/nowhere.whl\n")
    with pytest.raises(EnvironmentNotBuilt, match=r"nowhere\.whl"):
        python_of(tried, lambda _text: None)
    monkeypatch.setenv("FIREDRILL_OFFLINE", "1")
    with pytest.raises(EnvironmentNotBuilt, match="FIREDRILL_OFFLINE"):
        python_of(tried, lambda _text: None)


def test_the_common_stack_has_our_versions_of_what_both_use() -> None:
    """FastAPI, scikit-learn and the OpenTelemetry SDK are pinned to the service's own versions."""
    pinned = COMMON.constraints().splitlines()
    for name in ("fastapi", "scikit-learn", "opentelemetry-sdk"):
        assert f"{name}=={importlib.metadata.version(name)}" in pinned
