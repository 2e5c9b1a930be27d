"""Dialects: golden expositions, sums that hold whatever was counted, promtool's opinion, and files that are refused."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from service_bench import SETOSA, Bench

from service.errors import BadDialects, ServiceError
from service.models.base import Output
from service.telemetry import exposition
from service.telemetry.dialects import Dialect, _Document, _Entry, load_dialects, read_dialect
from service.telemetry.metrics import Metrics
from service.telemetry.translation import Translation
from stack.provision import find_program
from tests.generated import examples

pytestmark = pytest.mark.anyio
GOLDEN = Path(__file__).parent / "golden"
PAGE = (Path(__file__).resolve().parents[3] / "docs/dialects.md").read_text(encoding="utf-8")
BUILT_IN = ("a3", "exchange-rate", "gateway", "mlops")
OPENMETRICS = {"accept": "application/openmetrics-text; version=1.0.0"}
Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


def _metrics() -> Metrics:
    """Return metrics with a little of everything, the same every time."""
    metrics = Metrics(CollectorRegistry(auto_describe=True))
    metrics.describe_service("firedrill-service", "0.1.0", "A service.")
    metrics.watch_queue(100, lambda: 3)
    metrics.declare_http("POST", "/predict", [200, 422, 500, 503], [])
    for method, endpoint, status, seconds in (
        ("POST", "/predict", 200, 0.004),
        ("POST", "/predict", 200, 0.27),
        ("POST", "/predict", 201, 0.3),
        ("POST", "/predict", 503, 2.4),
        ("POST", "/predict/{model}", 200, 30.0),
        ("GET", "/", 200, 0.0004),
    ):
        metrics.http(method, endpoint, status, seconds, {"trace_id": f"{status}"} if status == 503 else None)
    metrics.http_error("POST", "/predict", "queue_full")
    metrics.http_error("POST", "/predict/{model}", "queue_full")
    metrics.http_error("POST", "/predict", "timeout")
    for name, classes in (("iris", ["setosa", "virginica"]), ("exchange-rate", []), ("housing", [])):
        metrics.declare_model(name)
        series = metrics.declare_version(name, "1.0.0", classes, [])
        series.requests.inc(4)
        series.inference.observe(0.02)
        series.inference.observe(0.06)
        series.drift_ratio.set(0.25 if name == "exchange-rate" else 0.75)
        series.drifted.inc(2)
        if classes:
            series.observe(Output((0.0, 1.0), ("setosa", "virginica"), (0.55, 0.97)))
        else:
            series.observe(Output((24.375,)))
    metrics._of("model_loaded", type(metrics._metrics["model_loaded"])).labels("iris").set(1)
    return metrics


def _undated(line: str) -> str:
    """Return a line without the time of its exemplar, which the client library takes from the machine."""
    return re.sub(r"( # \{.*\} \S+) \S+$", r"\1", line)


def _dialect(name: str) -> Dialect:
    return load_dialects(None)[name]


def _series(source: exposition.Source) -> Series:
    """Return every sample by name and labels; none may be there twice."""
    samples = [
        ((sample.name, frozenset(sample.labels.items())), sample.value)
        for family in text_string_to_metric_families(exposition.openmetrics(source).decode())
        for sample in family.samples
        if not sample.name.startswith(("process_", "python_"))
    ]
    assert len(dict(samples)) == len(samples)
    return dict(samples)


def test_the_built_in_dialects_are_those_promised() -> None:
    """By name, with the job that their rules select."""
    assert {name: dialect.job for name, dialect in load_dialects(None).items()} == {
        "a3": "fastapi",
        "exchange-rate": "model-api",
        "gateway": "inference-gateway",
        "mlops": "mlops-api",
    }
    assert set(_dialect("gateway").target_labels) == {"service", "team"}


@pytest.mark.parametrize("name", BUILT_IN)
def test_the_exposition_is_the_golden_one(name: str) -> None:
    """Names, labels, values and buckets, in both forms; the process's own metrics come behind, as they are."""
    translation = Translation(_dialect(name), _metrics().registry)
    for form, encode in (("openmetrics", exposition.openmetrics), ("text", exposition.text)):
        lines = [_undated(line) for line in encode(translation).decode().splitlines()]
        mine = [line for line in lines if "process_" not in line and "python_" not in line]
        assert len(mine) < len(lines)
        assert "\n".join(mine) + "\n" == (GOLDEN / f"{name}.{form}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", BUILT_IN)
def test_promtool_finds_nothing_wrong(name: str) -> None:
    """``promtool check metrics`` on the text form."""
    said = exposition.text(Translation(_dialect(name), _metrics().registry))
    command = [str(find_program("promtool")), "check", "metrics"]
    done = subprocess.run(command, input=said, capture_output=True, check=False, timeout=60)
    complaints = [line for line in done.stderr.decode().splitlines() if not line.startswith(("process_", "python_"))]
    assert complaints == []


events = st.lists(
    st.tuples(
        st.sampled_from(["GET", "POST", "other"]),
        st.sampled_from(["/predict", "/predict/{model}", "/model-info"]),
        st.sampled_from([200, 201, 404, 422, 500, 503]),
        st.floats(0.0, 20.0),
    ),
    max_size=40,
)


@given(events)
@settings(max_examples=examples(60), deadline=None)
def test_sums_hold_whatever_was_counted(seen: list[tuple[str, str, int, float]]) -> None:
    """Counts, sums and every bucket over dropped and rewritten labels are those of the events themselves."""
    metrics = Metrics(CollectorRegistry())
    for method, endpoint, status, seconds in seen:
        metrics.http(method, endpoint, status, seconds, {"trace_id": "1"})
    a3 = _series(Translation(_dialect("a3"), metrics.registry))
    for method, handler in {(method, endpoint) for method, endpoint, _, _ in seen}:
        labels = {"handler": handler, "method": method}
        mine = [(status, s) for m, e, status, s in seen if (m, e) == (method, handler)]
        for family in {status // 100 for status, _ in mine}:
            key = frozenset({**labels, "status": f"{family}xx"}.items())
            assert a3["http_requests_total", key] == sum(status // 100 == family for status, _ in mine)
        for bound in (0.1, 0.5, 1.0, float("inf")):
            le = {"le": "+Inf" if bound == float("inf") else str(bound)}
            counted = a3["http_request_duration_seconds_bucket", frozenset({**labels, **le}.items())]
            assert counted == sum(seconds <= bound for _, seconds in mine)
        key = frozenset(labels.items())
        assert a3["http_request_duration_seconds_count", key] == len(mine)
        assert a3["http_request_duration_seconds_sum", key] == pytest.approx(sum(seconds for _, seconds in mine))
    assert len([name for name, _ in a3 if name == "http_requests_total"]) == len(
        {(method, endpoint, status // 100) for method, endpoint, status, _ in seen}
    )


@given(st.lists(st.sampled_from([0.0, 1.0, float("nan"), 3.5]), min_size=1, max_size=4))
def test_gauges_are_joined_as_told_and_never_by_a_missing_reading(readings: list[float]) -> None:
    """Minimum, maximum and sum over those that are there; NaN alone stays NaN."""
    metrics = Metrics(CollectorRegistry())
    for number, reading in enumerate(readings):
        metrics._metrics["model_loaded"].labels(f"m{number}").set(reading)  # type: ignore[attr-defined]
    there = [reading for reading in readings if reading == reading]  # noqa: PLR0124 - NaN is not itself
    for aggregate, join in (("min", min), ("max", max), ("sum", sum)):
        text = f"schema: 1\nname: x\njob: j\nmetrics: {{up: {{from: model_loaded, aggregate: {aggregate}}}}}"
        value = _series(Translation(read_dialect("x.yaml", text), metrics.registry))["up", frozenset()]
        assert value == join(there) if there else value != value  # noqa: PLR0124 - as above


def test_exemplars_survive_in_the_next_bucket_that_is_kept() -> None:
    """The newest of those that fall together; its value still fits under the bound."""
    metrics = Metrics(CollectorRegistry())
    for status, seconds in ((200, 0.15), (500, 0.3)):
        metrics.http("POST", "/predict", status, seconds, {"trace_id": str(status)})
    text = exposition.openmetrics(Translation(_dialect("a3"), metrics.registry)).decode()
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    found = {sample.labels["le"]: sample.exemplar for sample in samples if sample.exemplar}
    assert [(le, exemplar.labels, exemplar.value) for le, exemplar in found.items()] == [
        ("0.5", {"trace_id": "500"}, 0.3)
    ]


def test_of_two_versions_of_the_model_the_newer_reading_is_shown() -> None:
    """A last value is not aggregated; a version that has predicted nothing yet does not hide the one that has."""
    metrics = Metrics(CollectorRegistry())
    first = metrics.declare_version("housing", "1", [], [])
    first.observe(Output((20.0,)))
    second = metrics.declare_version("housing", "2", [], [])
    key = ("model_prediction_value", frozenset[tuple[str, str]]())
    assert _series(Translation(_dialect("a3"), metrics.registry))[key] == 20.0
    second.observe(Output((30.0,)))
    assert _series(Translation(_dialect("a3"), metrics.registry))[key] == 30.0


async def test_a_dialect_is_served_beside_the_service_s_own_names(make: Callable[..., Bench]) -> None:
    """In both forms; an unknown name is a 404 that lists the known ones, and no scrape is traffic."""
    bench = make()
    async with bench.client() as client:
        await client.post("/predict", json=SETOSA)
        for headers in ({}, OPENMETRICS):
            answer = await client.get("/metrics", params={"dialect": "mlops"}, headers=headers)
            assert answer.status_code == 200
            assert 'predictions_total{model_version="1.0.0"} 1.0' in answer.text
            assert "model_loaded 1.0" in answer.text
            assert "http_requests_total" not in answer.text
        own = (await client.get("/metrics")).text
        unknown = await client.get("/metrics", params={"dialect": "klingon"})
    assert 'prediction_requests_total{model_name="iris",model_version="1.0.0"} 1.0' in own
    assert unknown.status_code == 404
    assert unknown.json()["error"]["type"] == "not_found"
    assert all(name in unknown.json()["error"]["message"] for name in ("klingon", *BUILT_IN))
    assert bench.value("http_requests_total", method="GET", endpoint="/metrics", status="404") is None


USERS = """\
schema: 1
name: mine
description: What our rules call it.
job: shop
target_labels: {team: checkout}
runtime: false
metrics:
  shop_requests_total:
    from: http_requests_total
    labels: {code: status}
    help: Requests of the shop.
  shop_model_info:
    from: model_info
    where: {model_name: iris}
"""


async def test_a_user_s_dialect_is_served_too(make: Callable[..., Bench], tmp_path: Path) -> None:
    """From ``DIALECTS_DIR``: exactly what the file says and nothing besides."""
    (tmp_path / "mine.yml").write_text(USERS, encoding="utf-8")
    (tmp_path / "notes.txt").write_text("not a dialect", encoding="utf-8")
    bench = make(dialects_dir=tmp_path)
    async with bench.client() as client:
        await client.post("/predict", json=SETOSA)
        text = (await client.get("/metrics", params={"dialect": "mine"})).text
    lines = text.splitlines()
    assert lines[:2] == ["# HELP shop_requests_total Requests of the shop.", "# TYPE shop_requests_total counter"]
    assert 'shop_requests_total{code="200"} 1.0' in lines
    names = {line.split("{")[0] for line in lines if not line.startswith("#")}
    assert names == {"shop_requests_total", "shop_model_info"}


def _entry(body: str) -> str:
    """Return a file whose one metric is ``body``, from line 5 on."""
    return f"schema: 1\nname: x\njob: j\nmetrics:\n{body}\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["x.yaml:1: document: expected"]),
        ("- 1", ["x.yaml:1: document: expected"]),
        ("a: [1\nb: 2", ["x.yaml:2: expected YAML: "]),
        ("a: &a [*a]", ["x.yaml:1: expected YAML that does not contain itself"]),
        ("schema: 2\nname: x\njob: j\nmetrics: {a: {from: model_loaded}}", ["x.yaml:1: schema: expected "]),
        (
            "schema: 1\nname: X Y\nmetrics: {}",
            [
                "x.yaml:2: name: expected string should match pattern",
                "x.yaml:1: job: expected this key",
                "x.yaml:3: metrics: expected",
            ],
        ),
        (_entry("  a_total:\n    from: nope"), ["x.yaml:6: metrics.a_total.from: expected a metric of the service"]),
        (_entry("  a_total:\n    frm: x"), ["x.yaml:5: metrics.a_total.from: expected this key", "no such key"]),
        (_entry("  a:\n    from: http_requests_total"), ["x.yaml:5: metrics.a: expected a name that ends in _total"]),
        (_entry("  a_total:\n    from: model_prediction_value"), ["does not end in _total", "`where` for model_name"]),
        (_entry("  a-b_total:\n    from: http_requests_total"), ["x.yaml:5: metrics.a-b_total: expected the name of"]),
        (
            _entry("  a_sum:\n    from: http_request_duration_seconds"),
            ["x.yaml:5: metrics.a_sum: expected a name with"],
        ),
        (
            _entry("  a_total:\n    from: http_requests_total\n    labels:\n      m: verb"),
            ["x.yaml:8: metrics.a_total.labels.m: expected one of method, endpoint, status of http_requests_total"],
        ),
        (
            _entry("  a:\n    from: http_request_duration_seconds\n    labels: {le: status}"),
            ["x.yaml:7: metrics.a.labels.le: expected the name of a label"],
        ),
        (
            _entry("  a_total:\n    from: http_requests_total\n    where: {code: '200'}"),
            ["x.yaml:7: metrics.a_total.where.code: expected one of method, endpoint, status"],
        ),
        (
            _entry("  a_total:\n    from: http_requests_total\n    rewrite: {status: {'(.)..': 'x'}}"),
            ["x.yaml:7: metrics.a_total.rewrite.status: expected a label that this metric exposes"],
        ),
        (
            _entry("  a_total:\n    from: http_requests_total\n    labels: [status]\n    rewrite: {status: {'(': x}}"),
            ["x.yaml:8: metrics.a_total.rewrite.status.(: expected a regular expression"],
        ),
        (
            _entry(
                "  a_total:\n    from: http_requests_total\n    labels: [status]\n    rewrite: {status: {'.': '\\2'}}"
            ),
            ["expected a regular expression and what its groups fit into: invalid group reference 2"],
        ),
        (
            _entry("  a:\n    from: http_request_duration_seconds\n    buckets: [0.1, 0.15]"),
            ["x.yaml:7: metrics.a.buckets: expected some of 0.001 0.0025"],
        ),
        (
            _entry("  a:\n    from: http_request_duration_seconds\n    buckets: [0.5, 0.1]"),
            ["x.yaml:7: metrics.a.buckets: expected some of"],
        ),
        (_entry("  a_total:\n    from: http_requests_total\n    buckets: [1]"), ["expected no buckets"]),
        (_entry("  a_total:\n    from: http_requests_total\n    aggregate: max"), ["x.yaml:7:", "expected sum"]),
        (_entry("  a:\n    from: model_loaded"), ["x.yaml:5: metrics.a: expected `aggregate` or a `where`"]),
        (
            _entry("  a_info:\n    from: model_info\n    labels: [hash]"),
            ["x.yaml:7: metrics.a_info.labels: expected no"],
        ),
        (_entry("  a:\n    from: model_info"), ["expected a name that ends in _info"]),
        (
            _entry("  a:\n    from: model_loaded\n    aggregate: min\n  a:\n    from: model_loaded"),
            ["x.yaml:8: metrics.a: expected each key once"],
        ),
        ("schema: 1\nname: x\njob: j\ntarget_labels: {a-b: c}\nmetrics: {}", ["x.yaml:5: metrics"]),
        (
            "schema: 1\nname: x\njob: j\ntarget_labels: {a-b: c}\nmetrics: {up: {from: inference_queue_size}}",
            ["x.yaml:4: target_labels.a-b: expected the name of a label"],
        ),
    ],
)
def test_a_bad_file_is_refused_with_the_line_that_is_wrong(text: str, expected: Iterable[str]) -> None:
    """File, line, key, and what was expected there."""
    with pytest.raises(BadDialects) as caught:
        read_dialect("x.yaml", text)
    said = "\n".join(caught.value.problems)
    for part in expected:
        assert part in said


@given(st.text(max_size=200) | st.text(st.sampled_from("schema: 1\n-[]{}&*?|>'\"#%@ "), max_size=80))
@settings(max_examples=examples(200), deadline=None)
def test_whatever_a_file_holds_it_is_read_or_refused(text: str) -> None:
    """Nothing else is raised."""
    with pytest.raises(BadDialects):
        read_dialect("x.yaml", text)


def test_a_bad_dialect_stops_the_start(make: Callable[..., Bench], tmp_path: Path) -> None:
    """With every problem of every file; a folder that is not there and a name that is taken are problems too."""
    (tmp_path / "a.yaml").write_text(USERS.replace("http_requests_total", "http_total"), encoding="utf-8")
    (tmp_path / "b.yaml").write_text(USERS.replace("mine", "gateway"), encoding="utf-8")
    with pytest.raises(ServiceError) as caught:
        make(dialects_dir=tmp_path)
    assert f"{tmp_path / 'a.yaml'}:9: metrics.shop_requests_total.from: expected a metric" in str(caught.value)
    assert f"{tmp_path / 'b.yaml'}:2: name: expected a name of its own, 'gateway' is taken" in str(caught.value)
    with pytest.raises(BadDialects, match="expected a folder"):
        make(dialects_dir=tmp_path / "nowhere")


def test_the_page_says_what_the_files_say() -> None:
    """Dialects, jobs and metrics of the table; the keys of the schema; the example is a dialect."""
    rows = re.findall(r"^\| `([a-z0-9-]+)` \| `([a-z-]+)` \| (.+) \|$", PAGE, re.MULTILINE)
    told = {name: (job, re.findall(r"`([^`]+)`", metrics)) for name, job, metrics in rows}
    assert told == {
        dialect.name: (dialect.job, [metric.name for metric in dialect.metrics])
        for dialect in load_dialects(None).values()
    }
    keys = re.findall(r"^\| `([a-z_]+)` \| [A-Z]", PAGE, re.MULTILINE)
    fields = [field.alias or name for form in (_Document, _Entry) for name, field in form.model_fields.items()]
    assert keys == fields
    example = read_dialect("shop.yaml", PAGE.split("```yaml\n")[1].split("```")[0])
    assert example.metrics[0].name == "checkout_requests_total"
