"""Drill files: the library is sound, and every mistake is named with its line and what was expected."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import get_args, get_origin

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

import faults.kinds  # noqa: F401 - fills the catalogue
from faults.base import catalogue
from faults.drills.errors import BadDrill
from faults.drills.parameters import parameter_problems
from faults.drills.spec import (
    LIBRARY,
    AbortCondition,
    Drill,
    Expectation,
    FaultStep,
    History,
    HistorySeries,
    Repeat,
    SteadyState,
    load_drill,
    load_library,
    parse_drill,
)
from faults.drills.wire import Verdict
from stack.pace import PRODUCTION
from stack.rules.read import load_rules

RULES = Path(__file__).parents[3] / "stack" / "config" / "prometheus" / "rules"

GOOD = """\
version: 1
name: small
title: A small drill
steady_state:
  within: 5m
faults:
  - kind: error
    parameters: {status: 500}
    ttl: 10m
    at: 0s
expect:
  - alert: HighErrorRate
    firing_within: 8m
    resolved_within: 1h30m
allow: [HighLatency]
"""


def problems(text: str) -> tuple[str, ...]:
    """Return the problems of a drill file that must have some."""
    with pytest.raises(BadDrill) as caught:
        parse_drill(text, "small.yaml")
    assert str(caught.value).startswith("small.yaml is not a drill that can run:")
    return caught.value.problems


def test_durations_are_seconds_of_production_time_and_defaults_are_given() -> None:
    """A good file is read; what it leaves out has its documented default."""
    drill = parse_drill(GOOD)
    assert (drill.steady_state.within, drill.steady_state.hold) == (300.0, 60.0)
    assert (drill.faults[0].ttl, drill.faults[0].at, drill.faults[0].probability) == (600.0, 0.0, 1.0)
    assert (drill.expect[0].firing_within, drill.expect[0].resolved_within) == (480.0, 5400.0)
    assert drill.expect[0].delivered_within == 180.0
    assert drill.traffic is None


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("ttl: 10m", "ttl: 10", "line 9: faults[0].ttl: expected a duration with its unit, such as 30s or 5m, got 10"),
        ("ttl: 10m", "ttl: soon", "line 9: faults[0].ttl: expected a duration such as 30s, 5m or 1h30m, got 'soon'"),
        ("    ttl: 10m\n", "", "line 7: faults[0].ttl: is missing"),
        ("ttl: 10m", "ttl: 25h", "line 9: faults[0].ttl: input should be less than or equal to 86400"),
        ("ttl: 10m", "ttl: 0s", "line 9: faults[0].ttl: input should be greater than 0"),
        ("version: 1", "version: 2", "line 1: version: input should be 1, got 2"),
        ("name: small", "name: Small Drill", "line 2: name: string should match pattern"),
        ("title: A small drill", "titel: A small drill", "line 3: titel: unknown key"),
        ("  within: 5m", "  within: 5m\n  hold_for: 1m", "line 6: steady_state.hold_for: unknown key"),
        (
            "at: 0s",
            "at: 0s\n    probability: 1.5",
            "line 11: faults[0].probability: input should be less than or equal",
        ),
        ("at: 0s", "at: 0s\n    target: {modell: iris}", "line 11: faults[0].target.modell: unknown key"),
        ("title: A small drill", "title: one\ntitle: two", "line 4: title: stands twice"),
        (
            "allow: [HighLatency]",
            "allow: [HighErrorRate]",
            "HighErrorRate: an alert is either expected or merely allowed",
        ),
        ("allow: [HighLatency]", "allow: &a [HighLatency]", "line 15: anchors and aliases are not used in drill files"),
        ("allow: [HighLatency]", "1: 2", "line 15: top level: keys must be plain text"),
        ("allow: [HighLatency]", "allow: [HighLatency", "not valid YAML"),
        ("allow: [HighLatency]", "allow: !!python/object:os.system {}", "line 15"),
    ],
)
def test_a_mistake_is_named_with_its_line_and_what_was_expected(old: str, new: str, expected: str) -> None:
    """One wrong line in a good file gives a problem that says where it is and what should stand there."""
    assert old in GOOD
    found = problems(GOOD.replace(old, new))
    assert any(expected in problem for problem in found), found


def test_all_mistakes_are_named_at_once() -> None:
    """Two mistakes are two problems, so that a file is not mended one refusal at a time."""
    found = problems(GOOD.replace("ttl: 10m", "ttl: 10").replace("firing_within: 8m", "firing_within: 8"))
    assert len(found) == 2


def test_the_same_alert_is_not_expected_twice() -> None:
    """Two expectations of one alert with the same labels contradict or repeat each other."""
    twice = GOOD.replace("allow:", "  - {alert: HighErrorRate, firing_within: 1m, resolved_within: 1m}\nallow:")
    assert "is expected twice" in problems(twice)[0]


@pytest.mark.parametrize(
    ("new", "says"),
    [
        ("expect: []", "line 11: expect: where no alert is expected, `watch` says for how long nothing may ring"),
        ("watch: 5m\nexpect: [{alert: A, firing_within: 8m, resolved_within: 8m}]", "line 11: watch: it belongs to"),
        ("history: {covers: 1h, series: []}", "line 11: history.series: tuple should have at least 1 item"),
        ("history: {covers: 1h, series: [{series: a, value: 1, since: 2h}]}", "lies outside of the 3600 s"),
        ("history: {covers: 1h, series: [{series: a}]}", "history.series[0]: give either `value` or"),
        ("history: {covers: 1h, series: [{series: a, value: 1, per_second: 2}]}", "give either `value` or"),
        ("history: {covers: 1h, series: [{series: 'a{b=~\"c\"}', value: 1}]}", "should match pattern"),
        ("history: {covers: 1h, series: [{series: a, value: 1, since: 5m, until: 9m}]}", "ends 540 s ago, before it"),
        ("abort_if: [{promql: up < 1}]", "line 11: abort_if[0].reason: is missing"),
    ],
)
def test_what_a_drill_cannot_want_is_named_with_its_line(new: str, says: str) -> None:
    """No alert and no time to wait, a past without content, a condition without a reason."""
    text = GOOD[: GOOD.index("expect:")] + new + "\n"
    assert any(says in problem for problem in problems(text)), problems(text)


@pytest.mark.parametrize("text", ["", "[]", "just words", "a: [" * 3000, "x" * 70_000, "\x00", "a: 1\n---\nb: 2\n"])
def test_what_is_no_drill_at_all_is_refused(text: str) -> None:
    """Empty, foreign, endless and many-document texts are refused like any other mistake."""
    assert problems(text)


@given(st.text(max_size=200) | st.binary(max_size=100).map(lambda data: data.decode("latin-1")))
def test_no_text_makes_it_fail_in_another_way(text: str) -> None:
    """Whatever is read, the only error is ``BadDrill``."""
    for candidate in (text, GOOD + text, GOOD.replace("small", text)):
        with contextlib.suppress(BadDrill):
            parse_drill(candidate)


def test_a_file_that_cannot_be_read_is_a_problem_of_the_file(tmp_path: Path) -> None:
    """A missing file and one that is not text are refused with the reason."""
    (tmp_path / "odd.yaml").write_bytes(b"\xff\xfe\x00")
    for name in ("none.yaml", "odd.yaml"):
        with pytest.raises(BadDrill, match="cannot be read"):
            load_drill(tmp_path / name)


def test_a_library_file_is_named_as_its_drill(tmp_path: Path) -> None:
    """A copy under another name would make two drills of one name."""
    (tmp_path / "other.yaml").write_text(GOOD)
    with pytest.raises(BadDrill, match="must be the file's own name, 'other'"):
        load_library(tmp_path)


@pytest.mark.parametrize("path", sorted(LIBRARY.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_drill_of_the_library_can_run(path: Path) -> None:
    """Its kinds and parameters are the catalogue's, its alerts shipped rules, its faults last until they must fire."""
    drill = load_drill(path)
    rules = [rule for file in RULES.glob("*.yml") for rule in load_rules(file).alerts]
    alerts = {rule.name for rule in rules}
    assert {one.alert for one in drill.expect} | set(drill.allow) <= alerts
    assert drill.description
    for step in drill.faults:
        schema = catalogue()[step.kind].parameters_type.model_json_schema()
        assert parameter_problems(schema, step.parameters) == ()


@pytest.mark.parametrize("drill", load_library().values(), ids=lambda drill: drill.name)
def test_the_faults_of_a_drill_burn_until_its_alerts_must_have_rung(drill: Drill) -> None:
    """What burns to the rollback outlasts every bound; what the schedule puts out is its own affair."""
    until_rollback = [one.ends_at_s for one in drill.schedule(1, PRODUCTION) if one.put_out_at_s is None]
    bounds = [one.firing_within + one.delivered_within for one in drill.expect]
    assert bounds or drill.watch
    assert not bounds or min(until_rollback, default=0.0) >= max(bounds)


def test_there_is_a_drill_for_every_required_kind() -> None:
    """Latency, errors, both model-load failures and out-of-distribution inputs each have their drill."""
    lit = {(step.kind, step.parameters.get("when")) for drill in load_library().values() for step in drill.faults}
    required = {("latency", None), ("error", None), ("ood_inputs", None)}
    assert required | {("model_load_failure", "cold"), ("model_load_failure", "reload")} <= lit


def documented_keys(model: type[BaseModel], prefix: str = "") -> set[str]:
    """Return the keys of a drill file as docs/drills.md writes them."""
    keys: set[str] = set()
    for name, field in model.model_fields.items():
        inner = next((part for part in (field.annotation, *get_args(field.annotation)) if part in PARTS), None)
        if inner is None:
            keys.add(prefix + name)
        else:
            many = "[]" if get_origin(field.annotation) is tuple else ""
            keys |= documented_keys(inner, f"{prefix}{name}{many}.")
    return keys


PARTS = (SteadyState, FaultStep, Expectation, Repeat, AbortCondition, History, HistorySeries)


def test_every_key_of_a_drill_file_and_every_drill_is_documented() -> None:
    """The tables of docs/drills.md name the keys, and the drills of the library, and none besides."""
    page = (Path(__file__).parents[3] / "docs" / "drills.md").read_text()
    rows = re.findall(r"^\| `([^`]+)` \|", page, flags=re.MULTILINE)
    verdicts = set(get_args(Verdict))
    assert set(rows) - verdicts - set(load_library()) == documented_keys(Drill)
    assert set(rows) >= set(load_library()) | verdicts
