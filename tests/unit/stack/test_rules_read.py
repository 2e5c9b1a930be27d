"""Rule files read and written: nothing is lost, and errors say where."""

from __future__ import annotations

from pathlib import Path

import pytest

from stack.rules import promtool
from stack.rules.errors import BadRuleFile, PromtoolRefused
from stack.rules.read import AlertingRule, RecordingRule, RuleFile, RuleGroup, load_rules, read_rules
from stack.rules.write import write_rules

WHOLE = """
groups:
  - name: one
    interval: 30s
    limit: 7
    rules:
      - alert: A
        expr: |
          up == 0
          or absent(up)
        for: 1m30s
        keep_firing_for: 5m
        labels: {severity: critical, level: 3}
        annotations:
          summary: "it is {{ $value }}"
      - record: job:x:rate5m
        expr: sum by (job) (rate(x[5m]))
        labels: {kind: rate}
  - name: empty
"""


def test_every_field_is_read() -> None:
    """Durations become seconds, texts stay texts, lines are counted from 1."""
    rules = read_rules(WHOLE, Path("whole.yml"))
    alert = AlertingRule(
        "A",
        "up == 0\nor absent(up)",
        90.0,
        300.0,
        {"severity": "critical", "level": "3"},
        {"summary": "it is {{ $value }}"},
        7,
    )
    recording = RecordingRule("job:x:rate5m", "sum by (job) (rate(x[5m]))", {"kind": "rate"}, 16)
    one = RuleGroup("one", (alert, recording), 30.0, None, 7)
    assert rules == RuleFile(Path("whole.yml"), (one, RuleGroup("empty", ())))
    assert rules.alerts == (alert,)


def test_what_is_written_is_read_again_and_promtool_takes_it(tmp_path: Path) -> None:
    """Only the line numbers may differ, and the first line says where it came from."""
    rules = read_rules(WHOLE, Path("whole.yml"))
    path = tmp_path / "again.yml"
    path.write_text(write_rules(rules, "whole.yml"), encoding="utf-8")
    again = load_rules(path)
    assert write_rules(again, "whole.yml") == path.read_text(encoding="utf-8")
    assert [group.name for group in again.groups] == ["one", "empty"]
    assert again.groups[0].rules[1].expr == "sum by (job) (rate(x[5m]))"
    assert path.read_text(encoding="utf-8").startswith("# rendered from whole.yml\n")
    assert "2 rules found" in promtool.check(path)


@pytest.mark.parametrize(
    ("text", "line", "found"),
    [
        ("", 0, "it is empty"),
        ("- a\n", 1, "this is a list"),
        ("groups: 3\n", 1, "this is a text"),
        ("group: []\n", 1, "unknown key 'group'"),
        ("groups:\n  - rules: []\n", 2, "there is no `name` here"),
        ("groups:\n  - name: a\n    every: 5m\n", 3, "unknown key 'every'"),
        ("groups:\n  - name: a\n    interval: 5 minutes\n", 3, "'5 minutes' is no duration"),
        ("groups:\n  - name: a\n    rules:\n      - expr: up\n", 4, "both or none"),
        ("groups:\n  - name: a\n    rules:\n      - {alert: A, record: a, expr: up}\n", 4, "both or none"),
        ("groups:\n  - name: a\n    rules:\n      - alert: A\n", 4, "there is no `expr` here"),
        ("groups:\n  - name: a\n    rules:\n      - alert: A\n        expr: ''\n", 5, "this is empty"),
        ("groups:\n  - name: a\n    rules:\n      - {record: a, expr: up, for: 1m}\n", 4, "unknown key 'for'"),
        ("groups:\n  - name: a\n    rules:\n      - alert: A\n        expr: up\n        for: soon\n", 6, "'soon'"),
        ("groups:\n  - name: a\n    rules:\n      - alert: A\n        expr: up\n        expr: up\n", 6, "there twice"),
        ("groups:\n  - name: a\n  - name: a\n", 3, "group 'a' is there twice"),
        ("groups:\n  - name: a\n    labels: [x]\n", 3, "this is a list"),
        ("groups:\n  - name: [\n", 3, "it is not YAML"),
        ("groups: !!python/object:os.system {}\n", 1, "this is a mapping"),
    ],
)
def test_errors_name_file_line_and_what_was_expected(text: str, line: int, found: str) -> None:
    """A reader who follows the message finds the place."""
    with pytest.raises(BadRuleFile) as bad:
        read_rules(text, Path("rules/bad.yml"))
    assert bad.value.line == line
    assert found in bad.value.found
    assert str(bad.value).startswith(f"rules/bad.yml:{line}" if line else "rules/bad.yml: ")
    assert "; expected " in str(bad.value)


def test_a_file_that_is_not_there_or_not_text_says_so(tmp_path: Path) -> None:
    """Neither ends in a traceback of the operating system."""
    with pytest.raises(BadRuleFile, match="no such file"):
        load_rules(tmp_path / "none.yml")
    binary = tmp_path / "binary.yml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadRuleFile, match="cannot be read"):
        load_rules(binary)


def test_promtool_says_what_it_does_not_like(tmp_path: Path) -> None:
    """Its own words are in the error."""
    path = tmp_path / "bad.yml"
    path.write_text("groups: [{name: a, rules: [{alert: A, expr: 'sum('}]}]", encoding="utf-8")
    with pytest.raises(PromtoolRefused, match=r"promtool check rules refused .*bad.yml"):
        promtool.check(path)
