"""The Alertmanager client against a real Alertmanager, and against what is none."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from stack.clients.alertmanager import AlertmanagerClient
from stack.errors import QueryRefused, SourceError, SourceUnreachable
from tests.realprom import answering, free_port, running_alertmanager, running_prometheus

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("prometheus")]

ALWAYS = "groups: [{name: demo, rules: [{alert: Always, expr: vector(1), labels: {severity: warning}}]}]\n"


def test_an_alert_that_prometheus_sends_is_held_with_its_times(tmp_path: Path) -> None:
    """It started before it was updated, ends in the future, and is active for the receiver."""
    rules = tmp_path / "rules.yml"
    rules.write_text(ALWAYS, encoding="utf-8")
    before = time.time()
    with (
        running_alertmanager(tmp_path / "alertmanager") as alertmanager,
        running_prometheus(tmp_path / "prometheus", rules=[rules], alertmanager=alertmanager.address),
        AlertmanagerClient(alertmanager.url) as client,
    ):
        assert client.ready()
        alertmanager.wait_for(lambda: any(a.state == "active" for a in client.alerts()), "the alert is active")
        (alert,) = client.alerts()
    assert (alert.labels["alertname"], alert.labels["severity"]) == ("Always", "warning")
    assert before <= alert.starts_at <= alert.updated_at + 0.1 < alert.ends_at
    assert (alert.state, alert.receivers, alert.silenced_by, alert.inhibited_by) == ("active", ("test",), (), ())
    assert alert.fingerprint


def test_a_silenced_alert_says_so(tmp_path: Path) -> None:
    """It is suppressed and names the silence."""
    before = time.time()
    with running_alertmanager(tmp_path) as alertmanager, AlertmanagerClient(alertmanager.url) as client:
        assert client.alerts() == ()
        now = time.time()
        assert before <= client.started_at() <= now
        silence = {
            "matchers": [{"name": "alertname", "value": "Noise", "isRegex": False, "isEqual": True}],
            "startsAt": datetime.fromtimestamp(now, UTC).isoformat(),
            "endsAt": datetime.fromtimestamp(now + 60, UTC).isoformat(),
            "createdBy": "test",
            "comment": "test",
        }
        made = httpx.post(f"{alertmanager.url}/api/v2/silences", json=silence).raise_for_status()
        httpx.post(f"{alertmanager.url}/api/v2/alerts", json=[{"labels": {"alertname": "Noise"}}]).raise_for_status()
        alertmanager.wait_for(lambda: any(a.state == "suppressed" for a in client.alerts()), "the alert is silenced")
        (alert,) = client.alerts()
    assert alert.silenced_by == (made.json()["silenceID"],)


def test_nobody_there_is_unreachable() -> None:
    """The error names the source."""
    with AlertmanagerClient(f"http://127.0.0.1:{free_port()}") as client:
        assert not client.ready()
        with pytest.raises(SourceUnreachable, match="Alertmanager is unreachable"):
            client.alerts()


def test_a_refusal_and_an_error_page_are_told_apart() -> None:
    """A bad request is refused, an unavailable page is nobody, anything else is no Alertmanager."""
    server = answering(b'"bad filter"', status=400, content_type="application/json")
    with server as said, AlertmanagerClient(said.url) as client:
        with pytest.raises(QueryRefused, match="bad filter"):
            client.alerts()
        said.status, said.content_type = 503, "text/html"
        with pytest.raises(SourceUnreachable, match="503"):
            client.alerts()
        said.status, said.body = 200, b"<html>"
        with pytest.raises(SourceError, match="unexpected answer"):
            client.alerts()
