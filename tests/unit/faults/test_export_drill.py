"""A drill on a virtual clock becomes a unit test: the command writes a file that promtool passes, or says why not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from faults.drills.errors import DrillError
from faults.drills.export.errors import NotExportable
from panel.cli import application
from panel.commands.console import CommandError
from stack.rules import promtool

DRILL = """
version: 1
name: short-burst
title: A short burst of errors
seed: 3
traffic: {rate: 0.5, models: {iris: 1}}
faults: [{kind: error, parameters: {mode: status, status: 503}, ttl: 10m}]
expect: [{alert: Errors, firing_within: 2m, delivered_within: 10s, resolved_within: 2m}]
"""
RULES = """
groups:
  - name: mine
    rules:
      - alert: Errors
        expr: sum(rate(http_requests_total{status=~"5.."}[1m])) / sum(rate(http_requests_total[1m])) > 0.5
        for: 30s
        annotations:
          summary: "{{ $value | humanizePercentage }} fail, {{ with query \\"up\\" }}{{ len . }} target{{ end }}"
      - {alert: Down, expr: up == 0}
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, trained: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a home without a stack, whose models are trained, and work in a folder beside it."""
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "artifacts").symlink_to(trained)
    monkeypatch.setenv("FIREDRILL_HOME", str(folder))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yml").write_text(RULES, encoding="utf-8")
    (tmp_path / "short-burst.yaml").write_text(DRILL, encoding="utf-8")
    return folder


def export(*arguments: str) -> str:
    """Return what ``firedrill drill export`` prints; raise what it raises."""
    done = CliRunner().invoke(application(), ["drill", "export", *arguments])
    if done.exception is not None:
        raise done.exception
    return done.output


def test_a_virtual_drill_is_written_as_a_test_that_promtool_passes(tmp_path: Path) -> None:
    """The alert is quiet before the fault, pending, fires and is over, with what its templates make of the values."""
    said = export("short-burst.yaml", "--rules", "mine.yml", "--out", "burst.test.yml")
    assert "wrote burst.test.yml" in said
    assert "promtool passed it" in said
    test = tmp_path / "burst.test.yml"
    assert "SUCCESS" in promtool.test(test)
    document = yaml.safe_load(test.read_text(encoding="utf-8"))
    assert document["rule_files"] == ["mine.yml"]
    (group,) = document["tests"]
    states = [bool(one["exp_alerts"]) for one in group["alert_rule_test"] if one["alertname"] == "Errors"]
    assert states[0] is states[-1] is False
    assert states.count(True) >= 2
    assert {one["alertname"] for one in group["alert_rule_test"]} == {"Errors"}
    fired = [one["exp_alerts"][0] for one in group["alert_rule_test"] if one["exp_alerts"]]
    summaries = [one["exp_annotations"]["summary"] for one in fired]
    assert all(re.fullmatch(r"[\d.]+% fail, [1-9] target", one) for one in summaries), "a template asks for `up`"
    assert group["promql_expr_test"]
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix == ".yml") == ["burst.test.yml", "mine.yml"]


def test_an_alert_that_never_fires_is_no_test(tmp_path: Path) -> None:
    """What a drill expects has to have happened; else the way to find out why is named."""
    (tmp_path / "mine.yml").write_text(RULES.replace("> 0.5", "> 1.5"), encoding="utf-8")
    with pytest.raises(NotExportable, match=r"Errors did not fire, as the drill expects; .*--virtual"):
        export("short-burst.yaml", "--rules", "mine.yml")


@pytest.mark.parametrize(
    ("arguments", "problem", "said"),
    [
        (["no-such-drill"], CommandError, "no drill is named 'no-such-drill', and no stack runs here"),
        (["no-such-file.yaml"], DrillError, "no-such-file.yaml"),
        (["error-burst", "--alert", "A", "--all"], CommandError, "give one of the two"),
        (["error-burst", "--out", "nowhere/x.yml"], CommandError, "there is no folder nowhere"),
        (["budget-drain"], NotExportable, "more history than promtool loads at once"),
        (["1797bd00fcd8", "--seed", "1"], CommandError, "belong to virtual drills"),
    ],
)
def test_what_cannot_be_exported_is_said(arguments: list[str], problem: type[Exception], said: str) -> None:
    """Names that nobody knows, options that exclude each other and drills with days of history are refused."""
    with pytest.raises(problem, match=said):
        export(*arguments)
