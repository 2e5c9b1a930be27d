"""What is seen of a request: ids, spans, series, exemplars, log lines; with and without something at the seams."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.trace import TracerProvider
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.parser import text_string_to_metric_families as text_0_0_4
from service_bench import SETOSA, Bench
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from service.clock import SystemClock
from service.ids import valid_request_id
from service.settings import Settings
from service.telemetry.logs import build_log
from service.telemetry.metrics import DEFINITIONS
from tests.generated import examples

pytestmark = pytest.mark.anyio
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OPENMETRICS = {"accept": "application/openmetrics-text; version=1.0.0"}


@pytest.fixture
def global_provider() -> Iterator[None]:
    """Set a global tracer provider, which FastAPI's own telemetry would take up."""
    before = trace._TRACER_PROVIDER
    trace._TRACER_PROVIDER = TracerProvider(shutdown_on_exit=False)
    yield
    trace._TRACER_PROVIDER = before


async def test_a_prediction_makes_one_server_span_and_its_stages(
    make: Callable[..., Bench], global_provider: None
) -> None:
    """Five spans in all, the stages below the server span, also where a global provider is set."""
    bench = make()
    async with bench.client() as client:
        await client.post("/predict", json=SETOSA, headers={"traceparent": TRACEPARENT, "x-request-id": "abc-1"})
    spans = bench.spans()
    assert set(spans) == {"POST /predict", "preprocess", "queue", "model_prediction", "drift"}
    server = spans["POST /predict"]
    assert server.kind is trace.SpanKind.SERVER
    assert server.parent is not None
    assert f"{server.parent.span_id:016x}" == TRACEPARENT.split("-")[2]
    assert server.attributes is not None
    assert server.attributes["request.id"] == "abc-1"
    assert server.attributes["http.response.status_code"] == 200
    for name in ("preprocess", "queue", "model_prediction", "drift"):
        parent = spans[name].parent
        assert parent is not None
        assert parent.span_id == server.get_span_context().span_id
    said = spans["model_prediction"].attributes
    assert said is not None
    assert (said["model.name"], said["model.version"], said["prediction.class"]) == ("iris", "1.0.0", "setosa")
    assert said["prediction.value"] == 0
    assert str(said["timestamp.utc"]).startswith("2027-01-15T08:00:")
    assert 0 < float(str(said["inference.duration_seconds"])) < 1
    assert 0.9 < float(str(said["prediction.confidence"])) <= 1


async def test_loads_have_spans(make: Callable[..., Bench]) -> None:
    """A load is a span with the model's name, size and load time."""
    bench = make()
    async with bench.client():
        await bench.models.load("iris")
    said = bench.spans()["load_model"].attributes
    assert said is not None
    assert said["model.name"] == "iris"
    assert {"model.load_time_seconds", "model.memory_bytes"} <= set(said)


async def test_every_answer_carries_its_ids(make: Callable[..., Bench]) -> None:
    """A valid request id is taken over, another replaced; the trace id is the caller's or a new one, everywhere."""
    async with make().client() as client:
        for path in ("/predict", "/health", "/metrics", "/nowhere"):
            offered = {"x-request-id": "req-1:a.b_C", "traceparent": TRACEPARENT}
            kept = await client.get(path, headers=offered)
            assert kept.headers["x-request-id"] == "req-1:a.b_C"
            assert kept.headers["x-trace-id"] == TRACEPARENT.split("-")[1]
            replaced = await client.get(path, headers={"x-request-id": "a b", "traceparent": "00-zz-yy-01"})
            assert len(replaced.headers["x-request-id"]) == 32
            assert len(replaced.headers["x-trace-id"]) == 32


@given(st.text(max_size=200))
def test_a_request_id_taken_over_is_harmless(offered: str) -> None:
    """What is taken over is short, printable ASCII without spaces, quotes or control characters."""
    if valid_request_id(offered):
        assert 1 <= len(offered) <= 128
        assert all(char.isascii() and (char.isalnum() or char in "._:-") for char in offered)


@pytest.mark.parametrize(("offered", "valid"), [("a" * 128, True), ("a" * 129, False), ("", False), ("a\n", False)])
def test_the_length_of_a_request_id_is_limited(offered: str, valid: bool) -> None:
    """128 characters are taken over, 129 are not, nor is a trailing newline."""
    assert valid_request_id(offered) is valid


async def test_series_are_born_at_zero(make: Callable[..., Bench]) -> None:
    """Before the first request the series that alerts divide by exist, and no others of HTTP."""
    bench = make()
    async with bench.client():
        for endpoint in ("/predict", "/predict/{model}"):
            for status in ("200", "422", "500", "503", "504"):
                assert bench.value("http_requests_total", method="POST", endpoint=endpoint, status=status) == 0
            for kind in ("prediction_failed", "timeout", "queue_full", "model_not_loaded"):
                assert bench.value("http_errors_total", method="POST", endpoint=endpoint, error_type=kind) == 0
        for name, classes in (("iris", ("setosa", "versicolor", "virginica")), ("churn", ("stays", "leaves"))):
            model = {"model_name": name, "model_version": "1.0.0"}
            assert bench.value("prediction_requests_total", **model) == 0
            assert bench.value("data_drift_requests_total", **model) == 0
            assert bench.value("model_load_failures_total", reason="hash_mismatch", **model) == 0
            assert [bench.value("model_predictions_total", prediction_class=label, **model) for label in classes] == [
                0
            ] * len(classes)
    assert bench.value("http_requests_total", method="POST", endpoint="/predict", status="404") is None


async def test_probes_and_scrapes_are_not_traffic(make: Callable[..., Bench]) -> None:
    """/metrics, /health and /ready make no series, no span and no log line."""
    bench = make()
    async with bench.client() as client:
        for path in ("/metrics", "/health", "/ready"):
            assert (await client.get(path)).status_code == 200
            assert bench.value("http_requests_total", method="GET", endpoint=path, status="200") is None
    assert bench.spans() == {}


async def test_openmetrics_carries_exemplars_that_name_the_trace(make: Callable[..., Bench]) -> None:
    """Asked for OpenMetrics, both latency histograms link to the spans; the older text format has no exemplars."""
    bench = make()
    async with bench.client() as client:
        answer = await client.post("/predict", json=SETOSA)
        modern = await client.get("/metrics", headers=OPENMETRICS)
        older = await client.get("/metrics")
    spans = bench.spans()
    assert modern.headers["content-type"].startswith("application/openmetrics-text")
    families = {family.name: family for family in text_string_to_metric_families(modern.text)}
    for name, span in (
        ("http_request_duration_seconds", "POST /predict"),
        ("model_inference_duration_seconds", "model_prediction"),
    ):
        exemplars = [sample.exemplar for sample in families[name].samples if sample.exemplar]
        assert [exemplar.labels for exemplar in exemplars] == [
            {
                "trace_id": answer.headers["x-trace-id"],
                "span_id": f"{spans[span].get_span_context().span_id:016x}",
            }
        ]
    assert older.headers["content-type"].startswith("text/plain")
    assert "trace_id" not in older.text
    assert list(text_0_0_4(older.text))


async def test_every_metric_of_the_table_is_exposed_and_none_twice(make: Callable[..., Bench]) -> None:
    """The exposition has each metric of the table with its labels, and no _created series."""
    bench = make()
    async with bench.client() as client:
        await client.post("/predict", json=SETOSA)
        text = (await client.get("/metrics", headers=OPENMETRICS)).text
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    for definition in DEFINITIONS.values():
        mine = [sample for sample in samples if sample.name in {definition.name, f"{definition.name}_count"}]
        assert mine, definition.name
        assert set(definition.labels) <= set(mine[0].labels)
    assert not [sample for sample in samples if sample.name.endswith("_created")]
    assert any(sample.name == "process_resident_memory_bytes" for sample in samples)


class Teapot:
    """Middleware as a fault would attach it: answers, breaks, or breaks off in mid-answer."""

    def __init__(self, app: ASGIApp, what: str) -> None:
        self.app, self.what = app, what

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Act."""
        if self.what == "answer":
            await PlainTextResponse("short and stout", 503)(scope, receive, send)
        elif self.what == "raise":
            raise RuntimeError("the handle came off")
        elif self.what == "break off":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            raise RuntimeError("spilled")
        else:
            await self.app(scope, receive, send)


@pytest.mark.parametrize(("what", "status", "kind"), [("answer", "503", "unavailable"), ("raise", "500", "internal")])
async def test_what_the_seams_answer_is_measured_as_traffic(
    make: Callable[..., Bench], what: str, status: str, kind: str
) -> None:
    """An answer or an exception of attached middleware counts at the template of the path that it stands before."""
    bench = make()
    bench.seams.middleware.append(lambda app: Teapot(app, what))
    async with bench.client() as client:
        answer = await client.post("/predict/churn", json=SETOSA)
    labels = {"method": "POST", "endpoint": "/predict/{model}"}
    assert str(answer.status_code) == status
    assert answer.headers["x-request-id"]
    assert bench.value("http_requests_total", status=status, **labels) == 1
    assert bench.value("http_request_duration_seconds_count", status=status, **labels) == 1
    assert bench.value("http_errors_total", error_type=kind, **labels) == 1
    assert bench.spans()["POST /predict/{model}"].status.is_ok is False
    if what == "raise":
        assert answer.json()["error"]["type"] == "internal"
        assert "handle" not in answer.text


async def test_an_answer_broken_off_counts_as_a_500(make: Callable[..., Bench]) -> None:
    """A failure after the status line is no success."""
    bench = make()
    bench.seams.middleware.append(lambda app: Teapot(app, "break off"))
    async with bench.client() as client:
        with pytest.raises(RuntimeError, match="spilled"):
            await client.post("/predict", json=SETOSA)
    assert bench.value("http_requests_total", method="POST", endpoint="/predict", status="500") == 1
    assert bench.value("http_requests_total", method="POST", endpoint="/predict", status="200") == 0


async def test_middleware_may_be_attached_and_taken_off_while_serving(make: Callable[..., Bench]) -> None:
    """What hangs at the seam is looked up at each request."""
    bench = make()
    async with bench.client() as client:
        assert (await client.post("/predict", json=SETOSA)).status_code == 200
        bench.seams.middleware.append(lambda app: Teapot(app, "answer"))
        assert (await client.post("/predict", json=SETOSA)).status_code == 503
        bench.seams.middleware.clear()
        assert (await client.post("/predict", json=SETOSA)).status_code == 200


async def test_drift_follows_the_training_statistics(make: Callable[..., Bench]) -> None:
    """A row outside of what was seen in training is counted as a request, once, and moves the ratio."""
    bench = make()
    model = {"model_name": "iris", "model_version": "1.0.0"}
    async with bench.client() as client:
        await client.post("/predict", json=SETOSA)
        await client.post("/predict", json={"features": [[5.1, 3.5, 1.4, 99.0], [50.0, 3.5, 1.4, 0.2]]})
        # 4.4 is the largest sepal width of the data, but more than three deviations from the mean
        await client.post("/predict", json={"features": [[5.1, 4.4, 1.4, 0.2]]})
        await client.post("/predict", json=SETOSA)
    assert bench.value("data_drift_requests_total", **model) == 2
    assert bench.value("data_drift_ratio", **model) == 0.5
    assert bench.value("model_feature_value", feature="petal_width", **model) == 0.2
    assert bench.value("model_feature_zscore_count", feature="petal_width", **model) == 5
    assert bench.value("model_feature_zscore_bucket", feature="petal_width", le="5.0", **model) == 4


async def test_input_hooks_act_before_the_drift_check(make: Callable[..., Bench]) -> None:
    """Rows that a hook moves out of distribution are what the model and the drift check see."""
    bench = make()
    bench.seams.inputs.append(
        lambda _call, rows, features: [[feature.maximum + feature.std for feature in features] for _ in rows]
    )
    async with bench.client() as client:
        answer = await client.post("/predict", json=SETOSA)
    assert answer.json()["classes"] == ["virginica"]
    assert bench.value("data_drift_requests_total", model_name="iris", model_version="1.0.0") == 1


async def test_time_in_the_prediction_stage_is_inference_time(make: Callable[..., Bench]) -> None:
    """A hook of model_prediction runs inside that span, sees it as current, and its time counts."""
    seen: dict[str, str] = {}
    bench = make()

    async def slow(stage: str, call: object) -> None:
        seen[stage] = f"{trace.get_current_span().get_span_context().span_id:016x}"
        if stage == "model_prediction":
            bench.clock.now += 3.0

    bench.seams.stages.append(slow)
    async with bench.client() as client:
        await client.post("/predict", json=SETOSA)
    spans = bench.spans()
    assert seen == {
        stage: f"{spans[stage].get_span_context().span_id:016x}"
        for stage in ("preprocess", "queue", "model_prediction")
    }
    total = bench.value("model_inference_duration_seconds_sum", model_name="iris", model_version="1.0.0")
    assert total is not None
    assert 3.0 < total < 4.0


async def test_log_lines_tell_one_story(make: Callable[..., Bench], capsys: pytest.CaptureFixture[str]) -> None:
    """The lines of a request are JSON, in order, and share its ids; the same events leave as records of its trace."""
    exporter = InMemoryLogRecordExporter()
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    bench = make(models=("iris", "churn"), log_level="info", logger_provider=provider)
    async with bench.client() as client:
        answer = await client.post("/predict", json=SETOSA)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    events = [line["event"] for line in lines]
    assert [event for event in events if event.startswith("application")] == [
        "application_starting",
        "application_ready",
        "application_shutting_down",
    ]
    assert events.count("model_loaded") == events.count("model_warmup_complete") == len(bench.models.names)
    mine = [line for line in lines if line.get("request_id") == answer.headers["x-request-id"]]
    assert [line["event"] for line in mine] == ["request_received", "prediction_completed", "request_completed"]
    assert {line["trace_id"] for line in mine} == {answer.headers["x-trace-id"]}
    assert mine[-1]["status_code"] == 200
    assert {"method", "path", "client_ip", "duration_ms", "level", "timestamp", "span_id"} <= set(mine[-1])
    records = [entry.log_record for entry in exporter.get_finished_logs()]
    assert [record.body for record in records] == events
    of_trace = [record.body for record in records if record.trace_id == int(answer.headers["x-trace-id"], 16)]
    assert of_trace == [line["event"] for line in mine]


def test_log_lines_of_a_replica_name_it() -> None:
    """Every line carries ``instance`` where there are several; a line of a lone service does not."""
    lines = []
    for instance in ("127.0.0.1:8101", ""):
        stream = io.StringIO()
        log = build_log(Settings(log_level="info"), None, SystemClock(), stream, instance=instance)
        log.bind(request_id="a").info("request_received")
        log.error("unexpected_error", exc_info=ValueError("broken"))
        lines += [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line.get("instance") for line in lines] == ["127.0.0.1:8101"] * 2 + [None] * 2
    assert lines[0]["request_id"] == "a"
    assert "ValueError: broken" in lines[1]["exception"]


async def test_a_failed_request_is_logged_as_such(
    make: Callable[..., Bench], capsys: pytest.CaptureFixture[str]
) -> None:
    """An unexpected error is logged with its trace, once, and the request ends as request_failed, also as text."""
    bench = make(log_level="warning", log_format="text")
    bench.seams.middleware.append(lambda app: Teapot(app, "raise"))
    async with bench.client() as client:
        await client.post("/predict", json=SETOSA)
    text = capsys.readouterr().out
    assert text.count("unexpected_error") == text.count("request_failed") == 1
    assert "RuntimeError: the handle came off" in text


@settings(max_examples=examples(40), deadline=None)
@given(st.binary(max_size=60))
def test_trace_headers_never_break_the_ids(header: bytes) -> None:
    """Whatever stands in traceparent, what is taken from it is a trace id or nothing."""
    from service.telemetry.observe import _trace_id  # noqa: PLC0415 - private, and only this test looks at it

    taken = _trace_id({"traceparent": header.decode("latin-1")})
    assert taken is None or (len(taken) == 32 and int(taken, 16) > 0)
