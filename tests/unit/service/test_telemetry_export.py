"""Spans and log records on their way to a collector: over both protocols, and what is lost when it is not there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from collectors import Received, blackhole, grpc_collector, http_collector, refusing
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from prometheus_client import CollectorRegistry
from service_bench import SETOSA

from service.errors import BadSettings
from service.server import LiveService, build_live_service
from service.settings import Settings, load_settings
from service.telemetry.export import ExportCollector
from service.telemetry.tracing import LiveTracerProvider, build_resource, build_tracer_provider, pairs_of

DEADLINE_S = 20.0
COLLECTORS = {"http/protobuf": http_collector, "grpc": grpc_collector}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read no .env but the test's own."""
    monkeypatch.chdir(tmp_path)


def _settings(url: str, protocol: str = "http/protobuf", **more: Any) -> Settings:
    chosen = {"otel_bsp_schedule_delay": 10, "otel_exporter_otlp_timeout": 600, **more}
    return Settings(otel_exporter_otlp_endpoint=url, otel_exporter_otlp_protocol=protocol, **chosen)


def _spans(provider: LiveTracerProvider, count: int) -> None:
    tracer = provider.get_tracer("test")
    for number in range(count):
        tracer.start_span(f"span {number}").end()


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _value(provider: LiveTracerProvider, name: str, **labels: str) -> float | None:
    assert provider.exporter is not None
    registry = CollectorRegistry()
    registry.register(ExportCollector([provider.exporter]))
    return registry.get_sample_value(name, {"signal": "traces", **labels})


@pytest.mark.parametrize("protocol", COLLECTORS)
@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_a_live_service_sends_spans_and_log_records(protocol: str, compression: str, trained: Path) -> None:
    """Both signals arrive, joined by trace, with the sender's attributes and the headers, plain or compressed."""
    with COLLECTORS[protocol]() as received:
        live = build_live_service(
            _settings(
                received.url,
                protocol,
                otel_exporter_otlp_compression=compression,
                otel_exporter_otlp_headers="x-tenant=team%20a,authorization=Basic abc",
                otel_service_name="mine",
                otel_resource_attributes="deployment.environment.name=lab,service.name=theirs",
                artifacts_dir=trained,
                models=("iris",),
            )
        )
        trace_id = asyncio.run(_predict(live))
        live.close()
    assert {span.name for span in received.spans()} >= {"POST /predict", "preprocess", "queue", "model_prediction"}
    assert {record.body.string_value for record in received.records()} >= {"request_received", "request_completed"}
    assert trace_id in {span.trace_id.hex() for span in received.spans()}
    assert trace_id in {record.trace_id.hex() for record in received.records()}
    assert received.exports[0][1]["x-tenant"] == "team a"
    assert received.exports[0][1]["authorization"] == "Basic abc"
    assert received.resource()["service.name"] == "mine"
    assert received.resource()["deployment.environment.name"] == "lab"
    assert len(received.resource()["service.instance.id"]) == 32


async def _predict(live: LiveService) -> str:
    async with live.app.router.lifespan_context(live.app):
        transport = httpx.ASGITransport(live.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            answer = await client.post("/predict", json=SETOSA)
            assert answer.status_code == 200
            return str(answer.headers["x-trace-id"])


@pytest.mark.parametrize("protocol", COLLECTORS)
def test_what_is_sent_is_counted(protocol: str) -> None:
    """Every span arrives once, in batches no larger than allowed, and the metric says how many."""
    with COLLECTORS[protocol]() as received:
        provider = build_tracer_provider(_settings(received.url, protocol, otel_bsp_max_export_batch_size=100))
        _spans(provider, 1234)
        provider.shutdown()
        assert sorted(span.name for span in received.spans()) == sorted(f"span {number}" for number in range(1234))
        assert len(received.exports) >= 13
    assert _value(provider, "otel_exported_items_total") == 1234
    assert _value(provider, "otel_export_queue_size") == 0
    assert _value(provider, "otel_dropped_items_total", reason="queue_full") == 0


NOWHERE = {"refusing": refusing, "blackhole": blackhole}


@pytest.mark.parametrize("protocol", COLLECTORS)
@pytest.mark.parametrize(("kind", "failure"), [("refusing", "unreachable"), ("blackhole", "timeout")])
def test_a_collector_that_is_not_there_costs_spans_and_nothing_else(protocol: str, kind: str, failure: str) -> None:
    """Spans are taken without waiting, the queue stays bounded, failures and losses are counted, the end is prompt."""
    if kind == "blackhole":
        with blackhole() as url:
            _lose(_settings(url, protocol, otel_bsp_max_queue_size=200, otel_bsp_max_export_batch_size=50), failure)
    else:
        _lose(_settings(refusing(), protocol, otel_bsp_max_queue_size=200, otel_bsp_max_export_batch_size=50), failure)


def _lose(settings: Settings, failure: str) -> None:
    provider = build_tracer_provider(settings)
    started = time.monotonic()
    _spans(provider, 1000)
    assert time.monotonic() - started < 5.0, "as long as some of its 20 batches take to be given up"
    _until(lambda: bool(_value(provider, "otel_dropped_items_total", reason="export_failed")))
    assert (_value(provider, "otel_export_failures_total", reason=failure) or 0) >= 1
    assert (_value(provider, "otel_dropped_items_total", reason="queue_full") or 0) >= 1
    assert (_value(provider, "otel_export_queue_size") or 0) <= 200
    assert _value(provider, "otel_exported_items_total") == 0
    closing = time.monotonic()
    provider.shutdown()
    assert time.monotonic() - closing < 5.5
    lost = [
        _value(provider, "otel_dropped_items_total", reason=reason) or 0 for reason in ("queue_full", "export_failed")
    ]
    assert sum(lost) == 1000, "every span is counted among the lost, however fast they failed"


def test_requests_are_as_fast_with_a_blackhole_for_a_collector(trained: Path) -> None:
    """300 predictions all succeed while no export gets through, and their metrics are on the service's registry."""
    with blackhole() as url:
        live = build_live_service(
            _settings(url, artifacts_dir=trained, models=("iris",), log_level="warning", otel_bsp_max_queue_size=100)
        )

        async def scenario() -> float:
            async with live.app.router.lifespan_context(live.app):
                transport = httpx.ASGITransport(live.app)
                async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
                    started = time.monotonic()
                    answers = [await client.post("/predict", json=SETOSA) for _ in range(300)]
                    took = time.monotonic() - started
                    assert {answer.status_code for answer in answers} == {200}
                    return took

        assert asyncio.run(scenario()) < 10.0
        dropped = live.registry.get_sample_value(
            "otel_dropped_items_total", {"signal": "traces", "reason": "queue_full"}
        )
        assert dropped is not None
        assert dropped >= 500
        live.close()


@pytest.mark.parametrize(
    ("answers", "exported", "failure"),
    [
        ([(503, {"retry-after": "0"}, b""), (429, {"retry-after": "0"}, b"")], 3, "unavailable"),
        ([(400, {}, b"")], 0, "refused"),
        ([(503, {"retry-after": "60"}, b"")], 0, "unavailable"),
    ],
)
def test_what_may_pass_is_tried_again_over_http(
    answers: list[tuple[int, dict[str, str], bytes]], exported: int, failure: str
) -> None:
    """503 and 429 are waited out as long as the timeout allows; 400 is final."""
    with http_collector() as received:
        received.answers = list(answers)
        provider = build_tracer_provider(_settings(received.url, otel_exporter_otlp_timeout=2000))
        _spans(provider, 3)
        _until(lambda: bool(_value(provider, "otel_exported_items_total")) if exported else not received.answers)
        provider.shutdown()
    assert _value(provider, "otel_exported_items_total") == exported
    assert _value(provider, "otel_dropped_items_total", reason="export_failed") == 3 - exported
    assert _value(provider, "otel_export_failures_total", reason=failure) == len(answers)


@pytest.mark.parametrize(
    ("code", "exported", "failure"),
    [
        (grpc.StatusCode.RESOURCE_EXHAUSTED, 3, "unavailable"),
        (grpc.StatusCode.UNAVAILABLE, 3, "unreachable"),
        (grpc.StatusCode.PERMISSION_DENIED, 0, "refused"),
    ],
)
def test_what_may_pass_is_tried_again_over_grpc(code: grpc.StatusCode, exported: int, failure: str) -> None:
    """Retryable codes are retried, others are final."""
    with grpc_collector() as received:
        received.codes = [code]
        provider = build_tracer_provider(_settings(received.url, "grpc", otel_exporter_otlp_timeout=5000))
        _spans(provider, 3)
        _until(lambda: bool(_value(provider, "otel_export_failures_total", reason=failure)))
        _until(lambda: _value(provider, "otel_exported_items_total") == exported)
        provider.shutdown()
    assert _value(provider, "otel_export_failures_total", reason=failure) == 1
    assert _value(provider, "otel_dropped_items_total", reason="export_failed") == 3 - exported


def test_partial_success_is_counted_as_what_it_is() -> None:
    """Spans that the collector says it rejected are dropped ones, not exported ones."""
    said = ExportTraceServiceResponse()
    said.partial_success.rejected_spans = 2
    with http_collector() as received:
        received.answers = [(200, {}, said.SerializeToString())]
        provider = build_tracer_provider(_settings(received.url, otel_bsp_schedule_delay=60_000))
        _spans(provider, 5)
        provider.shutdown()
    assert _value(provider, "otel_exported_items_total") == 3
    assert _value(provider, "otel_dropped_items_total", reason="rejected") == 2


def test_what_a_filter_refuses_is_lost_and_counted() -> None:
    """A span for which a filter says False never reaches the collector; the others do."""
    answers = iter([True, False, True, False, False])
    with http_collector() as received:
        provider = build_tracer_provider(_settings(received.url), filters=[lambda: next(answers)])
        _spans(provider, 5)
        provider.shutdown()
    assert _value(provider, "otel_exported_items_total") == 2
    assert _value(provider, "otel_dropped_items_total", reason="filtered") == 3


def test_a_connection_that_went_stale_is_replaced() -> None:
    """A collector that closes idle connections loses nothing and counts no failure."""
    with http_collector() as received:
        received.answers = [(200, {"connection": "close"}, b"")]
        provider = build_tracer_provider(_settings(received.url))
        for _ in range(3):
            before = len(received.spans())
            _spans(provider, 1)
            _until(lambda before=before: len(received.spans()) > before)  # type: ignore[misc]
        provider.shutdown()
    assert _value(provider, "otel_exported_items_total") == 3
    assert _value(provider, "otel_export_failures_total", reason="unreachable") == 0


def test_signals_may_go_to_different_places_or_nowhere() -> None:
    """A signal's own endpoint is taken as it is, and an exporter may be `none`."""
    with http_collector() as received:
        provider = build_tracer_provider(
            _settings(refusing(), otel_exporter_otlp_traces_endpoint=f"{received.url}/custom/traces?key=1")
        )
        _spans(provider, 1)
        provider.shutdown()
        assert [path for path, _, _ in received.exports] == ["/custom/traces?key=1"]
    off = build_tracer_provider(_settings(received.url, otel_traces_exporter="none"))
    assert off.exporter is None
    assert not off.get_tracer("x").start_span("x").is_recording()


@pytest.mark.parametrize(
    ("sampler", "arg", "sent"),
    [
        ("always_on", "1", 400),
        ("always_off", "1", 0),
        ("traceidratio", "0.25", 100),
        ("PARENTBASED_TRACEIDRATIO", "0", 0),
    ],
)
def test_sampling_follows_the_standard_variables(
    sampler: str, arg: str, sent: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 400 traces about the asked share is sent, whole traces only."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", sampler)
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", arg)
    with http_collector() as received:
        provider = build_tracer_provider(load_settings(otel_exporter_otlp_endpoint=received.url))
        tracer = provider.get_tracer("x")
        for _ in range(400):
            with tracer.start_as_current_span("root"):
                tracer.start_span("child").end()
        provider.shutdown()
    assert _whole_traces(received) == pytest.approx(sent, abs=40 if 0 < sent < 400 else 0)


def _whole_traces(received: Received) -> int:
    roots = {span.trace_id for span in received.spans() if span.name == "root"}
    assert roots == {span.trace_id for span in received.spans() if span.name == "child"}
    return len(roots)


def test_the_senders_attributes_follow_the_specification() -> None:
    """OTEL_SERVICE_NAME goes before OTEL_RESOURCE_ATTRIBUTES, which goes before what we would say."""
    told = "service.name=theirs,service.instance.id=pod-7,team=ml%2Cops"
    resource = build_resource(Settings(otel_resource_attributes=told), "mine").attributes
    assert (resource["service.name"], resource["service.instance.id"]) == ("theirs", "pod-7")
    assert resource["team"] == "ml,ops"
    firm = build_resource(Settings(otel_resource_attributes=told, otel_service_name="ours"), "mine").attributes
    assert firm["service.name"] == "ours"


def test_pairs_are_read_as_the_specification_writes_them() -> None:
    """Blanks around names and values go, percent signs are decoded, an equals sign may stand in a value."""
    assert pairs_of(" a = 1 ,b=x%20y,c=d=e,") == {"a": "1", "b": "x y", "c": "d=e"}


@pytest.mark.parametrize(
    ("key", "value", "shown"),
    [
        ("OTEL_TRACES_SAMPLER", "sometimes", "sometimes"),
        ("OTEL_TRACES_SAMPLER_ARG", "1.5", "1.5"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10", "10"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "secret", "'…'"),
        ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "host:4318", "host:4318"),
    ],
)
def test_a_bad_word_stops_the_start_and_no_secret_is_shown(
    key: str, value: str, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names key and value, but not the value of headers, which carry credentials."""
    monkeypatch.setenv(key, value)
    with pytest.raises(BadSettings) as refused:
        load_settings()
    assert f"{key}=" in str(refused.value)
    assert shown in str(refused.value)
    assert "secret" not in str(refused.value)
