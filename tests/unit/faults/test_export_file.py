"""Exports of small recordings: the real engine judges them, the real promtool passes what is written, or nothing is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from faults.drills.export.course import Course, course_of
from faults.drills.export.errors import NotAsDrilled, NotExportable, NothingToExport
from faults.drills.export.export import Exported, Promtool, export
from faults.drills.judge.judge import Judge
from stack.rules import promtool
from stack.rules.errors import PromtoolRefused
from stack.rules.file import RuleFile
from stack.rules.read import load_rules
from tests.unit.faults.judged_series import recording

BEGAN = 1_767_225_615.0  # no multiple of a minute
RULES = r"""
groups:
  - name: alerts
    rules:
      - alert: TooHigh
        expr: job:x:max > 2
        for: 30s
        labels: {severity: page, "on": "{{ $labels.job }}"}
        annotations:
          summary: "{{ $labels.job }} is at {{ $value | humanizePercentage }}"
          description: "a \"quoted\" word, an umlaut ü,\na second line, {{ printf \"%.2f\" $value }}"
      - alert: Gone
        expr: absent(y{job="a"})
        annotations: {summary: "no y, it's gone"}
      - alert: Rising
        expr: rate(c_total[1m]) > 0.5
  - name: recordings
    rules:
      - record: job:x:max
        expr: max by (job) (x{job=~"a|b"})
"""
SERIES = {
    'x{job="a", path="C:\\\\dir", le="1"}': "1x19 3.5x10 1x10",
    'x{job="b"}': "0.5x30 _x2 0.5x7",
    'x{job="c"}': "9x40",
    'y{job="a"}': "1x20 stale _x5 1x13",
    'y{job="other"}': "1x40",
    "c_total": "0x20 15+15x10 150x9",
    "unused_total": "0+1x40",
}


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    """Yield a judge whose engine runs as long as this module."""
    with Judge.started() as running:
        yield running


def rules_in(folder: Path, text: str, name: str = "rules.yml") -> RuleFile:
    """Return the rules of ``text`` in a file of ``folder``."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return load_rules(path)


def judged(judge: Judge, rules: RuleFile, series: dict[str, str] | None = None, lasts_s: float = 585.0) -> Course:
    """Return the course of ``series`` under ``rules``."""
    made = recording(series or SERIES, lasts_s=lasts_s, started_at=BEGAN)
    made = replace(made, fault_at=BEGAN + 295.0, rollback_at=BEGAN + 455.0)
    return course_of(made, judge.judge(made, [rules], evaluation_phases=1), judge.engine)


@pytest.fixture(scope="module")
def course(judge: Judge, tmp_path_factory: pytest.TempPathFactory) -> Course:
    """Return the course of the series above, with a fault from 295 s to 455 s."""
    return judged(judge, rules_in(tmp_path_factory.mktemp("rules"), RULES))


def written(made: Exported, test: Path) -> dict[str, object]:
    """Write an export where it belongs and return it as YAML has it."""
    for name, text in made.rules:
        (test.parent / name).write_text(text, encoding="utf-8")
    test.write_text(made.text, encoding="utf-8")
    document: dict[str, object] = yaml.safe_load(made.text)
    return document


def cases(document: dict[str, object], alert: str) -> dict[str, list[dict[str, dict[str, str]]]]:
    """Return what is expected to fire of ``alert``, by the time."""
    group = document["tests"][0]  # type: ignore[index]
    return {one["eval_time"]: one["exp_alerts"] for one in group["alert_rule_test"] if one["alertname"] == alert}


def test_promtool_passes_a_course_from_quiet_to_quiet(course: Course, tmp_path: Path) -> None:
    """Quiet, pending, firing and quiet again are in the file, templates rendered, and promtool agrees."""
    rules, test = rules_in(tmp_path, RULES), tmp_path / "deeper" / "x.test.yml"
    test.parent.mkdir()
    document = written(export(course, [rules], test), test)
    assert "SUCCESS" in promtool.test(test)
    assert document["rule_files"] == ["../rules.yml"]
    assert document["group_eval_order"] == ["recordings", "alerts"]
    found = cases(document, "TooHigh")
    # The first sample lies 15 s after the time 0, a whole minute: the 20th, which is too high, at 5m15s.
    assert found["5m"] == found["5m15s"] == found["5m30s"] == [] == found["8m"]
    assert found["5m45s"] == found["7m45s"]
    (firing,) = found["5m45s"]
    assert firing["exp_labels"] == {"job": "a", "severity": "page", "on": "a"}
    assert firing["exp_annotations"]["summary"] == "a is at 350%"
    assert firing["exp_annotations"]["description"] == 'a "quoted" word, an umlaut ü,\na second line, 3.50'
    pending = [one for one in document["tests"][0]["promql_expr_test"] if "TooHigh" in one["expr"]]  # type: ignore[index]
    assert [one["eval_time"] for one in pending] == ["5m15s", "5m30s"]
    assert cases(document, "Gone")["5m15s"] == []
    assert len(cases(document, "Gone")["5m30s"]) == 1
    assert [bool(each) for each in cases(document, "Rising").values()].count(True) >= 2


def test_only_selected_series_are_written_each_once(course: Course, tmp_path: Path) -> None:
    """What no rule selects stays out, a series that is there twice comes once, and steady ones are short."""
    twice = replace(course, series=(*course.series, *course.series))
    made = export(twice, [rules_in(tmp_path, RULES)], tmp_path / "x.test.yml")
    group = yaml.safe_load(made.text)["tests"][0]
    series = {one["series"]: one["values"] for one in group["input_series"]}
    assert len(series) == len(group["input_series"]) == made.series == 4
    assert series["c_total{}"] == "_ 0x20 15+15x10 150x9"
    assert series['y{job="a"}'] == "_ 1x20 stale _x5 1x13"
    assert not any('job="c"' in name or "unused" in name for name in series)
    alone = export(course, [rules_in(tmp_path, RULES)], tmp_path / "x.test.yml", alerts=["Rising"])
    assert (alone.alerts, alone.series) == (("Rising",), 1)


def test_a_broken_expectation_is_refused(course: Course, tmp_path: Path) -> None:
    """Where the drill saw another course than promtool, the difference is told and nothing is written."""
    rules, test = rules_in(tmp_path, RULES), tmp_path / "x.test.yml"
    late = replace(course.lives["TooHigh"][0], fired_at=course.lives["TooHigh"][0].active_at + 60.0)
    with pytest.raises(NotAsDrilled, match=r"TooHigh at 6m: firing in the drill nothing, in promtool \{job=\"a\""):
        export(replace(course, lives={**course.lives, "TooHigh": (late,)}), [rules], test)
    with pytest.raises(NotAsDrilled, match=r"TooHigh at .*firing in the drill nothing"):
        export(replace(course, lives={**course.lives, "TooHigh": ()}), [rules], test)
    assert [path.name for path in tmp_path.iterdir()] == ["rules.yml"]


def test_a_file_that_was_tampered_with_fails(course: Course, tmp_path: Path) -> None:
    """The file is a test: with another threshold, or another annotation, promtool does not pass it."""
    test = tmp_path / "x.test.yml"
    made = export(course, [rules_in(tmp_path, RULES)], test)
    for wrong in (RULES.replace("> 2", "> 4"), RULES.replace("is at", "was at"), RULES.replace("for: 30s", "for: 60s")):
        rules_in(tmp_path, wrong)
        written(made, test)
        with pytest.raises(PromtoolRefused):
            promtool.test(test)


@pytest.mark.parametrize("version", [2, 3])
def test_both_kinds_of_file_are_passed_by_the_promtool_at_hand(
    course: Course, tmp_path: Path, version: Promtool
) -> None:
    """For 3 the file has a start, samples between the evaluations and buckets as it stores them; 2 passes the rest."""
    test = tmp_path / "x.test.yml"
    made = export(course, [rules_in(tmp_path, RULES)], test, for_promtool=version)
    document = written(made, test)
    group = document["tests"][0]  # type: ignore[index]
    series = {one["series"] for one in group["input_series"]}
    assert ('x{job="a", le="1.0", path="C:\\\\dir"}' in series) == (version == 3)
    assert group["interval"] == ("15s" if version == 2 else "7s500ms")
    if version == 3:
        assert group.pop("start_timestamp") == "2025-12-31T23:59:00Z"  # a minute of room before the first sample
        assert "Not tried" in made.text
        test.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    assert "SUCCESS" in promtool.test(test)


def test_rules_that_promtool_cannot_read_are_written_beside_the_test(course: Course, tmp_path: Path) -> None:
    """A PrometheusRule resource comes as a plain copy of what is needed of it."""
    indented = "\n".join(f"  {line}" for line in RULES.splitlines())
    resource = f"apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata: {{name: x}}\nspec:{indented}\n"
    test = tmp_path / "x.test.yml"
    made = export(course, [rules_in(tmp_path, resource)], test, alerts=["Gone"])
    ((name, text),) = made.rules
    assert name == "x.rules.yml"
    assert "Gone" in text
    assert "TooHigh" not in text
    assert not (tmp_path / name).exists()
    written(made, test)
    assert "SUCCESS" in promtool.test(test)


def test_another_interval_and_the_time_of_day_are_told(judge: Judge, tmp_path: Path) -> None:
    """Promtool has one interval and begins in 1970: what that leaves out, or moves, is said."""
    text = """
groups:
  - {name: usual, rules: [{alert: High, expr: x > 2, for: 30s}, {alert: Other, expr: x > 90}]}
  - {name: slow, interval: 1m, rules: [{alert: Slow, expr: x > 2, for: 1m}, {alert: Late, expr: hour() > 99}]}
"""
    rules = rules_in(tmp_path, text)
    course = judged(judge, rules, {"x": "1x19 3x12 1x8"})
    test = tmp_path / "x.test.yml"
    made = export(course, [rules], test)
    assert made.alerts == ("High", "Other", "Slow")
    assert any(note.startswith("Slow is evaluated every 1m, here every 15s") for note in made.notes)
    assert any(note.startswith("Late is not tested: it asks for the time") for note in made.notes)
    assert all(f"# Note: {note}" in made.text for note in made.notes)
    assert any(cases(written(made, test), "Slow").values())
    with pytest.raises(NothingToExport, match="Late is not tested"):
        export(course, [rules], test, alerts=["Late"])


def test_says_what_cannot_be_exported(course: Course, judge: Judge, tmp_path: Path) -> None:
    """Unknown alerts, series that no rule selects and ranges beyond promtool's limit are refused with the reason."""
    test = tmp_path / "x.test.yml"
    rules = rules_in(tmp_path, RULES)
    with pytest.raises(NothingToExport, match=r"the rules have no alert Nope; they have: TooHigh, Gone, Rising"):
        export(course, [rules], test, alerts=["Nope"])
    other = rules_in(tmp_path, "groups: [{name: g, rules: [{alert: A, expr: z > 1}]}]", "other.yml")
    with pytest.raises(NothingToExport, match="none of its series is selected"):
        export(course, [other], test)
    many = "groups: [{name: g, rules: [{alert: Many, expr: 'sum_over_time(x[1h:100ms]) < 0'}]}]"
    rules = rules_in(tmp_path, many, "many.yml")
    with pytest.raises(NotExportable, match=r"10,000 samples.*Many"):
        export(judged(judge, rules, {"x": "1x80"}, lasts_s=1200.0), [rules], test)
    assert not test.exists()
