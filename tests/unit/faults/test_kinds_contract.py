"""The promises of every kind in the catalogue, kept on the real service: effect, expiry, rollback, trace, docs."""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry

import faults.kinds  # noqa: F401 - fills the catalogue
from faults.base import Effect, FaultRecord, FaultRequest, catalogue
from faults.drills.spec import load_library
from faults.exposition import FaultCollector, span_marker
from faults.injector import Injector
from faults.serve import ServiceHost, seams_of
from service.app import create_app
from service.clock import SystemClock
from service.compute import InlineCompute
from service.ids import RandomIds
from service.models.profiles import profile_named
from service.models.training import train
from service.settings import Settings
from service.telemetry.export import ExportCollector, Exporter
from stack.rules.read import load_rules

KINDS = sorted(catalogue())
IN_SERVICE = [kind for kind in KINDS if catalogue()[kind].place == "service"]
DOCS = Path(__file__).parents[3] / "docs"
PARAMETERS: dict[str, dict[str, Any]] = {
    "latency": {},
    "slow_scrape": {"delay_ms": 700},
    "memory_leak": {"mib_per_s": 256, "most_mib": 48},
    "cpu_burn": {"threads": 2},
    "prediction_shift": {"towards": "setosa"},
}
"""What a test lights a kind with where its defaults would take long or take much."""
LEAST = {"cpu_burn": 0.05, "memory_leak": 24 * 2**20, "prediction_shift": 0.4, "confidence_collapse": 0.4}
"""How far the signal must move at least; 0.5 where nothing is said."""
RULES = Path(__file__).parents[3] / "stack/config/prometheus/rules"
IRIS = {"features": [[5.8, 3.0, 4.3, 1.3]]}


@dataclass
class Service:
    """The real service in this process, with an injector attached."""

    injector: Injector
    client: httpx.AsyncClient
    registry: CollectorRegistry
    spans: InMemorySpanExporter

    async def predict(self, calls: int = 4) -> list[int]:
        """Send predictions at the same time and return their statuses."""
        answers = await asyncio.gather(*(self.client.post("/predict", json=IRIS) for _ in range(calls)))
        return [answer.status_code for answer in answers]

    async def ready(self) -> bool:
        """Say whether every model is loaded."""
        return (await self.client.get("/ready")).status_code == 200

    def value(self, name: str, **labels: str) -> float:
        """Return the sum of the samples of ``name`` with these labels."""
        return self.total(name, {label: re.escape(value) for label, value in labels.items()})

    def total(self, name: str, patterns: dict[str, str]) -> float:
        """Return the sum of the samples of ``name`` whose labels match."""
        return sum(
            sample.value
            for family in self.registry.collect()
            for sample in family.samples
            if sample.name == name
            and all(re.fullmatch(pattern, sample.labels.get(label, "")) for label, pattern in patterns.items())
        )

    async def signal(self, kind: str) -> float:
        """Return what ``kind`` moves, before PromQL makes a rate or a share of it."""
        if kind == "slow_scrape":
            asked = asyncio.get_running_loop().time()
            await self.client.get("/metrics")
            return asyncio.get_running_loop().time() - asked
        if kind == "scrape_failure":
            answer = await self.client.get("/metrics")
            return answer.text.count("\n") if answer.status_code == 200 else 0.0
        if kind == "prediction_shift":
            return self.value("model_predictions_total", model_name="iris", prediction_class="setosa")
        return self.effect(catalogue()[kind].effect)

    def effect(self, effect: Effect) -> float:
        """Return the counter behind ``effect``: its first selector; of a histogram's buckets, the sum observed."""
        selector = re.search(r'(\w+)\{job="firedrill"([^}]*)\}', effect.promql)
        assert selector is not None, "an effect selects the stack's own job"
        matchers = re.findall(r'(\w+)=~?"([^"]*)"', selector[2])
        name = re.sub("_bucket$", "_sum", selector[1])
        assert any(sample.name == name for family in self.registry.collect() for sample in family.samples), name
        return self.total(name, dict(matchers))


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train both models once."""
    folder = tmp_path_factory.mktemp("artifacts")
    for name in ("iris", "churn"):
        train(profile_named(name), folder, SystemClock())
    return folder


class Nowhere:
    """A collector that takes everything."""

    target = "nowhere"

    def send(self, _body: bytes, _timeout_s: float) -> int:
        """Take it."""
        return 0

    def close(self) -> None:
        """Nothing to close."""


def exporting(injector: Injector) -> Exporter:
    """Return the service's own exporter, with the injector's seam in front."""
    return Exporter(
        "traces",
        Nowhere(),
        resource=b"",
        rng=random.Random(4),
        queue_limit=2048,
        batch_limit=512,
        every_s=0.05,
        timeout_s=5.0,
        filters=seams_of(injector, "iris").spans,
    )


class Sent(SpanProcessor):
    """Offers every finished span to an exporter."""

    def __init__(self, exporter: Exporter) -> None:
        self._exporter = exporter

    def on_end(self, span: ReadableSpan) -> None:
        """Offer it."""
        self._exporter.offer(b"", span.name.encode())


@asynccontextmanager
async def running(artifacts: Path, scratch: Path) -> AsyncIterator[Service]:
    """Run the service as ``faults.serve`` puts it together, without threads and without export."""
    clock, ids, registry, host = SystemClock(), RandomIds(random.Random(1)), CollectorRegistry(), ServiceHost(scratch)
    injector = Injector(host, rng=random.Random(2), now=clock.time, on_injection=span_marker(clock.time))
    spans = InMemorySpanExporter()
    provider = TracerProvider(id_generator=ids)
    provider.add_span_processor(SimpleSpanProcessor(spans))
    exporter = exporting(injector)
    provider.add_span_processor(Sent(exporter))
    registry.register(ExportCollector([exporter]))
    settings = Settings(artifacts_dir=artifacts, log_output="file", log_file=scratch / "service.log")
    app = create_app(
        settings,
        registry=registry,
        clock=clock,
        rng=random.Random(3),
        ids=ids,
        tracer_provider=provider,
        logger_provider=None,
        compute=InlineCompute(),
        seams=seams_of(injector, settings.model_name),
    )
    host.serve(app.state.models, app.state.queue, registry)
    registry.register(FaultCollector(injector))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client,
    ):
        yield Service(injector, client, registry, spans)
        await injector.close()
    exporter.close(5.0)


@pytest.fixture
def with_service(artifacts: Path, tmp_path: Path) -> Callable[[Callable[[Service], Awaitable[None]]], None]:
    """Return what runs a scenario against a fresh service."""

    def run(scenario: Callable[[Service], Awaitable[None]]) -> None:
        async def wrapped() -> None:
            async with running(artifacts, tmp_path) as service:
                await scenario(service)

        asyncio.run(wrapped())

    return run


async def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds, within five seconds."""
    async with asyncio.timeout(5):
        while True:
            if condition():
                return
            await asyncio.sleep(0.01)


def record_of(service: Service, fault_id: str) -> FaultRecord:
    """Return what the injector says of a fault now."""
    return next(record for record in service.injector.records() if record.id == fault_id)


Run = Callable[[Callable[[Service], Awaitable[None]]], None]


def wanted(kind: str, ttl_s: float = 60.0) -> FaultRequest:
    """Return the request that lights ``kind`` in a test."""
    return FaultRequest(kind=kind, parameters=PARAMETERS.get(kind, {}), ttl_s=ttl_s, seed=1)


@pytest.mark.parametrize("kind", IN_SERVICE)
def test_a_kind_has_its_effect_and_leaves_nothing_behind(with_service: Run, kind: str) -> None:
    """The declared signal moves while it burns; put out twice, the service is as it was before."""
    up, least = catalogue()[kind].effect.moves == "up", LEAST.get(kind, 0.5)

    async def scenario(service: Service) -> None:
        is_level = kind in {"slow_scrape", "scrape_failure", "queue_saturation", "memory_leak"}

        async def moved() -> float:
            """Return the level now, or how far the counter goes in four predictions."""
            before = 0.0 if is_level else await service.signal(kind)
            await service.predict()
            return await service.signal(kind) - before

        async def burns(quiet: float) -> bool:
            now = await moved()
            return now > quiet + least if up else now < quiet - least

        quiet = await moved()
        record = await service.injector.light(wanted(kind))
        assert service.value("firedrill_fault_active", kind=kind) == 1
        async with asyncio.timeout(15):
            while not await burns(quiet):
                pass
        for _ in range(2):
            record = await service.injector.put_out(record.id)
            assert (record.state, record.end_reason, record.error) == ("ended", "rolled_back", None)
        assert record.injections > 0
        assert service.value("firedrill_fault_injections_total", kind=kind) == record.injections
        assert service.value("firedrill_fault_active", kind=kind) == 0
        assert await service.ready()
        async with asyncio.timeout(15):
            while await burns(quiet):
                pass
        assert await service.predict() == [200] * 4

    with_service(scenario)


@pytest.mark.parametrize("kind", IN_SERVICE)
def test_a_kind_expires(with_service: Run, kind: str) -> None:
    """Left alone, every kind ends by its time to live, and the service serves as before."""

    async def scenario(service: Service) -> None:
        fault_id = (await service.injector.light(wanted(kind, ttl_s=0.3))).id
        held = asyncio.get_running_loop().create_task(service.predict())
        await until(lambda: record_of(service, fault_id).state == "ended")
        record = record_of(service, fault_id)
        assert len(await held) == 4
        assert (record.end_reason, record.error) == ("expired", None)
        assert await service.ready()
        assert await service.predict() == [200] * 4

    with_service(scenario)


@pytest.mark.parametrize("kind", IN_SERVICE)
def test_a_kind_marks_the_span_it_hit(with_service: Run, kind: str) -> None:
    """Every injection into a call is an event on its span, with the fault's id, kind and parameters; others are not."""

    async def scenario(service: Service) -> None:
        fields = catalogue()[kind].parameters_type.model_fields
        parameters = {"delay_ms": 5} if kind == "latency" else PARAMETERS.get(kind, {})
        record = await service.injector.light(FaultRequest(kind=kind, parameters=parameters, ttl_s=60))
        await service.predict()
        await service.client.get("/metrics")
        record = await service.injector.put_out(record.id)
        assert record.injections > 0
        events = [event for span in service.spans.get_finished_spans() for event in span.events]
        marks = [dict(event.attributes or {}) for event in events if event.name == "fault.injected"]
        assert len(marks) == (0 if kind in WITHOUT_SPAN else record.injections)
        for mark in marks:
            assert (mark["fault.id"], mark["fault.kind"]) == (record.id, kind)
            assert {f"fault.parameters.{name}" for name in fields} <= mark.keys()

    with_service(scenario)


WITHOUT_SPAN = {"cpu_burn", "memory_leak", "queue_saturation", "trace_loss", "slow_scrape", "scrape_failure"}
"""They act on the process or on scrapes, which are not traced."""


@pytest.mark.parametrize("stage", ["request", "preprocess", "queue", "model_prediction"])
def test_latency_is_where_it_was_asked_for(with_service: Run, stage: str) -> None:
    """A delayed stage's own span is longer by the delay, and model time counts it only where the model waits."""

    async def scenario(service: Service) -> None:
        parameters: dict[str, Any] = {"delay_ms": 120, "stage": stage}
        await service.injector.light(FaultRequest(kind="latency", parameters=parameters, ttl_s=60))
        assert await service.predict(1) == [200]
        spans = {span.name: span for span in service.spans.get_finished_spans()}
        span = spans["POST /predict" if stage == "request" else stage]
        assert span.end_time is not None
        assert span.start_time is not None
        assert (span.end_time - span.start_time) / 1e9 >= 0.12
        model_s = service.value("model_inference_duration_seconds_sum", model_name="iris")
        assert (model_s >= 0.12) is (stage == "model_prediction")
        assert service.value("http_request_duration_seconds_sum", endpoint="/predict") >= 0.12

    with_service(scenario)


def test_an_exception_in_the_model_is_the_services_own_failure(with_service: Run) -> None:
    """In exception mode the answer is the service's prediction_failed, counted as such for the model."""

    async def scenario(service: Service) -> None:
        await service.injector.light(FaultRequest(kind="error", parameters={"mode": "exception"}, ttl_s=60))
        answer = await service.client.post("/predict", json=IRIS)
        assert answer.status_code == 500
        assert answer.json()["error"]["type"] == "prediction_failed"
        assert service.value("prediction_errors_total", model_name="iris", error_type="prediction_failed") == 1

    with_service(scenario)


def test_an_injected_status_is_measured_and_named_like_any_other(with_service: Run) -> None:
    """An answer in the app's place carries the service's request id and is counted under its route template."""

    async def scenario(service: Service) -> None:
        target = {"endpoint": "/predict/{model}", "model": "churn"}
        wanted = {"kind": "error", "parameters": {"status": 503}, "target": target, "ttl_s": 60}
        await service.injector.light(FaultRequest.model_validate(wanted))
        answer = await service.client.post("/predict/churn", json={})
        assert answer.status_code == 503
        assert answer.json()["error"]["request_id"] == answer.headers["x-request-id"]
        assert await service.predict(1) == [200]
        assert (await service.client.post("/predict/iris", json=IRIS)).status_code == 200
        assert service.value("http_requests_total", endpoint="/predict/{model}", status="503") == 1
        assert service.value("http_errors_total", endpoint="/predict/{model}") == 1

    with_service(scenario)


@pytest.mark.parametrize("when", ["cold", "reload"])
@pytest.mark.parametrize("reason", ["missing_file", "damaged_file", "hash_mismatch", "out_of_memory"])
def test_loads_fail_for_the_reason_asked_for(with_service: Run, artifacts: Path, when: str, reason: str) -> None:
    """The service itself names the reason; cold the model is gone, at reload the old one serves; retries go on."""
    stored = artifacts / "iris"
    before = {file: file.read_bytes() for file in stored.rglob("*") if file.is_file()}

    async def scenario(service: Service) -> None:
        def failed() -> float:
            return service.value("model_load_failures_total", model_name="iris", reason=reason)

        wanted = {"reason": reason, "when": when, "retry_every_s": 0.2}
        request = {"kind": "model_load_failure", "parameters": wanted, "target": {"model": "iris"}, "ttl_s": 60}
        record = await service.injector.light(FaultRequest.model_validate(request))
        assert failed() == 1
        assert service.value("model_loaded", model_name="iris") == (0 if when == "cold" else 1)
        assert service.value("model_loaded", model_name="churn") == 1
        assert await service.predict(1) == [503 if when == "cold" else 200]
        await until(lambda: failed() >= 3)
        assert service.value("model_load_failures_total") == failed()
        loads = len([span for span in service.spans.get_finished_spans() if span.name == "load_model"])
        record = await service.injector.put_out(record.id)
        assert record.error is None
        assert len([span for span in service.spans.get_finished_spans() if span.name == "load_model"]) == loads + 1
        assert service.value("model_loaded", model_name="iris") == 1
        assert await service.predict(1) == [200]

    with_service(scenario)
    assert before
    assert {file: file.read_bytes() for file in stored.rglob("*") if file.is_file()} == before


def test_two_load_failures_end_one_after_the_other(with_service: Run, tmp_path: Path) -> None:
    """With one of two put out the model stays away without complaint; with both out it is back, and no copy is left."""

    async def scenario(service: Service) -> None:
        request = {"kind": "model_load_failure", "parameters": {"when": "cold"}, "ttl_s": 60}
        one, two = [await service.injector.light(FaultRequest.model_validate(request)) for _ in range(2)]
        assert (await service.injector.put_out(one.id)).error is None
        assert not await service.ready()
        assert (await service.injector.put_out(two.id)).error is None
        assert await service.ready()
        assert list((tmp_path / "overlays").iterdir()) == []

    with_service(scenario)


def test_a_model_that_does_not_come_back_is_reported(artifacts: Path, tmp_path: Path) -> None:
    """Where the real artifact is gone meanwhile, the rollback says so, and a reset after its repair brings it back."""

    async def scenario() -> None:
        async with running(artifacts, tmp_path) as service:
            record = await service.injector.light(
                FaultRequest(kind="model_load_failure", parameters={"when": "cold"}, ttl_s=60)
            )
            manifest = artifacts / "iris" / profile_named("iris").version / "manifest.json"
            text = manifest.read_text()
            manifest.write_text("{}")
            try:
                record = await service.injector.put_out(record.id)
            finally:
                manifest.write_text(text)
            assert record.end_reason == "failed"
            assert record.error is not None
            assert "did not load again: iris" in record.error
            assert (await service.injector.reset())[0].error is None
            assert await service.ready()

    asyncio.run(scenario())


def limits(field: dict[str, Any]) -> str:
    """Return a parameter's values as the docs write them."""
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if field.get("type") == "array":
        return f"up to {field['maxItems']} {'positions' if field['items'].get('type') == 'integer' else 'items'}"
    if field.get("type") == "string":
        return f"up to {field['maxLength']} characters"
    if field.get("type") == "boolean":
        return "`true`, `false`"
    low = f"{field['minimum']:g} to" if "minimum" in field else f"above {field['exclusiveMinimum']:g} to"
    return f"{low} {field['maximum']:.12g}"


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_documented(kind: str) -> None:
    """docs/faults/<kind>.md has the kind's effect, its presets, and each parameter's values and default."""
    page = (DOCS / "faults" / f"{kind}.md").read_text(encoding="utf-8")
    assert page.startswith(f"# `{kind}`\n")
    fault = catalogue()[kind]
    assert fault.effect.promql in page
    for preset in fault.presets:
        assert f"*{preset}*" in page, preset
    for name, field in fault.parameters_type.model_json_schema().get("properties", {}).items():
        default = json.dumps(field["default"]).strip(chr(34)) if field["default"] != "" else ""
        shown = f"`{default}`" if default else "empty"
        row = f"| `{name}` | {limits(field)} | {shown} | {field['description']} |"
        assert row in page, row


def test_the_table_of_kinds_is_the_catalogue() -> None:
    """docs/faults.md lists every kind with its place and clock, alerts that exist, and drills that light it."""
    overview = (DOCS / "faults.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[`(\w+)`\]\(faults/(\w+)\.md\) \|(.*)\|$", overview, re.MULTILINE)
    assert sorted(name for name, _, _ in rows) == KINDS
    known = {rule.name for file in RULES.glob("*.yml") for rule in load_rules(file).alerts}
    drills = load_library()
    for name, page, rest in rows:
        _, place, clock, alerts, lit_by = (cell.strip() for cell in rest.split("|"))
        assert (page, place, clock) == (name, catalogue()[name].place, catalogue()[name].clock)
        assert set(alerts.split(", ")) <= known, name
        for drill in lit_by.split(", "):
            assert name in {step.kind for step in drills[drill].faults}, (name, drill)
    assert {path.stem for path in (DOCS / "faults").glob("*.md")} == set(KINDS)
