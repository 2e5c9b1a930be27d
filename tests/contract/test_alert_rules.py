"""The shipped alert rules: each proven by promtool at both paces, documented, and free of known mistakes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from stack.configuration import RULES_DIR
from stack.pace import PRODUCTION_INTERVAL_S, WORKSHOP
from stack.rules import promtool
from stack.rules.durations import format_duration, parse_duration
from stack.rules.errors import PromtoolRefused
from stack.rules.read import AlertingRule, load_rules
from stack.rules.scale import LEAST_SAMPLES, scale_rules
from stack.rules.tree import Kind, read_tree
from stack.rules.write import write_rules

ROOT = Path(__file__).resolve().parents[2]
RULE_FILES = sorted(RULES_DIR.glob("*.yml"))
TEST_FILES = sorted((RULES_DIR / "tests").glob("*.test.yml"))
RULES = [rule for path in RULE_FILES for rule in load_rules(path).alerts]
NAMES = {
    *("HighErrorRate", "HighLatency", "SlowInference", "ModelNotLoaded", "ModelReloadFailing", "LowConfidence"),
    *("DataDriftSpike", "ServiceDown", "PredictionsAbsent", "QueueSaturated", "PredictionShift", "MemoryGrowth"),
    "MetricsMissing",
}

by_name = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)


def _cases(path: Path) -> list[dict[str, Any]]:
    """Return every (alert, time, expectation) of a promtool test file."""
    groups = yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]
    return [case for group in groups for case in group["alert_rule_test"]]


def test_the_alerts_that_are_promised_are_there() -> None:
    """Each once, under its own name."""
    assert sorted(rule.name for rule in RULES) == sorted(NAMES)


def test_promtool_accepts_the_rules() -> None:
    """As they are written, in production time."""
    assert "SUCCESS" in promtool.check(*RULE_FILES)


def test_every_alert_fires_and_stays_quiet_where_its_unit_test_says() -> None:
    """`promtool test rules` on all files at once."""
    assert promtool.test(*TEST_FILES).count("SUCCESS") == len(RULE_FILES)


@by_name
def test_every_alert_has_a_firing_and_a_quiet_case(rule: AlertingRule) -> None:
    """A test without one of the two would pass for a rule that always or never fires."""
    cases = [case for path in TEST_FILES for case in _cases(path) if case["alertname"] == rule.name]
    assert [case for case in cases if case["exp_alerts"]], "no firing case"
    assert [case for case in cases if not case["exp_alerts"]], "no quiet case"


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
            for case in group["alert_rule_test"]:
                case["eval_time"] = _scaled(case["eval_time"])
        (tmp_path / "tests" / path.name).write_text(yaml.safe_dump(document), encoding="utf-8")
    assert "SUCCESS" in promtool.check(*(tmp_path / path.name for path in RULE_FILES))
    done = promtool.test(*(tmp_path / "tests" / path.name for path in TEST_FILES))
    assert done.count("SUCCESS") == len(RULE_FILES)


def _scaled(duration: str) -> str:
    return format_duration(WORKSHOP.scale(parse_duration(duration)))


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
    """A severity to route by, a summary, a description, and a runbook that exists in docs/alerts.md."""
    assert rule.labels["severity"] in {"critical", "warning"}
    assert set(rule.annotations) == {"summary", "description", "runbook"}
    assert rule.annotations["runbook"] == f"docs/alerts.md#{rule.name.lower()}"
    headings = re.findall(r"^## (\w+)$", (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert rule.name in headings


def test_the_table_of_the_docs_is_the_rules() -> None:
    """Alert, severity and `for` of docs/alerts.md's table are those of the files."""
    rows = re.findall(
        r"^\| \[(\w+)\]\(#(\w+)\) \| (\w+) \| [^|]+ \| (\w+) \|$",
        (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    expected = {(rule.name, rule.name.lower(), rule.labels["severity"], format_duration(rule.for_s)) for rule in RULES}
    assert set(rows) == expected


@by_name
def test_every_selector_names_the_job(rule: AlertingRule) -> None:
    """Without it a second dialect in the same Prometheus would count twice."""
    selectors = [node for node in read_tree(rule.expr).walk() if node.kind in {Kind.SELECTOR, Kind.MATRIX}]
    assert selectors
    assert all("job" in node.name and "'firedrill'" in node.name for node in selectors)


@by_name
def test_every_window_holds_two_scrapes_and_no_annotation_tells_a_duration(rule: AlertingRule) -> None:
    """At any pace: the scrape interval shrinks with the window, while a duration in a sentence would not."""
    ranges = [node.range_ms / 1000 for node in read_tree(rule.expr).walk() if node.kind is Kind.MATRIX]
    assert all(window >= LEAST_SAMPLES * PRODUCTION_INTERVAL_S for window in ranges)
    assert rule.for_s % PRODUCTION_INTERVAL_S == 0
    told = rule.annotations["summary"] + rule.annotations["description"]
    assert not re.search(r"\b\d+ ?(m|min|minutes?|h|hours?)\b", told)
