"""The life of alerts, held against promtool: on shipped rules with the series of their tests, on generated ones too."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from faults.drills.judge.judge import Judge
from stack.rules.file import AlertingRule, RuleFile, RuleGroup
from stack.rules.read import load_rules
from tests.unit.faults.judged_series import promtool_passes, recording, seconds, states_at, without_intervals

_RULES = Path(__file__).resolve().parents[3] / "stack" / "config" / "prometheus" / "rules"
_TESTS = sorted((_RULES / "tests").glob("*.test.yml"))


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    """Yield a judge for all tests of this module."""
    with Judge.started() as started:
        yield started


@pytest.mark.parametrize("path", _TESTS, ids=lambda path: path.name)
def test_shipped_rules_fire_as_promtool_has_it(judge: Judge, path: Path) -> None:
    """Every expectation of the shipped unit tests, which promtool passes, holds for what the judge says too."""
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    rules = [without_intervals(load_rules(path.parent / name)) for name in document["rule_files"]]
    interval_s = seconds(document["evaluation_interval"])
    compared = 0
    for test in document["tests"]:
        expected = test.get("alert_rule_test", [])
        series = {one["series"]: one["values"] for one in test["input_series"]}
        recorded = recording(
            series,
            lasts_s=max((seconds(str(one["eval_time"])) for one in expected), default=0.0),
            interval_s=interval_s,
            series_interval_s=seconds(test["interval"]),
        )
        judged = judge.judge(recorded, rules, evaluation_phases=1, sides=False)
        assert judged.notes == ()
        for one in expected:
            at = seconds(str(one["eval_time"])) // interval_s * interval_s
            found = [dict(each) for each in states_at(judged.phases[0].alerts, at)]
            assert _firing(found, one["alertname"]) == _expected(one), (path.name, one["alertname"], one["eval_time"])
            compared += 1
    assert compared


def test_every_evaluation_of_shipped_rules_is_as_promtool_has_it(judge: Judge, tmp_path: Path) -> None:
    """Pending and firing at each evaluation of an hour, of all alerts at once, in one test made of the judgement."""
    path = _RULES / "tests" / "slo.test.yml"
    test = max(
        (one for one in yaml.safe_load(path.read_text(encoding="utf-8"))["tests"] if "alert_rule_test" in one),
        key=lambda one: len(one["alert_rule_test"]),
    )
    series = {one["series"]: one["values"] for one in test["input_series"]}
    series['up{job="firedrill", instance="a"}'] = "1x30 0x20 1x10 _x30 1x100"
    series['model_loaded{job="firedrill", instance="a", model_name="iris"}'] = "1x60 0x20 stale 1x100"
    files = [without_intervals(load_rules(one)) for one in sorted(_RULES.glob("*.yml"))]
    rules = RuleFile(Path("rules.yml"), tuple(group for file in files for group in file.groups))
    judged = judge.judge(
        recording(series, lasts_s=3600.0, series_interval_s=seconds(test["interval"])), [rules], evaluation_phases=1
    )
    active = {course.ref.alert for course in judged.phases[0].alerts if course.lives}
    assert len(active) >= 3, active
    promtool_passes(tmp_path, rules, series, judged, interval_s=15.0, lasts_s=3600.0)


@dataclass(frozen=True)
class _Case:
    """One alert over two gauges: what each shows, and for how many evaluations, in turn."""

    for_steps: float
    keep_steps: float
    spans: tuple[tuple[str, int], ...]
    second: tuple[tuple[str, int], ...]


_SPANS = st.lists(
    st.tuples(st.sampled_from(["5", "0", "_", "stale", "NaN"]), st.integers(1, 7)), min_size=1, max_size=8
).map(tuple)
_CASES = st.builds(
    _Case,
    st.sampled_from([0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0]),
    st.sampled_from([0.0, 0.0, 0.5, 1.0, 2.5, 4.0]),
    _SPANS,
    _SPANS,
)


@settings(
    max_examples=3,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(st.lists(_CASES, min_size=25, max_size=40), st.sampled_from([10.0, 15.0, 7.5]))
def test_generated_alerts_live_as_promtool_has_it(judge: Judge, cases: Sequence[_Case], interval_s: float) -> None:
    """`for`, `keep_firing_for`, gaps, stale markers, flapping, two instances: each evaluation of some thirty alerts."""
    steps = 45
    series: dict[str, str] = {}
    rules: list[AlertingRule] = []
    for index, case in enumerate(cases):
        for instance, spans in (("a", case.spans), ("b", case.second)):
            series[f'm{index}{{instance="{instance}"}}'] = _notation(spans, steps)
        rules.append(
            AlertingRule(
                f"Alert{index}",
                f"m{index} > 1" if index % 3 else f"m{index} > 1 or m{index} offset 20s > 1",
                case.for_steps * interval_s,
                case.keep_steps * interval_s,
                {"text": "{{ $labels.instance }} of m", "instance": "" if index % 7 == 3 else "one"},
            )
        )
    file = RuleFile(Path("rules.yml"), (RuleGroup("generated", tuple(rules)),))
    judged = judge.judge(
        recording(series, lasts_s=steps * interval_s, interval_s=interval_s), [file], evaluation_phases=1, sides=False
    )
    with tempfile.TemporaryDirectory() as folder:
        promtool_passes(Path(folder), file, series, judged, interval_s=interval_s, lasts_s=steps * interval_s)


def _notation(spans: Sequence[tuple[str, int]], steps: int) -> str:
    """Return ``spans``, over and over until ``steps`` are full."""
    parts: list[str] = []
    length = 0
    while length < steps:
        for value, count in spans:
            if value == "_":
                parts.append(f"_x{count}")
                length += count
            else:
                parts += [value] * (1 if value == "stale" else count)
                length += 1 if value == "stale" else count
    return " ".join(parts)


def _firing(found: Sequence[Mapping[str, str]], alert: str) -> list[tuple[tuple[str, str], ...]]:
    own = {"alertname", "alertstate"}
    return sorted(
        tuple(sorted((name, value) for name, value in one.items() if name not in own))
        for one in found
        if one["alertname"] == alert and one["alertstate"] == "firing"
    )


def _expected(test: Mapping[str, Any]) -> list[tuple[tuple[str, str], ...]]:
    return sorted(tuple(sorted(one.get("exp_labels", {}).items())) for one in test.get("exp_alerts") or [])
