"""``firedrill check`` as a person runs it: a small rule file and one fault, for real; and all bad input."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from io import StringIO
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console

from faults.drills.check.result import CheckResult
from panel.cli import main
from panel.commands.check_table import draw

ROOT = Path(__file__).parents[3]
RULES = """\
groups:
  - name: small
    rules:
      - record: job:errors:share
        expr: |
          sum by (job) (rate(http_requests_total{job="firedrill", endpoint="/predict/{model}", status=~"5.."}[2m]))
          / sum by (job) (rate(http_requests_total{job="firedrill", endpoint="/predict/{model}"}[2m]))
      - alert: Errors
        expr: job:errors:share > 0.05 or absent(up{job="firedrill"})
        for: 2m
        labels: {severity: page}
      - alert: TooMany
        expr: job:errors:share > 0.98
      - alert: BusyAtAll
        expr: sum(rate(http_requests_total{job="firedrill"}[2m])) > 0
      - alert: Never
        expr: job:errors:share > 0.5 and job:errors:share < 0.1
      - alert: OtherPeoples
        expr: sum(rate(predictions_total[2m])) == 0
      - alert: NobodysAtAll
        expr: absent(somebody_elses_series)
      - alert: Weekly
        expr: avg_over_time(job:errors:share[1w]) > 0.5
"""
LINES = """\
false alarm  BusyAtAll, not quiet without a fault
cannot fire  Never, quiet without a fault
did not fire here  TooMany, quiet without a fault
insufficient history  Weekly
not covered  OtherPeoples
not covered  NobodysAtAll
fires  Errors, quiet without a fault
"""


def firedrill(home: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run ``check`` beside no stack."""
    surroundings = {**os.environ, "PYTHONPATH": str(ROOT), "FIREDRILL_HOME": str(home), "COLUMNS": "200", **environment}
    command = [sys.executable, "-m", "panel.cli", "check", *arguments]
    return subprocess.run(command, env=surroundings, capture_output=True, text=True, timeout=200, check=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, trained: Path) -> Path:
    """Return a home with trained models and a rule file."""
    folder = tmp_path_factory.mktemp("check")
    (folder / "artifacts").symlink_to(trained)
    (folder / "rules.yml").write_text(RULES)
    return folder


@pytest.fixture(scope="module")
def done(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run it once, with every form of output."""
    files = ("--html", str(folder / "page.html"), "--junit", str(folder / "suite.xml"))
    tried = ("--faults", "error (exception)", "--for", "20m", "--no-cache", "--jobs", "1", "--seed", "3")
    return firedrill(folder, str(folder / "rules.yml"), *tried, *files, "--json")


@pytest.fixture(scope="module")
def result(done: subprocess.CompletedProcess[str]) -> CheckResult:
    """Return what it printed."""
    assert done.returncode == 1, done.stderr
    return CheckResult.model_validate_json(done.stdout)


def test_the_report_in_the_terminal_is_what_it_was(result: CheckResult) -> None:
    """Worst first, one verdict each, with what it rests on; times are ranges over the tries."""
    screen = Console(file=StringIO(), width=100, no_color=True)
    screen.print(draw(result, width=100))
    text = screen.file.getvalue()  # type: ignore[attr-defined]
    lines = [line.rstrip() for line in text.splitlines()]
    assert [line for line in lines if line in LINES.splitlines()] == LINES.splitlines()
    fires = lines[lines.index("fires  Errors, quiet without a fault") + 1]
    assert re.fullmatch(
        r"  error \(exception\) (2\.\d–\d\.\d min|1\d\d–1\d\d s); resolved \d.*\d (s|min) after its end", fires
    ), fires
    assert any("`job:errors:share` came to 0." in line for line in lines)
    assert any("the dialect mlops has them: try --dialect mlops" in line for line in lines)
    assert any("docs/checks/never-true.md" in line for line in lines)
    assert re.search(r"tried: 1 fault and a steady state, 20 min 00 s of virtual time in 6\s+tries each", text)
    whole = " ".join(text.split())
    assert "1 fires, 2 not covered, 1 insufficient history, 1 did not fire here, 1 cannot fire, 1 false alarm" in whole


def test_json_has_what_each_verdict_rests_on(result: CheckResult) -> None:
    """The responses in every scenario, the nearest value with its threshold, and how far a rule looks back."""
    alerts = {alert.place.rule: alert for alert in result.alerts}
    burst = next(one for one in alerts["Errors"].responses if one.scenario == "error (exception)")
    assert (burst.fired, burst.tries, burst.already, burst.resolved) == (6, 6, False, True)
    assert burst.detection_s is not None
    assert 120.0 <= burst.detection_s.least <= burst.detection_s.most <= 180.0
    assert burst.told_s is not None
    assert burst.told_s.least == pytest.approx(burst.detection_s.least + 30.0)
    near = next(one for one in alerts["TooMany"].responses if one.scenario == "error (exception)").closest
    assert near is not None
    assert 0.8 < near.value < 0.98
    assert (near.operator, near.threshold) == (">", 0.98)
    assert alerts["Weekly"].window_s == 7 * 86400.0 + 120.0
    assert alerts["Errors"].place.line == 8
    assert result.seeds == [3]
    assert result.engine.startswith("Prometheus ")


def test_junit_and_html_are_written(done: subprocess.CompletedProcess[str], folder: Path) -> None:
    """A case for each alert, failed by what --fail-on asks for; a page without a script or an address."""
    suite = ET.parse(folder / "suite.xml").getroot().find("testsuite")  # noqa: S314 - written by this test
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("7", "2", "3")
    failed = {case.get("name"): case[0].get("type") for case in suite if case.find("failure") is not None}
    assert failed == {"BusyAtAll": "noisy", "Never": "cannot-fire"}
    page = (folder / "page.html").read_text()
    assert "<script" not in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert page.count("false alarm") >= 2
    assert "TooMany" in page
    assert json.loads(done.stdout)["format"] == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("none.yml",), "none.yml: there is no such file"),
        (("rules.yml", "--faults", "eror"), "no fault named 'eror'; did you mean error"),
        (("rules.yml", "--faults", " , "), "--faults: name faults"),
        (("rules.yml", "--for", "1h30"), "--for 1h30: "),
        (("rules.yml", "--for", "10s"), "--for 10s: expected from 5m to 6h"),
        (("rules.yml", "--fail-on", "nosiy"), "did you mean noisy"),
        (("rules.yml", "--fail-on", "never,error"), "`never` stands alone"),
        (("rules.yml", "--dialect", "mlop"), "mlop"),
        (("rules.yml", "--complete"), "--complete is about --inventory FILE or --from URL"),
        (("rules.yml", "--from", "http://127.0.0.1:9", "--faults", "error"), "tries nothing"),
        (("rules.yml", "--from", "http://127.0.0.1:9"), "no Prometheus answers at http://127.0.0.1:9"),
        (("rules.yml", "--inventory", "none.txt"), "there is no such file"),
        (("rules.yml", "--inventory", "rules.yml"), "expected what an endpoint /metrics answers with"),
        (("broken.yml",), "broken.yml:1:51: A: unexpected end of input; expected a PromQL expression"),
        (("large.yml",), "it has 50 MiB"),
    ],
)
def test_bad_input_is_one_clear_message(
    folder: Path,
    arguments: tuple[str, ...],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit status 2, no traceback, and nothing was tried."""
    (folder / "broken.yml").write_text("groups: [{name: a, rules: [{alert: A, expr: 'up =='}]}]")
    with (folder / "large.yml").open("wb") as stream:
        stream.truncate(50 * 1024 * 1024)
    given = [str(folder / one) if one.endswith((".yml", ".txt")) else one for one in arguments]
    monkeypatch.setattr(sys, "argv", ["firedrill", "check", *given])
    monkeypatch.setenv("FIREDRILL_HOME", str(folder))
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    told = capsys.readouterr()
    assert not told.out
    assert said in told.err
