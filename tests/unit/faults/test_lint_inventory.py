"""Inventories: from both text formats, from the testbed without running it, and the errors of what is none."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry

from faults.drills.lint import testbed
from faults.drills.lint.errors import NoSuchDialect, UnreadableInventory
from faults.drills.lint.inventory import Inventory, Kind, read_inventory
from faults.drills.lint.lint import lint
from service.telemetry.dialects import load_dialects
from service.telemetry.exposition import openmetrics, text
from service.telemetry.metrics import Metrics
from service.telemetry.translation import Translation
from stack.rules.read import read_rules
from tests.unit.faults.lint_pages import FOLDER

TEXT = """
# HELP requests_total Requests.
# TYPE requests_total counter
requests_total{status="200"} 3
requests_total{status="500",zone="a"} 0
# TYPE plain counter
plain 1
# TYPE latency_seconds histogram
latency_seconds_bucket{le="0.5"} 1
latency_seconds_bucket{le="2"} 1
latency_seconds_bucket{le="+Inf"} 1
latency_seconds_sum 1
latency_seconds_count 1
# TYPE size summary
size{quantile="0.5"} 1
size_sum 1
size_count 1
# TYPE unborn_total counter
# TYPE unborn_seconds histogram
# TYPE build_info gauge
build_info{version="1"} 1
untyped 1
"""


def test_types_labels_and_bounds_are_read() -> None:
    """What a text says of each series is there, under the names that Prometheus gives them."""
    inventory = read_inventory(TEXT, "metrics.txt")
    kinds = {name: listed.kind for name, listed in inventory.series.items()}
    assert kinds == {
        "requests_total": Kind.COUNTER,
        "plain": Kind.COUNTER,
        "latency_seconds_bucket": Kind.BUCKET,
        "latency_seconds_sum": Kind.SUM,
        "latency_seconds_count": Kind.COUNT,
        "size": Kind.QUANTILE,
        "size_sum": Kind.SUM,
        "size_count": Kind.COUNT,
        "unborn_total": Kind.COUNTER,
        "unborn_seconds_bucket": Kind.BUCKET,
        "unborn_seconds_sum": Kind.SUM,
        "unborn_seconds_count": Kind.COUNT,
        "build_info": Kind.INFO,
        "untyped": Kind.UNKNOWN,
    }
    requests = inventory.series["requests_total"]
    assert requests.labels == {"status": frozenset({"200", "500"}), "zone": frozenset({"a"})}
    assert requests.always == {"status"}
    assert requests.help == "Requests."
    assert inventory.series["latency_seconds_bucket"].bounds == (0.5, 2.0)
    assert inventory.series["unborn_total"].labels is None
    assert inventory.series["build_info"].guessed
    assert inventory.is_bare("latency_seconds")
    assert not inventory.is_bare("size")
    assert not inventory.complete


def test_openmetrics_is_read_as_well() -> None:
    """The newer format says what is an info metric."""
    inventory = read_inventory(
        '# TYPE build info\nbuild_info{v="1"} 1\n# TYPE a counter\na_total 3\n# EOF\n', "m", complete=True
    )
    assert {name: listed.kind for name, listed in inventory.series.items()} == {
        "build_info": Kind.INFO,
        "a_total": Kind.COUNTER,
    }
    assert not inventory.series["build_info"].guessed
    assert inventory.complete


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("a 1\nb{ 2\n", r"m\.txt:2: it is no exposition"),
        ("<html>\n", r"m\.txt:1: it is no exposition"),
        ("", r"m\.txt: it lists no series"),
        ("# TYPE a counter\na 1\n# EOF\n", r"m\.txt: it is no exposition"),
    ],
)
def test_what_is_no_exposition_is_refused(given: str, said: str) -> None:
    """With the file, the line where it can be told, and what was expected."""
    with pytest.raises(UnreadableInventory, match=said) as caught:
        read_inventory(given, "m.txt")
    assert "expected what an endpoint /metrics answers with" in str(caught.value)


@pytest.mark.parametrize("dialect", ["", *load_dialects(None)])
def test_the_testbed_has_what_its_registry_exposes(dialect: str) -> None:
    """Names, types, labels and buckets are those of the service's own metrics, with each series born."""
    known = testbed.testbed_inventory(dialect)
    registry = CollectorRegistry()
    _give_birth(Metrics(registry))
    source = Translation(load_dialects(None)[dialect], registry) if dialect else registry
    for exposed in (
        read_inventory(text(source).decode(), "text"),
        read_inventory(openmetrics(source).decode(), "open"),
    ):
        assert len(exposed.series) > 10
        for name, listed in exposed.series.items():
            if not listed.guessed:
                assert (name, known.series[name].kind) == (name, listed.kind)
            assert known.series[name].bounds == listed.bounds
            if listed.labels is not None and known.series[name].labels is not None:
                assert (name, set(known.series[name].labels or ())) == (name, set(listed.labels))
        assert exposed.histograms == known.histograms


def test_an_unknown_dialect_is_refused() -> None:
    """With the names that there are."""
    with pytest.raises(NoSuchDialect, match=r"no dialect 'mlop'.*mlops"):
        testbed.testbed_inventory("mlop")


def test_an_inventory_makes_a_name_certain() -> None:
    """What goes by a name says so, and an inventory overrules it."""
    rules = read_rules("groups: [{name: g, rules: [{alert: A, expr: 'rate(odd_size[5m]) > 1'}]}]", FOLDER / "x.yml")
    (by_name,) = lint([rules])
    assert "(by its name)" in by_name.message
    assert by_name.severity == "warning"
    counter: Inventory = read_inventory("# TYPE odd_size counter\nodd_size 1\n", "m")
    assert lint([rules], inventory=counter) == ()
    (stated,) = lint([rules], inventory=read_inventory("# TYPE odd_size gauge\nodd_size 1\n", "m"))
    assert "(by its name)" not in stated.message
    assert stated.severity == "error"


@pytest.mark.parametrize(
    ("expr", "by_itself", "in_a_dialect"),
    [
        ("avg(http_request_duration_seconds) > 1", True, True),
        ("histogram_quantile(0.9, rate(http_request_duration_seconds_bucket[5m])) > 20", False, True),
        ("rate(http_requests_total[5m]) / model_memory_usage_bytes > 1", False, True),
    ],
)
def test_only_a_dialect_makes_labels_and_buckets_a_proof(expr: str, by_itself: bool, in_a_dialect: bool) -> None:
    """Without one a common name may be another's metric; its type is what the name says all the same."""
    rules = read_rules(
        f"groups: [{{name: g, rules: [{{alert: A, expr: '{expr}'}}, {{alert: B, expr: absent(up)}}]}}]", FOLDER
    )
    for dialect, proved in (("", by_itself), ("gateway", in_a_dialect)):
        (finding,) = lint([rules], inventory=testbed.testbed_inventory(dialect))
        assert finding.severity == "error"
        assert finding.cannot_fire == proved


def _give_birth(metrics: Metrics) -> None:
    """Have each metric a series."""
    metrics.declare_http("POST", "/predict", [200], [])
    metrics.declare_duration("POST", "/predict", 200)
    metrics.describe_service("n", "v", "d")
    for model, classes in (("iris", ("a",)), ("housing", ()), ("exchange-rate", ())):
        metrics.declare_model(model)
        metrics.declare_version(model, "1", classes, ["f"])
