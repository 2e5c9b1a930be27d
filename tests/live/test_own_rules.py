"""The user's own rules beside the stack's: in a second Prometheus that sees nothing but their dialect."""

from __future__ import annotations

from pathlib import Path

import pytest

from stack.clients.alertmanager import AlertmanagerClient
from stack.clients.prometheus import PrometheusClient
from stack.status import read_status
from tests.levels import on_request, thorough
from tests.live.conftest import LiveStack, until

pytestmark = [pytest.mark.live, pytest.mark.timeout(240)]

RULES = """
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata: {name: mine}
spec:
  groups:
    - name: mine
      rules:
        - alert: HighErrorRate
          expr: >-
            sum(rate(api_errors_total{job="mlops-api"}[5m])) / sum(rate(predictions_total{job="mlops-api"}[5m])) > 0.05
          for: 5m
          labels: {severity: page}
"""
"""Written for another service, and by the name of an alert of the stack's own."""


def states(prometheus: PrometheusClient) -> set[str]:
    """Return the states that the user's alert is in."""
    return {alert.state for rule in prometheus.rules() for alert in rule.alerts}


@thorough
def test_a_users_rule_fires_in_a_prometheus_of_its_own(fresh: LiveStack, tmp_path: Path) -> None:
    """It goes through pending to firing and to the webhook; the stack's own Prometheus never sees the dialect."""
    (tmp_path / "rules.yml").write_text(RULES)
    fresh.start("--rules", str(tmp_path / "*.yml"), "--dialect", "mlops")
    status = {each["name"]: each for each in fresh.status()["components"]}
    assert status["own-prometheus"]["state"] == "ready"
    assert status["own-prometheus"]["url"] == fresh.endpoints.url("own_prometheus", "/alerts")
    assert status["own-alertmanager"]["state"] == "ready"
    own = PrometheusClient(fresh.endpoints.url("own_prometheus"))
    theirs = PrometheusClient(fresh.endpoints.url("prometheus"))
    until(lambda: own.query('sum(predictions_total{job="mlops-api"}) > 3'), "predictions in the dialect")
    assert not states(own)

    assert fresh.cli("fault", "on", "error", "--ttl", "90s").returncode == 0
    until(lambda: states(own) == {"pending"}, "a pending alert", timeout_s=40)
    until(lambda: states(own) == {"firing"}, "a firing alert", timeout_s=60)
    arrived = AlertmanagerClient(fresh.endpoints.url("own_alertmanager"))
    (alert,) = until(arrived.alerts, "the alert in the second Alertmanager")
    assert alert.labels["firedrill_rules"] == "own"
    assert alert.labels["severity"] == "page"
    client = fresh.conductor()
    told = until(
        lambda: [one for one in client.notifications() if one.labels.get("firedrill_rules") == "own"], "the webhook"
    )
    assert {one.alert for one in told} == {"HighErrorRate"}
    mine = next(one for one in client.alerts() if one.alert == "HighErrorRate")
    assert mine.severity == "critical", "the conductor's board is about the stack's own rules"

    assert [sample.labels["job"] for sample in own.query("up")] == ["mlops-api"]
    assert not own.query('{job="firedrill"}')
    assert not theirs.query('{__name__=~"predictions_total|api_errors_total|prediction_latency_seconds_count"}')
    assert not theirs.query('up{job="mlops-api"}')
    assert not theirs.query('ALERTS{severity="page", alertname="HighErrorRate"}')


@thorough
@pytest.mark.parametrize(
    ("text", "arguments", "says"),
    [
        ("groups: [{name: a, rules: [{alert: A, expr: 'up ='}]}]", (), "rules.yml"),
        pytest.param(
            "groups: [{name: a, rules: [{alert: A, expr: 'delta(x[1h]) > 5', for: soon}]}]",
            (),
            "soon",
            marks=on_request,
        ),
        pytest.param(
            "groups: [{name: a, rules: [{alert: A, expr: 'predict_linear(x[1h], 60) < 0'}]}]",
            (),
            "`--pace production`",
            marks=on_request,
        ),
        (RULES, ("--dialect", "moon"), "mlops"),
        pytest.param(RULES, ("--dialect", "moon.yaml"), "moon.yaml", marks=on_request),
        pytest.param(RULES, ("--alertmanager-config", "nowhere.yml"), "nowhere.yml", marks=on_request),
        pytest.param(RULES, ("--rules", "no/such/*.yml"), "no/such/*.yml", marks=on_request),
    ],
)
def test_what_cannot_be_used_starts_nothing(
    fresh: LiveStack, tmp_path: Path, text: str, arguments: tuple[str, ...], says: str
) -> None:
    """A bad rule, an unknown dialect and a missing file end in one clear message and exit status 2.

    Each message by itself is the business of tests/unit/stack/test_brought_rules.py.
    """
    rules = tmp_path / "rules.yml"
    rules.write_text(text)
    done = fresh.cli("up", "--detach", "--port-offset", str(fresh.offset), "--rules", str(rules), *arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert read_status(fresh.home).state == "down"
    assert fresh.free_ports()
