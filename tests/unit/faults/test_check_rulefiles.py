"""Rule files of a check: found, read, and refused with file, line and column where Prometheus would not load them."""

from __future__ import annotations

from pathlib import Path

import pytest

from faults.drills.check.errors import BadRules, NoAlerts, NoSuchRules
from faults.drills.check.rulefiles import find_rule_files, load_rule_files
from stack.provision import ProgramMissing
from stack.rules.errors import BadRuleFile
from stack.rules.read import MAX_BYTES, load_rules

GOOD = """\
groups:
  - name: a
    rules:
      - alert: Down
        expr: up == 0
"""
RESOURCE = """\
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata: {{name: {name}}}
spec:
  groups:
    - name: {name}
      rules:
        - alert: Down
          expr: up == 0
"""
BROKEN = """\
groups:
  - name: a
    rules:
      - alert: Folded
        expr: >-
          sum(rate(x[5m]))
          by > > 1
      - alert: Block
        expr: |

          # what is asked
          sum(rate(x[5m])) by (
            job
          ) > > 1
      - alert: Quoted
        expr: "nosuch(up{job=\\"a\\"}) > 1"
      - alert: BreaksOff
        expr: sum(rate(x[5m]) >
        for: 5m
      - alert: Template
        expr: up == 0
        annotations: {summary: "{{ $labels.job"}
      - alert: Label
        expr: up == 0
        labels: {a-b: c}
"""


def test_files_folders_and_patterns_are_found_once_each(tmp_path: Path) -> None:
    """A file that is named twice is checked once; other suffixes of a folder are left alone."""
    deep = tmp_path / "team"
    deep.mkdir()
    for path in (tmp_path / "b.yml", tmp_path / "a.yaml", deep / "c.rules", deep / "notes.md"):
        path.write_text(GOOD)
    names = [path.name for path in find_rule_files([str(tmp_path / "b.yml"), str(tmp_path), str(tmp_path / "*.y*ml")])]
    assert names == ["b.yml", "a.yaml", "c.rules"]


@pytest.mark.parametrize(
    ("given", "said"),
    [("none.yml", "no such file"), ("n*.yml", "no file fits"), (".", "has no file that ends in .yml")],
)
def test_what_leads_to_no_file_is_said(tmp_path: Path, given: str, said: str) -> None:
    """A misspelt path is no empty check that passes."""
    with pytest.raises(NoSuchRules, match=said):
        find_rule_files([str(tmp_path / given)])


def test_every_problem_is_told_with_its_place_in_the_file(tmp_path: Path) -> None:
    """Whatever way YAML wrote the expression in, line and column are those of the file."""
    file = tmp_path / "broken.yml"
    file.write_text(BROKEN)
    with pytest.raises(BadRules) as refused:
        load_rule_files([str(file)])
    found = {problem.removeprefix(f"{file}:").partition(";")[0] for problem in refused.value.problems}
    lines = BROKEN.splitlines()

    def column(line: int, word: str, skip: int = 0) -> str:
        return f"{line}:{lines[line - 1].index(word, skip) + 1}"

    assert f'{column(7, ">", 12)}: Folded: unexpected <op:>> in grouping opts, expected "("' in found
    assert any(one.startswith(f"{column(14, '> 1')}: Block: unexpected <op:>>") for one in found), found
    assert f'{column(16, "nosuch")}: Quoted: unknown function with name "nosuch"' in found
    assert any(one.startswith(f"18:{len(lines[17]) + 1}: BreaksOff: ") for one in found), found
    assert '20: Template: the template of annotation "summary" does not parse: unclosed action' in found
    assert "23: Label: invalid label name: a-b" in found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it is empty; expected `groups:`"),
        ("# nothing\n", "it is empty"),
        ("groups:\n  - name: a\n   rules: []\n", ":3:4: it is not YAML"),
        ("groups: [{name: a, rules: []}, {name: a, rules: []}]", ":1:32: group 'a' is there twice"),
        ("groups: [{name: a, rules: [{alert: A, expr: up, foo: 1}]}]", ":1:49: unknown key 'foo'; expected one of"),
        (f"{GOOD}---\n{GOOD}", ":7:1: a second YAML document begins here"),
        ("? [a, b]\n: c\n", "unknown key"),
        ("[" * 5000, "expected a Prometheus rule file"),
    ],
)
def test_what_is_no_rule_file_is_refused_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    """Never a traceback, and always what was expected."""
    file = tmp_path / "a.yml"
    file.write_text(text)
    with pytest.raises(BadRules) as refused:
        load_rule_files([str(file)])
    assert said in str(refused.value)
    assert "expected" in str(refused.value)


def test_problems_of_several_files_are_told_together(tmp_path: Path) -> None:
    """Nobody mends one file only to hear of the next."""
    (tmp_path / "a.yml").write_text("groups: 3\n")
    (tmp_path / "b.yml").write_text(GOOD.replace("up == 0", "up =="))
    (tmp_path / "c.yml").write_text(GOOD)
    with pytest.raises(BadRules) as refused:
        load_rule_files([str(tmp_path)])
    assert [Path(problem.partition(":")[0]).name for problem in refused.value.problems] == ["a.yml", "b.yml"]


def test_rules_without_an_alert_are_refused(tmp_path: Path) -> None:
    """Recording rules beside alerts are needed, and alone there is nothing to say a verdict on."""
    file = tmp_path / "a.yml"
    file.write_text("groups: [{name: a, rules: [{record: x, expr: up}]}]")
    with pytest.raises(NoAlerts, match="only 1 recording rule"):
        load_rule_files([str(file)])
    (tmp_path / "b.yml").write_text(GOOD.replace("name: a", "name: b"))
    assert len(load_rule_files([str(tmp_path)])) == 2


def test_a_large_file_is_refused_by_its_size(tmp_path: Path) -> None:
    """It is not even opened: a file of holes costs nothing to make, and nothing to refuse."""
    file = tmp_path / "large.yml"
    with file.open("wb") as stream:
        stream.truncate(50 * 1024 * 1024)
    with pytest.raises(BadRuleFile, match=rf"it has 50 MiB; .*at most {MAX_BYTES // 1024 // 1024} MiB"):
        load_rules(file)


def test_several_resources_of_one_manifest_are_one_file(tmp_path: Path) -> None:
    """As `kubectl` takes them; a group of a newer Prometheus is not refused for what promtool does not know."""
    file = tmp_path / "manifest.yaml"
    newer = RESOURCE.format(name="b").replace(
        "      rules:", "      query_offset: 1m\n      labels: {team: x}\n      rules:"
    )
    file.write_text(f"---\n{RESOURCE.format(name='a')}---\n{newer}")
    (found,) = load_rule_files([str(file)])
    assert [group.name for group in found.groups] == ["a", "b"]
    assert [rule.line for rule in found.alerts] == [9, 21]


def test_a_missing_promtool_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to do about it."""
    file = tmp_path / "a.yml"
    file.write_text(GOOD)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("FIREDRILL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FIREDRILL_OFFLINE", "1")
    with pytest.raises(ProgramMissing, match=r"promtool not found; .*apt-get install prometheus"):
        load_rule_files([str(file)])
