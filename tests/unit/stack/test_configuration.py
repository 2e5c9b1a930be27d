"""What is rendered for Prometheus and Alertmanager, as they themselves judge it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from stack.configuration import RULES_DIR, ExternalLabels, render
from stack.endpoints import Endpoints
from stack.home import Home
from stack.pace import PACES, PRODUCTION, WORKSHOP, Pace
from stack.provision import find_program
from stack.rules import promtool
from stack.rules.errors import BadRuleFile, UnscalableExpression
from stack.rules.read import load_rules

ENDPOINTS = Endpoints(2000)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Return an empty home."""
    return Home(tmp_path / "home")


@pytest.mark.parametrize("pace", PACES.values(), ids=lambda pace: pace.name)
def test_prometheus_and_alertmanager_accept_what_is_rendered(home: Home, pace: Pace) -> None:
    """Promtool checks the configuration with every rule file in it, amtool the routes."""
    rendered = render(home, ENDPOINTS, pace)
    assert f"{len([*RULES_DIR.glob('*.yml')])} rule files found" in promtool.check_config(rendered.prometheus)
    amtool = [str(find_program("amtool")), "check-config", str(rendered.alertmanager)]
    done = subprocess.run(amtool, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 receivers" in done.stdout


def test_the_workshop_is_fifteen_times_as_fast(home: Home) -> None:
    """Intervals, timers and rules follow one factor; the scrape timeout is never longer than the interval."""
    rendered = render(home, ENDPOINTS, WORKSHOP)
    prometheus = yaml.safe_load(rendered.prometheus.read_text())["global"]
    route = yaml.safe_load(rendered.alertmanager.read_text())["route"]
    assert [prometheus[f"{key}"] for key in ("scrape_interval", "scrape_timeout", "evaluation_interval")] == ["1s"] * 3
    assert (route["group_wait"], route["group_interval"], route["repeat_interval"]) == ("2s", "4s", "16m")
    rules = {rule.name: rule for path in rendered.rules for rule in load_rules(path).alerts}
    assert rules["HighErrorRate"].for_s == 20.0
    assert "[20s]" in rules["HighErrorRate"].expr


def test_production_is_as_written(home: Home) -> None:
    """Rules are the source's own, and a scrape may take ten of the fifteen seconds."""
    rendered = render(home, ENDPOINTS, PRODUCTION)
    prometheus = yaml.safe_load(rendered.prometheus.read_text())["global"]
    route = yaml.safe_load(rendered.alertmanager.read_text())["route"]
    assert (prometheus["scrape_interval"], prometheus["scrape_timeout"]) == ("15s", "10s")
    assert (route["group_wait"], route["group_interval"], route["repeat_interval"]) == ("30s", "1m", "4h")
    for path in rendered.rules:
        written = load_rules(path).alerts
        source = load_rules(RULES_DIR / path.name).alerts
        assert [(rule.name, rule.expr, rule.for_s) for rule in written] == [
            (rule.name, rule.expr, rule.for_s) for rule in source
        ]


def test_everything_points_at_this_stack(home: Home) -> None:
    """Targets, Alertmanager and webhook have the stack's ports; the webhook's token comes from the home's file."""
    rendered = render(home, ENDPOINTS, WORKSHOP, labels=ExternalLabels("east", "test"))
    prometheus = yaml.safe_load(rendered.prometheus.read_text())
    targets = {each["job_name"]: each["static_configs"][0]["targets"] for each in prometheus["scrape_configs"]}
    assert targets["firedrill"] == ["127.0.0.1:10000"]
    assert set(targets) == {"firedrill", "prometheus", "alertmanager", "tracestore", "node"}
    assert prometheus["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] == ["127.0.0.1:11093"]
    assert prometheus["global"]["external_labels"] == {"cluster": "east", "environment": "test"}
    (receiver,) = yaml.safe_load(rendered.alertmanager.read_text())["receivers"]
    (webhook,) = receiver["webhook_configs"]
    assert webhook["url"] == "http://127.0.0.1:10700/webhook/alertmanager"
    assert webhook["send_resolved"] is True
    token_file = webhook["http_config"]["authorization"]["credentials_file"]
    assert Path(token_file).read_text() == home.token()
    assert home.token() not in rendered.alertmanager.read_text()


def test_every_replica_is_scraped_at_its_own_port(home: Home) -> None:
    """Of three workers the one job has three targets; promtool takes it, and no other job changes."""
    rendered = render(home, ENDPOINTS, WORKSHOP, workers=3)
    promtool.check_config(rendered.prometheus)
    jobs = yaml.safe_load(rendered.prometheus.read_text())["scrape_configs"]
    targets = {each["job_name"]: each["static_configs"][0]["targets"] for each in jobs}
    assert targets["firedrill"] == ["127.0.0.1:10620", "127.0.0.1:10621", "127.0.0.1:10622"]
    assert all(len(given) == 1 for job, given in targets.items() if job != "firedrill")


def test_external_labels_come_from_the_environment(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any they are the defaults; an empty one counts as none."""
    monkeypatch.setenv("FIREDRILL_CLUSTER", "west")
    monkeypatch.setenv("FIREDRILL_ENVIRONMENT", "")
    prometheus = yaml.safe_load(render(home, ENDPOINTS, WORKSHOP).prometheus.read_text())
    assert prometheus["global"]["external_labels"] == {"cluster": "west", "environment": "drill"}


def test_rendering_again_leaves_one_consistent_set(home: Home, tmp_path: Path) -> None:
    """Rule files that are gone from the source go, nothing half-written stays, and every file names its source."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "a.yml").write_text("groups: [{name: a, rules: [{alert: A, expr: up == 0}]}]")
    (source / "b.yml").write_text("groups: [{name: b, rules: [{alert: B, expr: up == 0}]}]")
    first = render(home, ENDPOINTS, WORKSHOP, rules_dir=source)
    (source / "b.yml").unlink()
    second = render(home, ENDPOINTS, PRODUCTION, rules_dir=source)
    assert [path.name for path in first.rules] == ["a.yml", "b.yml"]
    assert [path.name for path in second.rules] == ["a.yml"]
    assert sorted(path.name for path in home.run.rglob("*") if path.is_file()) == sorted(
        ["a.yml", "alertmanager.yml", "prometheus.yml", "token"]
    )
    for path in (*second.rules, second.prometheus, second.alertmanager):
        assert path.read_text().startswith("# rendered from ")
        assert "at pace production" in path.read_text().splitlines()[0]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("groups: [{name: a, rules: [{alert: A, expr: 'predict_linear(x[1h], 60) < 0'}]}]", UnscalableExpression),
        ("groups: [{name: a, rules: [{alert: A}]}]", BadRuleFile),
    ],
)
def test_a_bad_rule_changes_nothing(home: Home, tmp_path: Path, text: str, error: type[Exception]) -> None:
    """What ran before runs on with the files that it has."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "a.yml").write_text("groups: [{name: a, rules: [{alert: A, expr: up == 0}]}]")
    render(home, ENDPOINTS, WORKSHOP, rules_dir=source)
    before = {path: path.read_text() for path in home.run.rglob("*") if path.is_file()}
    (source / "b.yml").write_text(text)
    with pytest.raises(error, match=r"b\.yml|of rule A"):
        render(home, ENDPOINTS, WORKSHOP, rules_dir=source)
    assert {path: path.read_text() for path in home.run.rglob("*") if path.is_file()} == before
