"""The shipped alert rules: each proven by promtool at both paces, documented, and free of known mistakes."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry

import faults.base
from panel.queries import SIGNALS
from service.app import _declare_endpoints
from service.slo import PREDICTION_ENDPOINTS as SERVICE_ENDPOINTS
from service.telemetry.metrics import Metrics
from stack.configuration import RULES_DIR
from stack.pace import PRODUCTION_INTERVAL_S, WORKSHOP
from stack.rules import promtool
from stack.rules.durations import format_duration, parse_duration
from stack.rules.errors import PromtoolRefused
from stack.rules.read import AlertingRule, RecordingRule, load_rules
from stack.rules.scale import LEAST_SAMPLES, scale_rules
from stack.rules.tree import Kind, read_tree
from stack.rules.write import write_rules
from stack.selectors import PREDICTION_ENDPOINTS
from tests.levels import thorough

ROOT = Path(__file__).resolve().parents[2]
RULE_FILES = sorted(RULES_DIR.glob("*.yml"))
TEST_FILES = sorted((RULES_DIR / "tests").glob("*.test.yml"))
RULES = [rule for path in RULE_FILES for rule in load_rules(path).alerts]
RECORDINGS = [
    rule
    for path in RULE_FILES
    for group in load_rules(path).groups
    for rule in group.rules
    if isinstance(rule, RecordingRule)
]
EXPRS = "promql_expr_test"
RUNBOOKS = ROOT / "docs" / "runbooks"
PARTS = ["What it means", "Likely causes", "Look at", "Do"]
NAMES = {
    *("HighErrorRate", "HighLatency", "SlowInference", "ModelNotLoaded", "ModelReloadFailing", "LowConfidence"),
    *("DataDriftSpike", "ServiceDown", "PredictionsAbsent", "QueueSaturated", "PredictionShift", "MemoryGrowth"),
    *("MetricsMissing", "ErrorBudgetBurnFast", "ErrorBudgetBurnMedium", "ErrorBudgetBurnSlow", "TracesLost"),
}

recorded = pytest.mark.parametrize("rule", RECORDINGS, ids=lambda rule: rule.name)
by_name = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)


@cache
def _groups(path: Path) -> list[dict[str, Any]]:
    """Return the groups of a promtool test file."""
    groups: list[dict[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]
    return groups


def _cases(path: Path, sort: str = "alert_rule_test") -> list[dict[str, Any]]:
    """Return every (alert or expression, time, expectation) of a promtool test file."""
    return [case for group in _groups(path) for case in group.get(sort, [])]


def test_the_alerts_that_are_promised_are_there() -> None:
    """Each once, under its own name."""
    assert sorted(rule.name for rule in RULES) == sorted(NAMES)


def test_promtool_accepts_the_rules() -> None:
    """As they are written, in production time."""
    assert "SUCCESS" in promtool.check(*RULE_FILES)


def test_every_alert_fires_and_stays_quiet_where_its_unit_test_says() -> None:
    """`promtool test rules` on all files at once."""
    assert promtool.test(*TEST_FILES).count("SUCCESS") == len(TEST_FILES)
    tested = {each for path in TEST_FILES for each in yaml.safe_load(path.read_text(encoding="utf-8"))["rule_files"]}
    assert tested == {f"../{path.name}" for path in RULE_FILES}


@by_name
def test_every_alert_has_a_firing_and_a_quiet_case(rule: AlertingRule) -> None:
    """A test without one of the two would pass for a rule that always or never fires."""
    cases = [case for path in TEST_FILES for case in _cases(path) if case["alertname"] == rule.name]
    assert [case for case in cases if case["exp_alerts"]], "no firing case"
    assert [case for case in cases if not case["exp_alerts"]], "no quiet case"


@recorded
def test_every_recording_has_its_value_in_a_unit_test(rule: RecordingRule) -> None:
    """One that is there, and not only that there is none."""
    cases = [case for path in TEST_FILES for case in _cases(path, EXPRS) if case["exp_samples"]]
    assert any(_reads(case["expr"], rule.name) for case in cases)


@cache
def _reads(expr: str, name: str) -> bool:
    return any(node.name.split("{")[0] == name for node in read_tree(expr).walk())


@thorough
def test_the_same_unit_tests_hold_at_workshop_pace(tmp_path: Path) -> None:
    """Rules and tests divided by one factor: the same scrapes lead to the same alerts, fifteen times as soon."""
    for path in RULE_FILES:
        scaled = scale_rules(load_rules(path), WORKSHOP.factor)
        (tmp_path / path.name).write_text(write_rules(scaled, path.name), encoding="utf-8")
    (tmp_path / "tests").mkdir()
    for path in TEST_FILES:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        document["evaluation_interval"] = _scaled(document["evaluation_interval"])
        for group in document["tests"]:
            group["interval"] = _scaled(group["interval"])
            assert all(isinstance(series["values"], str) for series in group["input_series"]), "quote 0x60, it is hex"
            for case in (*group.get("alert_rule_test", []), *group.get(EXPRS, [])):
                case["eval_time"] = _scaled(case["eval_time"])
        (tmp_path / "tests" / path.name).write_text(yaml.safe_dump(document), encoding="utf-8")
    assert "SUCCESS" in promtool.check(*(tmp_path / path.name for path in RULE_FILES))
    done = promtool.test(*(tmp_path / "tests" / path.name for path in TEST_FILES))
    assert done.count("SUCCESS") == len(TEST_FILES)


def _scaled(duration: str) -> str:
    return format_duration(WORKSHOP.scale(parse_duration(duration)))


def test_the_end_of_an_availability_budget_is_told_in_hours(tmp_path: Path) -> None:
    """One scrape of 1,201 failed, 1.201 may, and at four times the rate of what may the rest goes in 0.201 / 0.72 h.

    The five hours that it takes until a single scrape is less than the budget are too long for all rules.
    """
    whole = load_rules(RULES_DIR / "slo.yml")
    period = replace(whole, groups=tuple(group for group in whole.groups if group.name == "slo-period"))
    (tmp_path / "slo.yml").write_text(write_rules(period, "slo.yml"), encoding="utf-8")
    availability = '{job="firedrill", slo="api_availability"}'
    recorded = [
        {"series": 'job:up:avg{job="firedrill"}', "values": "1x1179 0 1x20"},
        {"series": f"job_slo:error_budget_burn:ratio_rate1h{availability}", "values": "4x1200"},
        {"series": 'slo:objective:ratio{slo="api_availability"}', "values": "0.999x1200"},
    ]
    expected = [
        {"expr": f"round({name}, 0.001)", "eval_time": "5h", "exp_samples": [{"labels": availability, "value": value}]}
        for name, value in (
            ("job_slo:error_budget_left:count30d", 0.201),
            ("job_slo:error_budget_exhaustion:hours", 0.279),
        )
    ]
    group = {"interval": "15s", "input_series": recorded, EXPRS: expected}
    document = {"rule_files": ["slo.yml"], "evaluation_interval": "1m", "tests": [group]}
    (tmp_path / "slo.test.yml").write_text(yaml.safe_dump(document), encoding="utf-8")
    assert "SUCCESS" in promtool.test(tmp_path / "slo.test.yml")


def test_a_rule_that_says_something_else_fails_its_unit_test(tmp_path: Path) -> None:
    """The unit tests are able to fail: a threshold ten times as high is noticed."""
    (tmp_path / "tests").mkdir()
    text = (RULES_DIR / "traffic.yml").read_text(encoding="utf-8")
    (tmp_path / "traffic.yml").write_text(text.replace("> 0.05", "> 0.5"), encoding="utf-8")
    test = tmp_path / "tests" / "traffic.test.yml"
    test.write_text((RULES_DIR / "tests" / test.name).read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(PromtoolRefused, match="HighErrorRate"):
        promtool.test(test)


@by_name
def test_every_alert_carries_what_its_reader_needs(rule: AlertingRule) -> None:
    """A severity to route by, a summary, a description with its figures or its subject, and a runbook."""
    assert rule.labels["severity"] in {"critical", "warning"}
    assert set(rule.annotations) == {"summary", "description", "runbook_url"}
    assert rule.annotations["runbook_url"] == f"docs/runbooks/{rule.name}.md"
    told = rule.annotations["summary"] + rule.annotations["description"]
    assert "$value | humanize" in told or "$labels" in told or rule.name == "PredictionsAbsent"


@by_name
def test_every_alert_has_a_runbook_that_leads_on(rule: AlertingRule) -> None:
    """It says what it means, likely causes, what to look at and what to do; its links lead to pages that are there."""
    page = (RUNBOOKS / f"{rule.name}.md").read_text(encoding="utf-8")
    assert page.startswith(f"# {rule.name}\n")
    assert re.findall(r"^## (.+)$", page, re.MULTILINE) == PARTS
    assert all(page.split(f"## {part}\n")[1].split("\n## ")[0].strip() for part in PARTS)
    assert re.search(r"\b(span|trace)s?\b", page, re.IGNORECASE)
    for link in re.findall(r"\]\(([^)#]+)\)", page):
        assert (RUNBOOKS / link).is_file(), link


@by_name
def test_the_queries_of_a_runbook_select_the_job(rule: AlertingRule) -> None:
    """At least two, each PromQL, each naming the job, none with a window of less than two scrapes."""
    page = (RUNBOOKS / f"{rule.name}.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```promql\n(.*?)```", page, re.DOTALL)
    queries = [line for line in block.splitlines() if not line.startswith("#")]
    assert len(queries) >= 2
    for query in queries:
        nodes = [node for node in read_tree(query).walk() if node.kind in {Kind.SELECTOR, Kind.MATRIX}]
        assert nodes
        assert all("job='firedrill'" in node.name.replace('="', "='") or "'firedrill'" in node.name for node in nodes)
        assert all(not node.range_ms or node.range_ms >= 30_000 for node in nodes)


def test_no_runbook_is_left_over() -> None:
    """One page for each alert, and the list of them."""
    assert {path.stem for path in RUNBOOKS.glob("*.md")} == {*NAMES, "README"}
    listed = re.findall(r"^- \[(\w+)\]", (RUNBOOKS / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(listed) == sorted(NAMES)


def test_the_table_of_the_docs_is_the_rules() -> None:
    """Alert, severity and `for` of docs/alerts.md's table are those of the files."""
    rows = re.findall(
        r"^\| \[(\w+)\]\(runbooks/(\w+)\.md\) \| (\w+) \| [^|]+ \| (\w+) \|$",
        (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    expected = {(rule.name, rule.name, rule.labels["severity"], format_duration(rule.for_s)) for rule in RULES}
    assert set(rows) == expected


@pytest.mark.parametrize("rule", [*RULES, *RECORDINGS], ids=lambda rule: rule.name)
def test_every_selector_names_the_job(rule: AlertingRule | RecordingRule) -> None:
    """Without it a second dialect in the same Prometheus would count twice."""
    selectors = [node for node in read_tree(rule.expr).walk() if node.kind in {Kind.SELECTOR, Kind.MATRIX}]
    assert selectors or rule.expr.startswith("vector(")
    for node in selectors:
        if node.name not in {"slo:objective:ratio{}", PROMETHEUS_UP}:
            assert "job" in node.name
            assert "'firedrill'" in node.name


PROMETHEUS_UP = next(node.name for node in read_tree('up{job="prometheus"}').walk())


@pytest.mark.parametrize("rule", [*RULES, *RECORDINGS], ids=lambda rule: rule.name)
def test_prediction_endpoints_are_selected_in_one_way(rule: AlertingRule | RecordingRule) -> None:
    """Rules and panel mean the same requests."""
    assert rule.expr.count("endpoint") == rule.expr.count(PREDICTION_ENDPOINTS)


def test_the_selector_of_prediction_endpoints_is_what_the_service_counts_as_such() -> None:
    """It matches those routes of the service, and no other that it has."""
    pattern = re.compile(PREDICTION_ENDPOINTS.removeprefix('endpoint=~"').removesuffix('"'))
    registry = CollectorRegistry()
    build_bare(registry)
    series = [sample for family in registry.collect() for sample in family.samples]
    endpoints = {sample.labels["endpoint"] for sample in series if "endpoint" in sample.labels}
    assert len(endpoints) > len(SERVICE_ENDPOINTS)
    assert {each for each in endpoints if pattern.fullmatch(each)} == set(SERVICE_ENDPOINTS)
    others = [
        "/v2",
        "/v2/models/{model}",
        "/v2/models/{model}/ready",
        "/v2/repository/index",
        "/predictions",
        "unmatched",
    ]
    assert not [each for each in others if pattern.fullmatch(each)]
    assert all(PREDICTION_ENDPOINTS in signal.promql for signal in SIGNALS if signal.key in {"rate", "errors", "p95"})
    assert faults.base.PREDICTION_ENDPOINTS == PREDICTION_ENDPOINTS


def build_bare(registry: CollectorRegistry) -> None:
    """Give birth to the series of the service's declared endpoints in ``registry``."""
    _declare_endpoints(Metrics(registry))


@recorded
def test_a_recording_is_named_by_the_convention(rule: RecordingRule) -> None:
    """``level:metric:operations``, where the level is the labels that are left."""
    level, _, operations = rule.name.split(":")
    assert set(level.split("_")) <= {"job", "slo"}
    assert re.fullmatch(r"avg|ratio|hours|(ratio_rate|increase|count|bool)\d+[mhd]", operations)


@by_name
def test_every_window_holds_two_scrapes_and_no_annotation_tells_a_duration(rule: AlertingRule) -> None:
    """At any pace: the scrape interval shrinks with the window, while a duration in a sentence would not."""
    ranges = [node.range_ms / 1000 for node in read_tree(rule.expr).walk() if node.kind is Kind.MATRIX]
    assert all(window >= LEAST_SAMPLES * PRODUCTION_INTERVAL_S for window in ranges)
    assert rule.for_s % PRODUCTION_INTERVAL_S == 0
    told = rule.annotations["summary"] + rule.annotations["description"]
    assert not re.search(r"\b\d+ ?(m|min|minutes?|h|hours?)\b", told)
