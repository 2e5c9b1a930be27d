"""Expressions and rules at another pace: what is divided, what is converted, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stack.rules import promtool
from stack.rules.durations import format_duration
from stack.rules.errors import UnscalableExpression
from stack.rules.functions import FUNCTIONS, Treatment
from stack.rules.read import AlertingRule, RecordingRule, RuleFile, RuleGroup
from stack.rules.scale import scale_expr, scale_rules
from stack.rules.tree import read_tree
from stack.rules.write import write_rules
from tests.generated import examples

FACTOR = 15.0
DECOYS = r"""rate(x{a="[5m] offset 5m", b='\'[5m]', c=`[5m]`}"""


@pytest.mark.parametrize(
    ("expr", "scaled"),
    [
        ("rate(x[5m])", "rate(x[20s])"),
        ("rate(x[ 1m30s ] offset 1h)", "rate(x[ 6s ] offset 4m)"),
        ("x offset -5m", "x offset -20s"),
        ("rate(x[300])", "rate(x[20s])"),
        ("max_over_time(rate(x[5m])[30m:1m] offset 1h)", "max_over_time(rate(x[20s])[2m:4s] offset 4m)"),
        ("max_over_time(x[30m:])", "max_over_time(x[2m:])"),
        ("rate(x[40s])", "rate(x[2s667ms])"),
        (DECOYS + "[5m])", DECOYS + "[20s])"),
        ("rate(x[5m]) # per [5m] offset 5m\n> 5", "rate(x[20s]) # per [5m] offset 5m\n> 5"),
        ("sum by (offset) (offset offset 5m)", "sum by (offset) (offset offset 20s)"),
        ("x > 5m", "x > 5m"),
    ],
)  # fmt: skip
def test_durations_are_divided_and_nothing_else(expr: str, scaled: str) -> None:
    """Ranges, steps and offsets shrink; label values, comments, names and levels do not."""
    assert scale_expr(expr, FACTOR) == scaled


@pytest.mark.parametrize(
    ("expr", "scaled"),
    [
        ("rate(x[5m]) > 0.05", "rate(x[20s]) > 0.05"),
        ("increase(x[5m]) > 0", "increase(x[20s]) > 0"),
        ("increase(x[5m]) > 30", "increase(x[20s]) > 2"),
        ("30 < increase(x[5m])", "2 < increase(x[20s])"),
        ("increase(x[5m]) > 2 * 15", "increase(x[20s]) > 0.13333333333333333 * 15"),
        ("increase(x[5m]) > 0xF", "increase(x[20s]) > 1"),
        ("increase(x[5m]) / 300 > 0.15", "increase(x[20s]) / 300 > 0.01"),
        ("increase(a[5m]) / increase(b[5m]) > 0.1", "increase(a[20s]) / increase(b[20s]) > 0.1"),
        ("sum(increase(a[5m]) > 15) by (job) >= 30", "sum(increase(a[20s]) > 1) by (job) >= 2"),
        ("increase(a[5m]) + 15 > 30", "increase(a[20s]) + 1 > 2"),
        ("clamp_min(increase(a[5m]), 15) > 30", "clamp_min(increase(a[20s]), 1) > 2"),
        ("increase(a[5m]) or vector(15)", "increase(a[20s]) or vector(1)"),
        ("increase(a[5m]) > 15 or up == 0", "increase(a[20s]) > 1 or up == 0"),
        ("histogram_quantile(0.9, increase(b[5m])) > 1", "histogram_quantile(0.9, increase(b[20s])) > 1"),
        ("count_over_time(x[5m]) > 10", "count_over_time(x[20s]) > 10"),
        ("sum_over_time(x[5m]) > 10", "sum_over_time(x[20s]) > 10"),
        ("changes(x[5m]) > 0", "changes(x[20s]) > 0"),
        ("resets(x[5m]) == 0", "resets(x[20s]) == 0"),
        ("delta(x[5m]) < 0", "delta(x[20s]) < 0"),
        ("time() - x > 3600", "time() - x > 240"),
        ("time() - timestamp(x) > 1h", "time() - timestamp(x) > 240"),
        ("(time() - max(x)) / 60 > 30", "(time() - max(x)) / 60 > 2"),
        ("x < time() - 3600", "x < time() - 240"),
        ("x / x offset 1h > 1.5", "x / x offset 4m > 1.5"),
        ("x - x offset 1h > 3", "x - x offset 4m > 3"),
        ("job:x:increase5m > 30", "job:x:increase5m > 2"),
        (
            'sum_over_time(job:x:increase5m{a="b"}[1h]) / 20 <= 30',
            'sum_over_time(job:x:increase5m{a="b"}[4m]) / 20 <= 2',
        ),
        ("job:bad:increase1h / job:all:increase1h > 0.3", "job:bad:increase1h / job:all:increase1h > 0.3"),
        ("job:x:increase > 30", "job:x:increase > 2"),
        ("x_increase5m > 30 or job:increased:rate5m > 30", "x_increase5m > 30 or job:increased:rate5m > 30"),
    ],
)
def test_constants_that_carry_time_follow(expr: str, scaled: str) -> None:
    """What is counted in a window or waited for shrinks with it; rates, ratios, levels and samples stay."""
    assert scale_expr(expr, FACTOR) == scaled


@pytest.mark.parametrize(
    ("expr", "reason"),
    [
        ("delta(x[5m]) > 3", "only the sign"),
        ("idelta(x[5m]) > 3", "only the sign"),
        ("deriv(x[5m]) > 3", "only the sign"),
        ("changes(x[5m]) > 3", "only the sign"),
        ("resets(x[5m]) >= 1", "only the sign"),
        ("predict_linear(x[1h], 3600) < 0", "its horizon"),
        ("hour() > 5 and on () x", "the calendar"),
        ("day_of_week(x) == 1", "the calendar"),
        ("x @ 1600000000 > 1", "`@`"),
        ("max_over_time(x[1h:1m] @ end()) > 1", "`@`"),
        ("expiry - time() < 86400", "the world keeps its speed"),
        ("increase(x[5m]) > y", "depend differently"),
        ("increase(x[5m]) > rate(x[5m])", "depend differently"),
        ("increase(x[5m]) + y > 3", "depend differently"),
        ("round(increase(x[5m])) > 3", "round()"),
        ("increase(x[5m]) ^ 2 > 3", "depends on the length"),
        ("increase(x[5m]) > 2 ^ 3", "cannot be made smaller"),
        ("stdvar(increase(x[5m])) > 3", "depends on the length"),
        ("sum(timestamp(x)) > 3", "points in time"),
        ("timestamp(x) > 1700000000", "point in time"),
        ("sum_over_time(timestamp(x)[5m:]) > 3", "sum_over_time()"),
        ("info(x)", "no rule is listed"),
        ("rate(x[29s])", "holds less than two scrapes, one every 15s"),
        ("x offset 1ms", "shorter than a millisecond"),
        ("offset - 5", "could not be told"),
        ("x ==", "does not parse"),
        ("+".join(["x"] * 200), "more than 100 deep"),
        ("(" * 50000 + "x" + ")" * 50000, "more than 2000 words"),
        ("", "does not parse"),
    ],
)
def test_what_has_no_exact_counterpart_is_refused_with_the_reason(expr: str, reason: str) -> None:
    """The error carries the expression, the reason and the way out."""
    with pytest.raises(UnscalableExpression, match="at pace production") as refused:
        scale_expr(expr, FACTOR)
    assert reason in refused.value.reason
    assert refused.value.expr == expr


def test_a_factor_of_one_changes_and_refuses_nothing() -> None:
    """At production pace every expression that parses is itself."""
    expr = "predict_linear(x[10s] @ 5, 3600) < 0 # soon"
    assert scale_expr(expr, 1.0) == expr


def test_every_listed_function_is_one_that_the_parser_knows() -> None:
    """A name with a spelling mistake would never be met."""
    unknown = {"mad_over_time", "sort_by_label", "sort_by_label_desc", "histogram_avg"}
    arguments = ("", "x", "x[5m]", "0.5, x", "x[5m], 1", "0.5, x[5m]", "x, 1", "x, 1, 2", "0, 1, x", '"a", x')
    texts = ('x, "a", "b"', 'x, "a", "b", "c"', 'x, "a", "b", "c", "d"', "1")
    for name in set(FUNCTIONS) - unknown:
        assert any(_parses(f"{name}({given})") for given in (*arguments, *texts)), name
    assert all(isinstance(treatment, (str, Treatment)) for treatment in FUNCTIONS.values())


def _parses(expr: str) -> bool:
    try:
        read_tree(expr)
    except UnscalableExpression:
        return False
    return True


DURATIONS_MS = st.integers(min_value=30_000, max_value=10**9)
NAMES = st.sampled_from(["x", "offset", "a:b:rate5m", "by", "m5m"])


def _written(milliseconds: int) -> str:
    return format_duration(milliseconds / 1000)


@st.composite
def expressions(draw: st.DrawFn) -> str:
    """Draw an expression with durations in every place where one may stand, and decoys beside them."""
    decoy = draw(st.sampled_from(["", '{a="[5m] offset 7m"}', "{a=~`5m:1m`}", "{offset='5m'}"]))
    name = draw(NAMES.filter(lambda name: name != "by"))
    at = draw(st.sampled_from(["", " offset {}", "offset -{}", " OFFSET {}"])).format(_written(draw(DURATIONS_MS)))
    inner = f"{name}{decoy}[{_written(draw(DURATIONS_MS))}] {at}"
    function = draw(st.sampled_from(["rate", "avg_over_time", "irate", "max_over_time"]))
    expr = f"{function}({inner})"
    if draw(st.booleans()):
        step = _written(draw(DURATIONS_MS)) if draw(st.booleans()) else ""
        expr = f"max_over_time({expr}[{_written(draw(DURATIONS_MS))}:{step}])"
    wrapper = draw(
        st.sampled_from(["{}", "sum by (offset, le) ({})", "({}) > 5", "{} # [5m]\n", "5m < {}", "-{} * 1e3"])
    )
    return wrapper.format(expr)


@given(expressions(), st.floats(min_value=1.01, max_value=100.0))
@settings(max_examples=examples(200), deadline=None)
def test_a_scaled_expression_is_the_same_tree_with_divided_durations(expr: str, factor: float) -> None:
    """Parsed again, every duration is the original one over the factor to the millisecond, and nothing else moved."""
    before, after = list(read_tree(expr).walk()), list(read_tree(scale_expr(expr, factor)).walk())
    assert [(n.kind, n.name, n.modifier) for n in before] == [(n.kind, n.name, n.modifier) for n in after]
    for old, new in zip(before, after, strict=True):
        assert len(old.spans_ms) == len(new.spans_ms)
        assert all(abs(a / factor - b) <= 0.5 for a, b in zip(old.spans_ms, new.spans_ms, strict=True))


@given(expressions())
@settings(max_examples=examples(100), deadline=None)
def test_scaling_there_and_back_is_where_it_started(expr: str) -> None:
    """Whole multiples of the factor return exactly."""
    slow = scale_expr(expr, 1 / 16)
    assert list(read_tree(scale_expr(slow, 16.0)).walk()) == list(read_tree(expr).walk())


def test_a_rule_file_is_scaled_whole_and_promtool_takes_it(tmp_path: Path) -> None:
    """`for`, `keep_firing_for`, interval and query offset follow the expressions; labels stay."""
    alert = AlertingRule("A", "rate(x[5m]) > 1", 300.0, 60.0, {"a": "5m"}, {"b": "for 5m"}, 1)
    rules = RuleFile(tmp_path, (RuleGroup("g", (alert, RecordingRule("r:x", "rate(x[1m])")), 30.0),))
    scaled = scale_rules(rules, FACTOR)
    (group,) = scaled.groups
    assert group.interval_s == 2.0
    assert group.rules == (
        AlertingRule("A", "rate(x[20s]) > 1", 20.0, 4.0, {"a": "5m"}, {"b": "for 5m"}, 1),
        RecordingRule("r:x", "rate(x[4s])"),
    )
    path = tmp_path / "scaled.yml"
    path.write_text(write_rules(scaled, "a test"), encoding="utf-8")
    assert "2 rules found" in promtool.check(path)
    assert scale_rules(rules, 1.0) is rules


def test_a_refused_rule_is_named() -> None:
    """A person with fifty rules has to know which; a recording of a count would mislead its readers."""
    bad = RuleFile(Path("f"), (RuleGroup("g", (AlertingRule("Filling", "predict_linear(x[1h], 60) < 0"),)),))
    with pytest.raises(UnscalableExpression, match="of rule Filling cannot change its pace"):
        scale_rules(bad, FACTOR)
    counted = RuleFile(Path("f"), (RuleGroup("g", (RecordingRule("x:new5m", "increase(x[5m])"),)),))
    with pytest.raises(UnscalableExpression, match=r"x:new5m.*record a rate or a ratio, or call it"):
        scale_rules(counted, FACTOR)


@pytest.mark.parametrize("expr", ["rate(x[5m])", "increase(x[5m]) * increase(x[5m])", "time()", "delta(x[5m])"])
def test_a_recording_that_is_called_a_count_is_one(expr: str) -> None:
    """Its readers go by the name, so that the name must not lie."""
    with pytest.raises(UnscalableExpression, match=r"job:x:increase5m.*its name says that it counts"):
        scale_rules(RuleFile(Path("f"), (RuleGroup("g", (RecordingRule("job:x:increase5m", expr),)),)), FACTOR)


def test_a_count_keeps_its_name_and_its_readers_follow() -> None:
    """A window in a name is production time, at every pace; what is compared with the count is divided."""
    rules = (RecordingRule("job:x:increase5m", "sum(increase(x[5m]))"), AlertingRule("A", "job:x:increase5m > 30"))
    scaled = scale_rules(RuleFile(Path("f"), (RuleGroup("g", rules),)), FACTOR)
    assert scaled.groups[0].rules == (
        RecordingRule("job:x:increase5m", "sum(increase(x[20s]))"),
        AlertingRule("A", "job:x:increase5m > 2"),
    )
