"""Alertmanager's routes, groups and silences: read off a real one, and off texts that are none."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from stack.clients.alertmanager import AlertmanagerClient
from stack.clients.prometheus import PrometheusClient
from stack.clients.routing import UnreadableRouting, read_routing
from tests.realprom import running_alertmanager, running_prometheus

CONFIGURATION = """\
route:
  receiver: all
  group_by: [alertname]
  group_wait: 2s
  routes:
    - receiver: pager
      matchers: ['severity="critical"', 'team=~"a|b"']
      group_wait: 1m
      routes:
        - {match: {night: "yes"}, match_re: {zone: "x.*"}, group_by: []}
receivers:
  - name: all
    webhook_configs: [{url: "http://127.0.0.1:8700/webhook/alertmanager"}, {send_resolved: true}]
  - {name: pager, email_configs: [{to: a@example.org}]}
  - {name: secret, webhook_configs: [{url: <secret>}]}
"""


def test_routes_inherit_and_receivers_are_told_by_their_webhooks() -> None:
    """Timers and receiver come from above where a route has none; old and new matchers read alike."""
    routing = read_routing(CONFIGURATION, "http://somewhere")
    pager, night = routing.leading_to("pager")
    assert (routing.root.group_wait_s, routing.root.group_interval_s) == (2.0, 300.0)
    assert (pager.group_wait_s, pager.group_by) == (60.0, ("alertname",))
    assert pager.matchers == ('severity="critical"', 'team=~"a|b"')
    assert (night.matchers, night.group_by, night.group_wait_s) == (('night="yes"', 'zone=~"x.*"'), (), 60.0)
    assert routing.told_at("/webhook/alertmanager") == ("all", "secret")
    assert routing.leading_to("nobody") == ()


@pytest.mark.parametrize("text", ["", "[]", "route: 7", "{", "route: {receiver: a, group_wait: soon}"])
def test_what_is_no_configuration_is_one_clear_error(text: str) -> None:
    """It names where it came from."""
    with pytest.raises(UnreadableRouting, match="at http://somewhere cannot be read"):
        read_routing(text, "http://somewhere")


@pytest.mark.live
@pytest.mark.xdist_group("prometheus")
def test_groups_silences_and_routes_of_a_running_one(tmp_path: Path) -> None:
    """An alert stands in its receiver's group; a silence shows who made it and until when."""
    url = "http://127.0.0.1:9/webhook/alertmanager"
    with (
        running_alertmanager(tmp_path, webhook_url=url) as alertmanager,
        AlertmanagerClient(alertmanager.url) as client,
    ):
        assert (client.groups(), client.silences()) == ((), ())
        assert client.routing().told_at("/webhook/alertmanager") == ("test",)
        assert client.routing().root.group_wait_s == 0.2
        httpx.post(f"{alertmanager.url}/api/v2/alerts", json=[{"labels": {"alertname": "Noise"}}]).raise_for_status()
        alertmanager.wait_for(lambda: client.groups() != (), "the alert is in a group")
        (group,) = client.groups()
        assert (group.receiver, group.labels) == ("test", {"alertname": "Noise"})
        assert [alert.labels["alertname"] for alert in group.alerts] == ["Noise"]
        now = time.time()
        silence = {
            "matchers": [
                {"name": "alertname", "value": "No.*", "isRegex": True, "isEqual": True},
                {"name": "team", "value": "a", "isRegex": False, "isEqual": False},
            ],
            "startsAt": datetime.fromtimestamp(now, UTC).isoformat(),
            "endsAt": datetime.fromtimestamp(now + 60, UTC).isoformat(),
            "createdBy": "somebody",
            "comment": "lunch",
        }
        httpx.post(f"{alertmanager.url}/api/v2/silences", json=silence).raise_for_status()
        alertmanager.wait_for(lambda: client.silences() != (), "the silence is there")
        (kept,) = client.silences()
    assert kept.matchers == ('alertname=~"No.*"', 'team!="a"')
    assert (kept.created_by, kept.comment) == ("somebody", "lunch")
    assert kept.ends_at == pytest.approx(now + 60, abs=0.01)


@pytest.mark.live
@pytest.mark.xdist_group("prometheus")
def test_prometheus_says_whom_it_sends_to_and_how_often_it_scrapes(tmp_path: Path) -> None:
    """Its Alertmanagers, the names of its metrics, and a target's own interval."""
    with (
        running_prometheus(
            tmp_path, scrapes={"itself": ["127.0.0.1:9"]}, alertmanager="127.0.0.1:9", interval_s=0.25
        ) as prometheus,
        PrometheusClient(prometheus.url) as client,
    ):
        prometheus.wait_for(lambda: "up" in client.metrics(), "the first scrape")
        assert client.alertmanagers() == ("http://127.0.0.1:9/api/v2/alerts",)
        (target,) = client.targets()
    assert (target.interval_s, target.timeout_s) == (0.25, 0.25)
