"""The user's own rules: what is found, what is rendered of it as both programs judge it, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from stack.endpoints import Endpoints
from stack.home import Home
from stack.own.alertmanager import check_alertmanager, scaled_alertmanager
from stack.own.choice import choose_own
from stack.own.configuration import render_own
from stack.own.dialects import BUILT_IN, find_dialect
from stack.own.errors import (
    AlertmanagerRefused,
    BadDialect,
    OwnError,
    RuleRefused,
    RulesMissing,
    RulesNeeded,
    UnknownDialect,
)
from stack.pace import PRODUCTION, WORKSHOP, Pace
from stack.plan import OwnRules, Plan
from stack.rules import promtool
from stack.rules.errors import BadRuleFile
from stack.rules.read import load_rules

PLAIN = "groups: [{name: a, rules: [{alert: A, expr: 'rate(x_total[5m]) > 1', for: 5m}]}]"
RESOURCE = """
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata: {name: shop, labels: {release: prometheus}}
spec:
  groups:
    - name: b
      interval: 30s
      rules: [{record: 'job:x:rate5m', expr: 'sum by (job) (rate(x_total[5m]))'}]
"""
SHOP = """
schema: 1
name: shop
job: checkout
target_labels: {team: checkout}
metrics: {shop_requests_total: {from: http_requests_total}}
"""
ALERTMANAGER = """
global: {slack_api_url_file: secrets/slack}
templates: ['templates/*.tmpl']
route:
  receiver: chat
  group_wait: 15s
  routes:
    - {receiver: page, matchers: [severity="page"], repeat_interval: 1h}
receivers:
  - name: chat
    slack_configs: [{channel: '#alerts'}]
  - name: page
    webhook_configs:
      - url: http://127.0.0.1:9/page
        http_config: {authorization: {credentials_file: /etc/page.token}}
    pagerduty_configs:
      - {routing_key_file: page.key, details: {log_file: app.log}}
"""


def plan(tmp_path: Path, own: OwnRules | None, pace: Pace = WORKSHOP) -> Plan:
    """Return the plan of a stack with rules of the user's."""
    return Plan(Home(tmp_path / "home"), Endpoints(2000), pace, traffic=True, own=own)


def written(folder: Path, name: str, text: str) -> Path:
    """Write a file of the user's and return it."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def rendered(given: Plan) -> dict[str, Any]:
    """Render ``given`` and return the second Prometheus's configuration, which promtool has accepted."""
    render_own(given)
    path = given.home.run / "own" / "prometheus.yml"
    promtool.check_config(path)
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


def test_files_and_patterns_are_found_each_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pattern gives its files by name, a file named twice is one; relative ones start where the user is."""
    a, b = (written(tmp_path, name, PLAIN) for name in ("a.yml", "b.yml"))
    odd = written(tmp_path, "odd[1].yml", PLAIN)
    monkeypatch.chdir(tmp_path)
    own = choose_own([str(b), "?.yml", "odd[1].yml"], None, None)
    assert own == OwnRules((b, a, odd))
    assert choose_own([], None, None) is None


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ((["none.yml"], None, None), RulesMissing, "--rules none.yml: there is no such file"),
        ((["none/*.yml"], None, None), RulesMissing, "no file fits this pattern"),
        ((["a.yml"], None, "none.yml"), RulesMissing, "--alertmanager-config none.yml"),
        ((["a.yml"], "moon", None), UnknownDialect, "a3, exchange-rate, gateway, mlops"),
        ((["a.yml"], "moon.yaml", None), BadDialect, "there is no such file"),
        ((["a.yml"], "a.yml", None), BadDialect, "name: Field required"),
        (([], "mlops", None), RulesNeeded, "--dialect"),
        (([], None, "a.yml"), RulesNeeded, "--alertmanager-config"),
    ],
)
def test_what_is_not_there_is_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    given: tuple[list[str], str | None, str | None],
    error: type[OwnError],
    says: str,
) -> None:
    """The message has the option, what was given, and what there is instead."""
    written(tmp_path, "a.yml", PLAIN)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error) as caught:
        choose_own(*given)
    assert says in str(caught.value)


def test_the_second_prometheus_scrapes_one_dialect_and_nothing_else(tmp_path: Path) -> None:
    """Job, target labels and parameter are the dialect's; its alerts go to the second Alertmanager, with a label."""
    rules = (written(tmp_path, "a.yml", PLAIN), written(tmp_path, "b.yml", RESOURCE))
    config = rendered(plan(tmp_path, OwnRules(rules, "gateway")))
    (job,) = config["scrape_configs"]
    assert job == {
        "job_name": "inference-gateway",
        "params": {"dialect": ["gateway"]},
        "static_configs": [
            {"targets": ["127.0.0.1:10000"], "labels": {"service": "inference-gateway", "team": "ml-platform"}}
        ],
    }
    assert config["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] == ["127.0.0.1:11193"]
    assert config["global"]["external_labels"]["firedrill_rules"] == "own"
    assert config["global"]["scrape_interval"] == "1s"


def test_without_a_dialect_it_scrapes_the_services_own_names(tmp_path: Path) -> None:
    """The job is the canonical one, of every replica."""
    own = OwnRules((written(tmp_path, "a.yml", PLAIN),))
    config = rendered(replace(plan(tmp_path, own), workers=2))
    (job,) = config["scrape_configs"]
    assert job["job_name"] == "firedrill"
    assert "params" not in job
    assert job["static_configs"][0]["targets"] == ["127.0.0.1:10620", "127.0.0.1:10621"]


def test_rules_follow_the_pace(tmp_path: Path) -> None:
    """A plain file and a PrometheusRule resource are divided alike, two files of one name stay two, and back again."""
    (tmp_path / "other").mkdir()
    one, two = written(tmp_path, "a.yml", PLAIN), written(tmp_path / "other", "a.yml", RESOURCE)
    for pace, for_s, window, every_s in ((WORKSHOP, 20.0, "[20s]", 2.0), (PRODUCTION, 300.0, "[5m]", 30.0)):
        config = rendered(plan(tmp_path, OwnRules((one, two)), pace))
        first, second = (load_rules(Path(path)) for path in config["rule_files"])
        (alert,) = first.alerts
        assert (alert.for_s, window in alert.expr) == (for_s, True)
        assert second.groups[0].interval_s == every_s
        assert window in second.groups[0].rules[0].expr


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        (PLAIN.replace("rate(x_total[5m]) > 1", "predict_linear(x[1h], 60) < 0"), RuleRefused, "--pace production"),
        (PLAIN.replace("rate(x_total[5m]) > 1", "rate(x_total[20s]) > 1"), RuleRefused, "less than two scrapes"),
        (
            PLAIN.replace("for: 5m", "for: 5m, annotations: {summary: '{{ $value | nonsense }}'}"),
            RuleRefused,
            "promtool",
        ),
        (PLAIN.replace("for: 5m", "for: soon"), BadRuleFile, "a.yml:1"),
        (RESOURCE.replace("PrometheusRule", "ConfigMap"), BadRuleFile, "kind 'ConfigMap'"),
        (RESOURCE.replace("spec:", "specs:"), BadRuleFile, "`spec`"),
        ("", BadRuleFile, "it is empty"),
    ],
)
def test_a_rule_that_cannot_run_is_refused_by_its_own_name(
    tmp_path: Path, text: str, error: type[Exception], says: str
) -> None:
    """What Prometheus would refuse, or what has no counterpart at this pace, is said of the user's file."""
    source = written(tmp_path, "a.yml", text)
    with pytest.raises(error) as caught:
        render_own(plan(tmp_path, OwnRules((source,))))
    assert says in str(caught.value)
    assert str(source) in str(caught.value)
    assert str(tmp_path / "home") not in str(caught.value), "the user knows no rendered file"


def test_what_cannot_change_its_pace_runs_as_written(tmp_path: Path) -> None:
    """At production pace the same rule is taken."""
    source = written(tmp_path, "a.yml", PLAIN.replace("rate(x_total[5m]) > 1", "predict_linear(x[1h], 60) < 0"))
    assert rendered(plan(tmp_path, OwnRules((source,)), PRODUCTION))["global"]["scrape_interval"] == "15s"


def test_built_in_dialects_are_known_by_name_and_by_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So are those of ``DIALECTS_DIR``, which are brought to the service wherever the user is."""
    assert find_dialect("a3").job == "fastapi"
    assert find_dialect(str(BUILT_IN / "mlops.yaml")) == find_dialect("mlops")
    written(tmp_path, "shop.yaml", SHOP)
    monkeypatch.setenv("DIALECTS_DIR", str(tmp_path))
    assert find_dialect("shop").labels == {"team": "checkout"}
    assert find_dialect(str(tmp_path / "shop.yaml")) == find_dialect("shop")
    assert find_dialect("shop").brought
    assert not find_dialect("mlops").brought


def test_a_dialect_that_the_user_brings_reaches_the_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is put beside those of ``DIALECTS_DIR`` into the folder that the service is told; a taken name is refused."""
    from service.telemetry.dialects import load_dialects  # noqa: PLC0415 - the service's own opinion of the folder

    beside = tmp_path / "beside"
    beside.mkdir()
    written(beside, "shop.yaml", SHOP.replace("name: shop", "name: warehouse"))
    monkeypatch.setenv("DIALECTS_DIR", str(beside))
    brought = written(tmp_path, "shop.yaml", SHOP)
    own = choose_own([str(written(tmp_path, "a.yml", PLAIN))], str(brought), None)
    assert own is not None
    assert (own.dialect, own.dialect_file) == ("shop", brought)
    given = plan(tmp_path, own)
    (job,) = rendered(given)["scrape_configs"]
    assert (job["job_name"], job["params"]) == ("checkout", {"dialect": ["shop"]})
    assert {"shop", "warehouse", "mlops"} <= set(load_dialects(given.home.run / "own" / "dialects"))
    with pytest.raises(BadDialect, match="'mlops' is taken by"):
        find_dialect(str(written(tmp_path, "mine.yaml", SHOP.replace("name: shop", "name: mlops"))))


def test_alertmanagers_timers_follow_the_pace_and_its_paths_their_file(tmp_path: Path) -> None:
    """Given timers and defaults are divided, relative paths start at its folder, receivers stay; amtool agrees."""
    source = written(tmp_path, "alertmanager.yml", ALERTMANAGER)
    (tmp_path / "templates").mkdir()
    written(tmp_path / "templates", "a.tmpl", '{{ define "a" }}a{{ end }}')
    text = scaled_alertmanager(source, WORKSHOP)
    check_alertmanager(source, written(tmp_path, "rendered.yml", text))
    config = yaml.safe_load(text)
    route = config["route"]
    assert (route["group_wait"], route["group_interval"], route["repeat_interval"]) == ("1s", "20s", "16m")
    assert route["routes"][0]["repeat_interval"] == "4m"
    assert "group_wait" not in route["routes"][0], "what a route inherits it goes on inheriting"
    assert config["global"] == {
        "slack_api_url_file": str(tmp_path / "secrets" / "slack"),
        "resolve_timeout": "20s",
    }
    assert config["templates"] == [str(tmp_path / "templates" / "*.tmpl")]
    authorization = config["receivers"][1]["webhook_configs"][0]["http_config"]["authorization"]
    assert authorization == {"credentials_file": "/etc/page.token"}
    (pager,) = config["receivers"][1]["pagerduty_configs"]
    assert pager == {"routing_key_file": str(tmp_path / "page.key"), "details": {"log_file": "app.log"}}
    assert yaml.safe_load(scaled_alertmanager(source, PRODUCTION))["route"]["group_wait"] == "15s"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "it is no mapping"),
        ("route: [", "it is not YAML"),
        ("receivers: [{name: a}]", "no `route:`"),
        ("route: {receiver: a, group_wait: soon}\nreceivers: [{name: a}]", "group_wait: 'soon' is not a duration"),
        ("route: {receiver: nobody}\nreceivers: [{name: a}]", "amtool refuses it"),
    ],
)
def test_a_bad_alertmanager_configuration_is_refused(tmp_path: Path, text: str, says: str) -> None:
    """What is wrong is said of the user's file, whoever found it."""
    source = written(tmp_path, "mine.yml", text)
    own = OwnRules((written(tmp_path, "a.yml", PLAIN),), alertmanager=source)
    with pytest.raises(AlertmanagerRefused) as caught:
        render_own(plan(tmp_path, own))
    assert says in str(caught.value)
    assert str(caught.value).startswith(str(source))
    assert "/home/run" not in str(caught.value)


def test_without_a_configuration_the_conductor_is_told(tmp_path: Path) -> None:
    """The second Alertmanager then delivers to the same webhook as the stack's."""
    given = plan(tmp_path, OwnRules((written(tmp_path, "a.yml", PLAIN),)))
    rendered(given)
    (receiver,) = yaml.safe_load((given.home.run / "own" / "alertmanager.yml").read_text())["receivers"]
    assert receiver["webhook_configs"][0]["url"] == "http://127.0.0.1:10700/webhook/alertmanager"
