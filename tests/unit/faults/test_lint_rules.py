"""Whole rule files through the checks: the shipped ones, the examples, what cannot be read, and what is enormous."""

from __future__ import annotations

from pathlib import Path

import pytest

from faults.drills.lint import testbed
from faults.drills.lint.errors import UnreadableExpression
from faults.drills.lint.expression import read_expression
from faults.drills.lint.lint import lint
from faults.drills.lint.writing import written
from stack.rules.read import load_rules, read_rules

PROMETHEUS = Path(__file__).resolve().parents[3] / "stack" / "config" / "prometheus"
MISTAKES = {
    "mlops": {
        "HighPredictionLatency": "quantile-of-bare-name!",
        "HighApiErrorRate": "rate-as-share",  # errors per second under a summary that says 5%
        "ModelDown": "state-without-absent",  # nothing beside it watches `up`
        "UnsureModel": "average-of-histogram!",
        "NoPredictions": "silence-without-absent",
    },
    "exchange-rate": {
        "InferenceTooSlow": "quantile-without-rate",
        "DataDrift": "rate-on-gauge",
        "DriftShare": "ratio-of-different-labels!",  # drift has no labels in this dialect, requests have three
        "ErrorShare": "clamped-denominator",
        "ApiDown": "state-without-absent",  # a remark: a target that is not configured any more has no `up`
    },
    "gateway": {
        "GatewayVerySlow": "above-highest-bucket!",  # the dialect's buckets end at 5 s
        "QueueGrows": "rate-on-gauge",
        "GatewayInfoGone": "info-compared!",
        "NoTraffic": "counter-is-zero",
        # and a ratio that nothing in the file watches the absence of: a remark
        "ConfidenceFalls": "lifetime-mean ratio-without-absent",
        "SlowBucketFills": "delta-of-counter",
        "ErrorsNow": "window-too-short",
    },
    "a3": {
        "PredictionTooHigh": "last-value",
        "ManyServerErrors": "ratio-of-different-labels!",
        "SlowHandler": "above-highest-bucket!",  # they end at 1 s
    },
    "iris": {
        "FeatureDrift": "centred-on-one",
        "IrisMissing": "state-without-absent",
        "OddPetal": "last-value",
    },
}
"""What is to be found in each example, `!` where it proves that the alert cannot fire."""


@pytest.mark.parametrize("known", [True, False], ids=["known", "by name"])
def test_the_shipped_rules_have_no_mistake(known: bool) -> None:
    """Neither by the testbed's own metrics nor by names alone."""
    files = [load_rules(path) for path in sorted((PROMETHEUS / "rules").glob("*.yml"))]
    assert len(files) >= 6
    assert lint(files, inventory=testbed.testbed_inventory() if known else None) == ()


@pytest.mark.parametrize("dialect", MISTAKES)
def test_the_examples_have_the_mistakes_that_they_were_written_with(dialect: str) -> None:
    """Each alert has those that the table names and no other, found by its dialect's metrics."""
    inventory = testbed.testbed_inventory("" if dialect == "iris" else dialect)
    rules = load_rules(PROMETHEUS / "examples" / f"{dialect}.yml")
    found: dict[str, list[str]] = {rule.name: [] for rule in rules.alerts}
    for finding in lint([rules], inventory=inventory):
        found[finding.place.rule].append(f"{finding.check}{'!' if finding.cannot_fire else ''}")
    assert {name: " ".join(checks) for name, checks in found.items()} == MISTAKES[dialect]


@pytest.mark.parametrize(
    ("expr", "line", "column", "near"),
    [
        ("sum(", 1, 5, ""),
        ("", 1, 1, ""),
        ('foo{a="b"}}', 1, 11, "}"),
        ("a > 5 5", 1, 7, "5"),
        ("x{a=b}", 1, 5, "b"),
        ("a\n  + rate(x)", 2, 5, "rate"),
        ("1 + nosuch(x)", 1, 5, "nosuch"),
        ("clamp_min(x)", 1, 1, "clamp_min"),
        ("sum(rate(x[5m]) by (le)", 1, 17, "by"),
        ("x == = 3", 1, 3, "="),
    ],
)
def test_what_does_not_parse_is_shown_where(expr: str, line: int, column: int, near: str) -> None:
    """The place is the first word or sign that cannot stand there, or the function that is called in a wrong way."""
    with pytest.raises(UnreadableExpression) as caught:
        read_expression(expr)
    position = caught.value.position
    assert (position.line, position.column, position.near) == (line, column, near)


def test_what_is_enormous_is_refused_and_the_rest_goes_on() -> None:
    """A rule with thousands of operators, or nested deeply, is a finding like any other."""
    text = f"""
groups:
  - name: g
    rules:
      - {{alert: Long, expr: '{" + ".join(["x"] * 6000)} > 1'}}
      - {{alert: Deep, expr: '{"(" * 500}x{")" * 500} > 1'}}
      - {{alert: Range, expr: 'x[5m]'}}
      - {{record: 'a:b', expr: 'sum('}}
      - {{alert: Fine, expr: 'up == 0'}}
"""
    found = {one.place.rule: one for one in lint([read_rules(text, Path("big.yml"))])}
    assert {name: one.check for name, one in found.items()} == {
        **dict.fromkeys(("Long", "Deep", "Range", "a:b"), "unreadable"),
        "Fine": "state-without-absent",
    }
    assert "more than 2000 words and signs" in found["Long"].message
    assert "nested more than 100 deep" in found["Deep"].message
    assert (found["Deep"].place.file, found["Deep"].place.group, found["Deep"].place.line) == ("big.yml", "g", 6)


def test_absence_is_watched_for_across_files() -> None:
    """An alert need not watch for what another file's alert watches, unless that is about other targets."""
    own = read_rules("groups: [{name: g, rules: [{alert: A, expr: 'model_loaded{job=\"a\"} == 0'}]}]", Path("own.yml"))
    assert [one.check for one in lint([own])] == ["state-without-absent"]
    for job, expected in (("a", []), ("b", ["state-without-absent"])):
        text = f"groups: [{{name: g, rules: [{{alert: B, expr: 'absent(up{{job=\"{job}\"}})'}}]}}]"
        assert [one.check for one in lint([own, read_rules(text, Path("other.yml"))])] == expected


def test_a_recorded_name_says_nothing() -> None:
    """A series that the given rules record is no gauge by its ending, and no counter."""
    text = """
groups:
  - name: g
    rules:
      - {record: queue_size, expr: 'sum by (job) (x_total)'}
      - {alert: A, expr: 'rate(queue_size[5m]) > 1'}
"""
    assert lint([read_rules(text, Path("r.yml"))]) == ()


def test_an_expression_is_written_as_it_was_read() -> None:
    """All that PromQL has is kept: modifiers, offsets, subqueries, pins, escapes."""
    for text in (
        'x{a="q\\"\\n", b!~"c"}[5m] @ start() offset -5m',
        "-x ^ 2",
        "a * on (b) group_right (c, d) e",
        'count_values("v", x) > 1e-09',
        "x > bool -Inf",
        "sum by () (x) or vector(NaN)",
        "max_over_time((a - b)[1h:1m] offset 3m)",
        "a unless ignoring (x) b",
        "topk without (le) (3, x)",
    ):
        assert written(read_expression(text)) == text
