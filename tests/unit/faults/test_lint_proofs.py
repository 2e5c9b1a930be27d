"""Proofs that an expression never has a result, held against Prometheus on expressions put together by chance."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from faults.drills.lint.expression import read_expression
from faults.drills.lint.facts import Facts
from faults.drills.lint.inventory import read_inventory
from faults.drills.lint.proofs import Proof, empty
from stack.rules import promtool
from stack.rules.errors import PromtoolRefused

INVENTORY = read_inventory(
    """
# TYPE g gauge
g{x="1"} 1
# TYPE c_total counter
c_total{x="1",y="1"} 1
# TYPE h histogram
h_bucket{x="1",le="0.5"} 1
h_bucket{x="1",le="2"} 1
h_bucket{x="1",le="+Inf"} 1
h_sum{x="1"} 1
h_count{x="1"} 1
""",
    "the test",
    complete=True,
)
FACTS = Facts(INVENTORY, {}, 15_000)
LEAVES = (
    *(
        "g",
        'g{x="1"}',
        'g{x="2"}',
        "up",
        'absent(g{x="3"})',
        "absent(g)",
        "vector(2)",
        "hour()",
        "no_such",
        "h",
        "h_sum",
    ),
    *("rate(c_total[2m])", 'increase(c_total{y="1"}[2m])', "c_total", "h_bucket", "h_count", "rate(h_sum[2m])"),
    'sum by (x) (rate(c_total{y="1"}[2m])) / sum by (x) (rate(c_total[2m]))',
    '100 * sum(rate(c_total{y="1"}[2m])) / sum(rate(c_total[2m]))',
    "sum by (x, y) (rate(c_total[2m])) / on (x) group_left () sum by (x) (rate(c_total[2m]))",
    "histogram_quantile(0.9, rate(h_bucket[2m]))",
    "histogram_quantile(1, sum by (le) (rate(h_bucket[2m])))",
    "histogram_quantile(0.5, sum(h_bucket))",
    *("count_over_time(g[1m])", "changes(g[2m])", "avg_over_time(up[2m])", "stddev_over_time(g[2m])", "delta(g[2m])"),
    *("sum_over_time(up[1m])", "quantile_over_time(0.5, up[2m])", 'label_replace(up, "y", "q", "x", "(.*)")'),
)
AROUND_ONE = (
    *("count({0})", "sum by (x) ({0})", "avg({0})", "abs({0})", "1 - ({0})", "-({0})", "sqrt({0})", "({0}) ^ 2"),
    *("topk(1, {0})", "quantile(0.5, {0})", "vector(scalar({0}))", "scalar({0}) * up", 'count_values("v", {0})'),
    *("max_over_time(({0})[1m:15s])", "avg_over_time(({0})[1m:15s])", "({0}) % 2", "({0}) * {2}", "({0}) / {2}"),
    *("{2} / ({0})", "clamp_max({0}, {2})", "clamp_min({0}, {2})", "clamp({0}, 0, {2})"),
    *(f"({{0}}) {op} {{2}}" for op in (">", "<", ">=", "<=", "==", "!=") for _ in range(2)),
    *("({0}) > bool {2}", "{2} > ({0})", "{2} <= ({0})"),
)
AROUND_TWO = (
    *(f"({{0}}) {op} on (x) ({{1}})" for op in ("and", "or", "unless")),
    *(f"({{0}}) {op} ({{1}})" for op in ("and", "or", "unless")),
    *(f"sum by (x) ({{0}}) {op} sum by (x) ({{1}})" for op in ("+", "-", "*", "/", ">", "<=", "==")),
    "max by (y) ({0}) and max by (x) ({1})",
    "sum without (x) ({0}) > ignoring (x) sum without (x) ({1})",
)
NUMBERS = ("0", "0.5", "1", "2", "5", "100", "-1")


def drawn(chance: random.Random, depth: int) -> str:
    """Return the text of an expression whose value is a vector."""
    if depth == 0:
        return chance.choice(LEAVES)
    form = chance.choice(AROUND_TWO if chance.random() < 0.3 else AROUND_ONE)
    return form.format(drawn(chance, depth - 1), drawn(chance, depth - 1), chance.choice(NUMBERS))


def series() -> Mapping[str, str]:
    """Return series with all kinds of values: negative ones, NaN, restarts, a target that goes down."""
    chance = random.Random(3)
    found = {'up{x="1"}': "1+0x20 0+0x20"}
    for x in "12":
        values = (-7, 0, 0.5, 1, 2, 4, 6, 50, "NaN")
        found[f'g{{x="{x}"}}'] = " ".join(str(chance.choice(values)) for _ in range(40))
        counts = sorted(chance.randint(0, 9) for _ in range(3))
        for y in "12":
            found[f'c_total{{x="{x}", y="{y}"}}'] = f"0+{chance.randint(0, 9)}x20 3+{chance.randint(0, 9)}x20"
        for bound, count in zip(("0.5", "2", "+Inf"), counts, strict=True):
            found[f'h_bucket{{x="{x}", le="{bound}"}}'] = f"0+{count}x40"
        found |= {f'h_count{{x="{x}"}}': f"0+{counts[2]}x40", f'h_sum{{x="{x}"}}': f"0-{counts[2]}x40"}
    return found


def assert_empty(expressions: list[str], given: Mapping[str, str], folder: Path) -> None:
    """Have promtool evaluate ``expressions`` over ``given``; fail where one has a result."""
    evaluated = [{"expr": text, "eval_time": at, "exp_samples": []} for text in expressions for at in ("6m", "7m30s")]
    inputs = [{"series": name, "values": values} for name, values in given.items()]
    tests = [{"interval": "15s", "input_series": inputs, "promql_expr_test": evaluated}]
    file = folder / "empty.test.yml"
    file.write_text(yaml.safe_dump({"rule_files": [], "evaluation_interval": "15s", "tests": tests}))
    promtool.test(file)


def proof_of(text: str) -> Proof | None:
    """Return the proof that the expression ``text`` is empty."""
    return empty(read_expression(text), FACTS)


def test_what_is_proved_of_random_expressions_has_no_result(tmp_path: Path) -> None:
    """Of some hundred expressions, those that are proved to be empty are."""
    chance = random.Random(20)
    texts = sorted({drawn(chance, chance.randint(1, 3)) for _ in range(500)})
    proved = [text for text in texts if (proof := proof_of(text)) is not None and proof.certain]
    assert len(proved) >= 60
    assert_empty(chance.sample(proved, 60), series(), tmp_path)


def test_that_there_is_a_result_is_found_out(tmp_path: Path) -> None:
    """The run above can fail: an expression that has a result is refused."""
    with pytest.raises(PromtoolRefused, match="up > -1"):
        assert_empty(["up > -1"], series(), tmp_path)


@pytest.mark.parametrize(
    ("expr", "step"),
    [
        ("count(g == 5) == 0", "`count` is at least 1"),
        ("sum(g > 5) < 3", "a comparison leaves only what is > 5"),
        ('100 * sum(rate(c_total{y="1"}[2m])) / sum(rate(c_total[2m])) > 500', "it is a share"),
        ("g > 5 and g < 3", "asked of `g` on the two sides of `and`"),
        ("absent(g) and g", "`absent(g)` has a result only where `g` has none"),
        ("g == NaN", "NaN is neither above nor below nor equal to anything"),
        ("histogram_quantile(0.9, rate(h_bucket[2m])) > 2", "the highest finite bucket, 2"),
        ("rate(c_total[2m]) < 0", "`c_total` is a counter, never below 0"),
        ("c_total / g > 0", "have the label `y`"),
        ("no_such > 0", "no series named `no_such`"),
        ("h > 0", "`h` is a histogram or summary"),
        ('g{x="1", x="2"}', 'by `{x="1"}` and by `{x="2"}`'),
        ("g > 5 unless g", "takes away all of `g > 5`"),
    ],
)
def test_a_proof_names_its_step(expr: str, step: str) -> None:
    """So that one can judge it."""
    proof = proof_of(expr)
    assert proof is not None
    assert proof.certain
    assert step in proof.reason


def test_what_may_have_a_result_is_not_proved() -> None:
    """Cases that look like those above and differ in what decides."""
    for expr in (
        "count(g == 5) > 0",
        "sum(g > 5) > 3",
        "g > 5 and on (x) h_count < 3",
        '{x="1"} > 5 and {x="1"} < 3',  # of two names, one may be above and one below
        "absent(g) and on () g offset 5m",
        "absent(g) and on () h_count",
        "g != NaN",
        "histogram_quantile(0.9, rate(h_bucket[2m])) >= 2",
        "rate(h_sum[2m]) < 0",  # of negative observations
        "c_total / ignoring (y) g > 0",
        "g > 5 unless g > 7",
        "absent(no_such)",
        "g unless no_such",
        "vector(2) > 0",
        "vector(1) and on () hour() > 8",
        '100 * sum(rate(c_total{y="1"}[2m])) / sum(rate(c_total[2m])) > 99',
    ):
        assert proof_of(expr) is None, expr
