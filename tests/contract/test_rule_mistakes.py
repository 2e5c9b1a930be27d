"""Usual mistakes of alert rules: none in the shipped rules, the promised one in each example, all of them findable."""

from __future__ import annotations

import random
import re
from functools import cache
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from service.telemetry.export import ExportCollector, Exporter
from service.telemetry.metrics import Metrics
from stack.configuration import RULES_DIR
from stack.rules import promtool
from stack.rules.read import AlertingRule, RecordingRule, load_rules
from stack.rules.tree import Kind, Node, read_tree
from tests.contract.rule_mistakes import CHECKS, Signals, metric, mistakes, read_signals

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = RULES_DIR.parent / "examples"
GOLDEN = ROOT / "tests" / "unit" / "service" / "golden"
SHIPPED = [rule for path in sorted(RULES_DIR.glob("*.yml")) for rule in load_rules(path).alerts]
RECORDED = [
    AlertingRule(rule.name, rule.expr)
    for path in sorted(RULES_DIR.glob("*.yml"))
    for group in load_rules(path).groups
    for rule in group.rules
    if isinstance(rule, RecordingRule)
]
FOUND = [(path.stem, rule) for path in sorted(EXAMPLES.glob("*.yml")) for rule in load_rules(path).alerts]


class Nowhere:
    """A collector's address that is never sent to."""

    target = "nowhere"

    def send(self, body: bytes, timeout_s: float) -> int:
        """Nothing is offered, so that nothing is sent."""
        raise AssertionError(body, timeout_s)

    def close(self) -> None:
        """Nothing is open."""


@cache
def canonical() -> Signals:
    """Return what the service itself exposes, with one model and one endpoint."""
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    metrics.describe_service("service", "1", "A service.")
    metrics.watch_queue(100, lambda: 0)
    metrics.declare_http("POST", "/predict", [200, 500], [])
    metrics.declare_duration("POST", "/predict", 200)
    metrics.http("POST", "/predict", 500, 0.1, None)
    metrics.http_error("POST", "/predict", "internal")
    metrics.declare_model("iris")
    metrics.declare_version("iris", "1.0.0", ["setosa"], ["petal length (cm)"])
    exporter = Exporter(
        "traces",
        Nowhere(),
        resource=b"",
        rng=random.Random(1),
        queue_limit=1,
        batch_limit=1,
        every_s=60.0,
        timeout_s=1.0,
    )
    registry.register(ExportCollector([exporter]))
    try:
        return read_signals(generate_latest(registry).decode())
    finally:
        exporter.close(5.0)


def signals_of(dialect: str) -> Signals:
    """Return what is exposed in a dialect, as its golden file has it; ``iris`` uses the service's own names."""
    if dialect == "iris":
        return canonical()
    return read_signals((GOLDEN / f"{dialect}.text.txt").read_text(encoding="utf-8"))


@pytest.mark.parametrize("rule", [*SHIPPED, *RECORDED], ids=lambda rule: rule.name)
def test_no_shipped_rule_has_one(rule: AlertingRule) -> None:
    """Alerts and recordings, against the types, labels and buckets that the service has."""
    assert mistakes(rule, canonical(), SHIPPED) == frozenset()


def test_every_series_that_a_shipped_rule_reads_is_exposed_or_recorded() -> None:
    """A check that does not know a metric's type would find nothing wrong with it."""
    known = {*canonical(), *(rule.name for rule in RECORDED), "up"}
    read = {metric(node) for rule in (*SHIPPED, *RECORDED) for node in selectors(rule)}
    assert {name for name in read - known if not name.startswith("process_")} == set()


def selectors(rule: AlertingRule) -> list[Node]:
    """Return the selectors of a rule."""
    return [node for node in read_tree(rule.expr).walk() if node.kind in {Kind.SELECTOR, Kind.MATRIX}]


def promised() -> dict[tuple[str, str], str]:
    """Return the mistake of each example by file and alert, as the README beside them has it."""
    rows = re.findall(r"^\| `([\w-]+)\.yml` \| (\w+) \| ([^|]+) \|", (EXAMPLES / "README.md").read_text(), re.MULTILINE)
    return {(file, alert): mistake.strip() for file, alert, mistake in rows}


@pytest.mark.parametrize(("dialect", "rule"), FOUND, ids=lambda each: getattr(each, "name", each))
def test_every_example_has_the_one_it_is_there_for(dialect: str, rule: AlertingRule) -> None:
    """And no other: what the README says is what the checks find."""
    others = [other for file, other in FOUND if file == dialect]
    assert mistakes(rule, signals_of(dialect), others) == {promised()[dialect, rule.name]}


def test_every_check_finds_something_and_every_example_is_told_of() -> None:
    """A check that nothing can fail would prove nothing."""
    assert set(promised()) == {(dialect, rule.name) for dialect, rule in FOUND}
    assert set(promised().values()) == set(CHECKS)


def test_promtool_lets_all_of_them_pass_and_no_stack_loads_them() -> None:
    """That is why they are found in the wild; and they stand outside of what is rendered."""
    files = sorted(EXAMPLES.glob("*.yml"))
    assert promtool.check(*files).count("SUCCESS") == len(files) == 5
    assert not set(files) & set(RULES_DIR.rglob("*.yml"))
