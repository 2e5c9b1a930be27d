"""The text forms of metrics: the client library's, byte for byte; and how large and slow ``/metrics`` may be."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from string import printable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, disable_created_metrics
from prometheus_client.exposition import generate_latest as library_text
from prometheus_client.openmetrics.exposition import generate_latest as library_openmetrics
from service_bench import SETOSA, Bench
from starlette.types import Message, Scope

from service.telemetry import exposition
from tests.generated import examples

pytestmark = pytest.mark.anyio
OPENMETRICS = {"accept": "application/openmetrics-text; version=1.0.0"}
values = st.floats() | st.integers(0, 10**18).map(float)
texts = st.text(st.sampled_from([*printable, "ü", "☂"]), max_size=8)


@given(st.dictionaries(st.tuples(texts, texts), values, max_size=5), texts, st.lists(st.floats(0.0, 9.0), max_size=5))
@settings(max_examples=examples(60), deadline=None)
def test_both_forms_are_the_librarys(series: dict[tuple[str, str], float], said: str, seen: list[float]) -> None:
    """Whatever the values, label values and help texts; exemplars too."""
    disable_created_metrics()
    registry = CollectorRegistry()
    gauge, counter = (kind("x_y", said, ["a", "b"], registry=registry) for kind in (Gauge, _named(Counter)))
    histogram = Histogram("h", said, ["z"], registry=registry, buckets=(0.5, 2.5))
    for labels, value in series.items():
        gauge.labels(*labels).set(value)
        counter.labels(*labels).inc(abs(value))
    for value in seen:
        histogram.labels(said).observe(value, {"trace_id": "0" * 8} if value > 3 else None)
    Info("i", said, registry=registry).info({"q": said})
    assert exposition.openmetrics(registry) == library_openmetrics(registry)
    assert exposition.text(registry) == library_text(registry)


def _named(kind: type[Counter]) -> Callable[..., Counter]:
    return lambda _, *args, **options: kind("c", *args, **options)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", "text/plain"),
        ("*/*", "text/plain"),
        ("text/plain;version=0.0.4;q=0.5,*/*;q=0.1", "text/plain"),
        ("application/openmetrics-text", "application/openmetrics-text"),
        (
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.4",
            "application/openmetrics-text",
        ),
    ],
)
def test_the_form_is_the_one_asked_for(accept: str, expected: str) -> None:
    """By the ``Accept`` header, as Prometheus sends it."""
    assert exposition.choose(accept)[1].startswith(expected)


async def test_the_metrics_of_a_service_are_as_the_library_writes_them(make: Callable[..., Bench]) -> None:
    """All of them, after some traffic; what moves by itself (the process) is left out."""
    bench = make()
    async with bench.client() as client:
        for _ in range(3):
            await client.post("/predict", json=SETOSA)
        await client.post("/predict", json={})
        ours = (await client.get("/metrics", headers=OPENMETRICS)).text
    library = library_openmetrics(bench.registry).decode()

    def still(text: str) -> list[str]:
        return [line for line in text.splitlines() if not line.startswith(("process_", "python_"))]

    assert still(ours) == still(library)


async def test_the_default_profiles_stay_within_900_lines_and_20_ms(make: Callable[..., Bench]) -> None:
    """As OpenMetrics, with every answer that the prediction endpoints declare seen once."""
    bench = make()
    async with bench.client() as client:
        for path in ("/predict", "/predict/iris", "/predict/none", "/v2/models/iris/infer", "/nowhere"):
            await client.post(path, json=SETOSA)
        for name in bench.models.names:
            drift = bench.models.serving(name).drift
            examples = bench.models.serving(name).model.statistics.examples
            if len(examples[0]) == len(bench.models.profiles[name].features):
                for number in range(600):
                    drift.check([list(examples[number % len(examples)])])
        took = []
        for _ in range(15):
            began = time.thread_time()  # of this thread, in which all of it runs: other work does not count
            answer = await client.get("/metrics", headers=OPENMETRICS)
            took.append(time.thread_time() - began)
    assert len(answer.text.splitlines()) <= 900
    assert statistics.median(took) <= 0.020


async def test_thousands_of_unknown_paths_and_methods_add_no_series(make: Callable[..., Bench]) -> None:
    """After the first of each there is nothing new, whatever else is sent."""
    bench = make(models=("iris",))
    rng = random.Random(5)

    async def send(method: str, path: str) -> None:
        scope: Scope = {
            "type": "http",
            "http_version": "1.1",
            "scheme": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": [],
            "client": ("127.0.0.1", 1),
            "server": ("service", 80),
        }

        async def receive() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def forward(_: Message) -> None:
            return

        await bench.app(scope, receive, forward)

    def series() -> int:
        return sum(len(family.samples) for family in bench.registry.collect())

    await send("GET", "/x")
    await send("BREW", "/predict")
    await send("GET", "/v2/models/x")
    before, number = series(), examples(3333)
    for _ in range(number):
        word = f"{rng.getrandbits(64):x}"
        await send("GET", f"/{word}")
        await send(word.upper(), "/predict")
        await send("GET", f"/v2/models/{word}")
    assert series() == before
    assert bench.value("http_requests_total", method="GET", endpoint="unmatched", status="404") == number + 1
