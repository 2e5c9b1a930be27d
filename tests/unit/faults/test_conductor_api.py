"""The conductor's HTTP API with nothing behind it but a service: whom it lets in, what it takes, what it remembers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from faults.base import FaultRequest
from faults.client import ConductorClient, ConductorRefused, ConductorUnreachable
from faults.drills.heartbeat import DEAD_MAN_S
from faults.drills.journal import Journal
from faults.drills.wire import DrillStart, TrafficSettings
from stack.endpoints import PORTS
from stack.home import Home
from tests.generated import examples
from tests.levels import thorough
from tests.unit.faults.small_fireground import FreeEndpoints, ServedApp, SmallService, conductor

ROOT = Path(__file__).parents[3]


@dataclass
class Lonely:
    """A conductor whose Prometheus, Alertmanager and traffic generator are not there, and its service."""

    home: Home
    endpoints: FreeEndpoints
    client: ConductorClient
    served: ServedApp

    def raw(self, method: str, path: str, *, content: bytes | None = None, **headers: str) -> httpx.Response:
        """Send a request with the token, as it is."""
        given_headers = {"Authorization": f"Bearer {self.home.token()}", **headers}
        url = self.endpoints.url("conductor", path)
        return httpx.request(method, url, content=content, headers=given_headers, trust_env=False)


@pytest.fixture(scope="module")
def lonely(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lonely]:
    """Run a conductor beside a small service."""
    home, endpoints = Home(tmp_path_factory.mktemp("home")), FreeEndpoints()
    with (
        SmallService(endpoints, home.token(), "first"),
        conductor(home, endpoints) as served,
        ConductorClient(endpoints.url("conductor"), home.token()) as client,
    ):
        yield Lonely(home, endpoints, client, served)


def payload(**changes: object) -> dict[str, object]:
    """Return a webhook payload as Alertmanager 0.25 sends it, with changes."""
    alert = {
        "status": "firing",
        "labels": {"alertname": "HighErrorRate", "severity": "critical"},
        "annotations": {"summary": "…"},
        "startsAt": "2026-11-21T02:13:05.123456789Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://127.0.0.1:9090/graph",
        "fingerprint": "abc",
    }
    whole = {
        "receiver": "firedrill",
        "status": "firing",
        "alerts": [alert],
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://127.0.0.1:9093",
        "version": "4",
        "groupKey": '{}:{alertname="HighErrorRate"}',
        "truncatedAlerts": 0,
        "something_new": {"nested": True},
    }
    return {**whole, **changes}


def deliver(lonely: Lonely, body: bytes) -> httpx.Response:
    """Send ``body`` to the webhook."""
    return lonely.raw("POST", "/webhook/alertmanager", content=body)


def test_a_delivery_is_kept_with_its_times(lonely: Lonely) -> None:
    """Unknown keys are tolerated, nanoseconds and Go's zero time are understood."""
    before = time.time()
    assert deliver(lonely, json.dumps(payload()).encode()).status_code == 204
    kept = lonely.client.notifications()[0]
    assert (kept.alert, kept.status, kept.ends_at, kept.receiver) == ("HighErrorRate", "firing", None, "firedrill")
    assert kept.starts_at == pytest.approx(1795227185.123456, abs=1e-4)
    assert before <= kept.at <= time.time()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"garbage",
        b"[]",
        b"{}",
        json.dumps(payload(version="3")).encode(),
        json.dumps(payload(alerts=[{"status": "on fire", "labels": {}}])).encode(),
        json.dumps(payload(alerts=[{"status": "firing", "labels": {}, "startsAt": "2026-11-21T02:13:05Z"}])).encode(),
        json.dumps(
            payload(alerts=[{"status": "firing", "labels": {"alertname": "A"}, "startsAt": "2026-11-21T02:13:05"}])
        ).encode(),
        b"\xff" * 100,
    ],
)
def test_garbage_at_the_webhook_is_refused_and_not_kept(lonely: Lonely, body: bytes) -> None:
    """400 with what is wrong, in the usual shape; the journal says it too."""
    before = lonely.client.notifications()
    answer = deliver(lonely, body)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_notification"
    assert lonely.client.notifications() == before
    line = lonely.client.journal(1)[0]
    assert (line.action, line.facts["reason"]) == ("notification_refused", answer.json()["error"]["message"])


@settings(max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3)))
def test_no_payload_makes_the_webhook_fail(lonely: Lonely, odd: object) -> None:
    """Whatever stands in a payload's place for alerts, the answer is 204 or 400."""
    body = json.dumps(payload(alerts=odd)).encode("utf-8", "surrogatepass")
    assert deliver(lonely, body).status_code in {204, 400}


def test_nothing_but_health_is_open(lonely: Lonely) -> None:
    """Without or with a wrong token 401; from a foreign page or under a foreign name 403."""
    url = lonely.endpoints.url("conductor")
    assert httpx.get(f"{url}/health", trust_env=False).json()["status"] == "healthy"
    for path in ("/faults", "/drills", "/journal", "/alerts", "/nowhere"):
        answer = httpx.get(url + path, trust_env=False)
        assert (answer.status_code, answer.json()["error"]["type"]) == (401, "unauthorized")
    assert deliver_without_token(url) == 401
    assert lonely.raw("GET", "/drills", Origin="https://evil.example").status_code == 403
    assert lonely.raw("GET", "/drills", Host="evil.example").status_code == 403
    with ConductorClient(url, "wrong") as stranger, pytest.raises(ConductorRefused) as refused:
        stranger.faults()
    assert refused.value.status == 401


def deliver_without_token(url: str) -> int:
    """Return the status of a delivery by a stranger."""
    return httpx.post(f"{url}/webhook/alertmanager", json=payload(), trust_env=False).status_code


@thorough
def test_faults_are_lit_and_put_out_through_it_with_the_actor_in_the_journal(lonely: Lonely) -> None:
    """What is done to the service stands in the journal with who did it, names in any script."""
    record = lonely.client.light(FaultRequest(kind="latency", parameters={"delay_ms": 1}, ttl_s=20), actor="Zoë")
    assert [one.id for one in lonely.client.faults() if one.state == "active"] == [record.id]
    assert record.dead_man_s == DEAD_MAN_S
    assert lonely.client.put_out(record.id, actor="cli").end_reason == "rolled_back"
    lonely.client.light(FaultRequest(kind="latency", parameters={"delay_ms": 1}, ttl_s=20), actor="cli")
    proof = lonely.client.reset(actor="panel")
    assert [one.kind for one in proof.ended] == ["latency"]
    assert not proof.proven
    assert all("the traffic generator is unreachable" in reason for reason in proof.because), proof.because
    assert [check.holds for check in proof.checks if check.what.startswith("the service answers")] == [True]
    lines = [(line.actor, line.action) for line in lonely.client.journal(4)]
    assert lines == [("panel", "faults_reset"), ("cli", "fault_lit"), ("cli", "fault_put_out"), ("Zoë", "fault_lit")]
    assert {kind.kind for kind in lonely.client.kinds()} >= {"latency", "error"}


@pytest.mark.parametrize(
    ("method", "path", "content", "status"),
    [
        ("POST", "/faults", b"{}", 422),
        ("POST", "/faults", b"not json", 422),
        ("POST", "/faults", b'{"kind":"latency","ttl_s":0}', 422),
        ("POST", "/faults", b'{"kind":"earthquake","ttl_s":5}', 422),
        ("POST", "/faults", b'{"kind":"latency","ttl_s":5,"parameters":{"delay_ms":-1}}', 422),
        ("POST", "/faults", b" " * 300_000, 413),
        ("DELETE", "/faults/none", None, 503),
        ("POST", "/drills/runs", b"{}", 422),
        ("POST", "/drills/runs", b'{"name":"error-burst","text":"version: 1"}', 422),
        ("POST", "/drills/runs", b'{"name":"no-such-drill"}', 404),
        ("POST", "/drills/runs", b'{"text":"version: 1"}', 422),
        ("GET", "/drills/runs/none", None, 404),
        ("POST", "/drills/runs/none/abort", b"", 404),
        ("GET", "/journal?limit=0", None, 422),
        ("GET", "/journal?limit=many", None, 422),
        ("GET", "/journal?since=yesterday", None, 422),
        ("GET", "/journal?since=nan", None, 422),
        ("POST", "/faults", b'{"kind":"error","ttl_s":5,"ramp_s":-1}', 422),
        ("POST", "/faults", b'{"kind":"error","ttl_s":5,"dead_man_s":0}', 422),
        ("GET", "/faults/reset", None, 405),
        ("GET", "/nowhere", None, 404),
        ("PUT", "/drills", b"", 405),
        ("PUT", "/traffic", b'{"rate":-1}', 422),
        ("PUT", "/traffic", b'{"rate":1}', 503),
        ("GET", "/traffic", None, 503),
        ("GET", "/alerts", None, 503),
        ("POST", "/drills/runs", b'{"name":"error-burst"}', 503),
    ],
)
def test_what_cannot_be_done_is_refused_in_the_usual_shape(
    lonely: Lonely, method: str, path: str, content: bytes | None, status: int
) -> None:
    """Bad input, unknown things and parts that are down: a status, a type and a sentence."""
    answer = lonely.raw(method, path, content=content)
    assert (answer.status_code, set(answer.json()["error"])) == (status, {"type", "message"}), answer.text
    assert answer.json()["error"]["message"]


def test_a_part_that_is_down_is_named_with_what_to_do(lonely: Lonely) -> None:
    """The client gets the conductor's own sentence."""
    with pytest.raises(ConductorRefused, match=r"the traffic generator is unreachable at .*; see `firedrill status`"):
        lonely.client.set_traffic(TrafficSettings(), actor="cli")
    with pytest.raises(ConductorRefused, match="is unreachable at"):
        lonely.client.start_drill(DrillStart(name="error-burst"), actor="cli")


def test_the_library_is_shown_with_about_how_long_each_takes(lonely: Lonely) -> None:
    """Also while Prometheus is down."""
    drills = {drill.name: drill for drill in lonely.client.drills()}
    assert {"error-burst", "slow-responses", "model-missing", "failed-rollout", "drifted-inputs"} <= set(drills)
    assert drills["error-burst"].alerts == ["HighErrorRate"]
    assert drills["error-burst"].estimate_s > 0


def test_a_client_without_a_conductor_says_so() -> None:
    """Nobody there is said with what to do."""
    endpoints = FreeEndpoints()
    with (
        ConductorClient(endpoints.url("conductor"), "x") as client,
        pytest.raises(ConductorUnreachable, match="start it with `firedrill up`"),
    ):
        client.health()


CUT_OFF = """
import asyncio, os, signal, sys
from pathlib import Path
from faults.base import FaultRequest
from faults.drills.control import ServiceControl, TrafficControl
from faults.drills.fires import Fires
from faults.drills.journal import Journal
from faults.drills.wire import DrillRun

journal = Journal(Path(sys.argv[1]))
token, known = sys.argv[3], sys.argv[4] == "known"

class Forgetful(Journal):
    def lit(self, intent, fault_id):
        os.kill(os.getpid(), signal.SIGKILL)

async def main():
    control = ServiceControl(sys.argv[2], token)
    used = journal if known else Forgetful(Path(sys.argv[1]))
    fires = Fires(control, TrafficControl("http://127.0.0.1:1", token), used)
    used.save_run(DrillRun(id="r1", name="small", title="Small", pace="production", phase="fault", queued_at=1.0))
    await fires.light("r1", FaultRequest(kind="error", ttl_s=100.0, seed=5))
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


@pytest.mark.parametrize("knew", ["known", "unknown"])
def test_after_kill_9_the_next_conductor_puts_the_fault_out(tmp_path: Path, knew: str) -> None:
    """Also where the kill came between the service's answer and the note of the fault's id: its seed marks it out."""
    home, endpoints = Home(tmp_path), FreeEndpoints()
    with SmallService(endpoints, home.token(), "first"):
        arguments = [str(home.data / "journal.sqlite"), endpoints.url("control"), home.token(), knew]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        killed = subprocess.run([sys.executable, "-c", CUT_OFF, *arguments], env=environment, timeout=30, check=False)
        assert killed.returncode == -signal.SIGKILL
        with conductor(home, endpoints), ConductorClient(endpoints.url("conductor"), home.token()) as client:
            deadline = time.monotonic() + 5
            while any(record.state == "active" for record in client.faults()):
                assert time.monotonic() < deadline
                time.sleep(0.05)
            (record,) = client.faults()
            assert (record.kind, record.end_reason) == ("error", "rolled_back")
            run = client.run("r1")
            assert (run.verdict, run.phase) == ("error", "done")
            assert "the conductor was killed during phase fault" in run.reason
    assert Journal(home.data / "journal.sqlite").open_intents() == []


@thorough
def test_the_process_ends_quickly_and_names_a_busy_port(tmp_path: Path) -> None:
    """``python -m faults.drills.conductor``: a second one on its port fails in words, SIGTERM ends the first."""
    free = FreeEndpoints()
    offset = free.port("conductor") - PORTS["conductor"]
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "FIREDRILL_HOME": str(tmp_path),
        "FIREDRILL_PORT_OFFSET": str(offset),
    }
    command = [sys.executable, "-m", "faults.drills.conductor"]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                httpx.get(free.url("conductor", "/health"), trust_env=False).raise_for_status()
                break
            except httpx.HTTPError:
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.1)
        other = {**environment, "FIREDRILL_HOME": str(tmp_path / "other")}
        second = subprocess.run(command, env=other, capture_output=True, text=True, timeout=30, check=False)
        assert second.returncode == 1
        assert f"cannot listen at 127.0.0.1:{free.port('conductor')}" in second.stderr
        process.terminate()
        process.wait(10)
    finally:
        process.kill()
        process.wait()
    assert Journal(tmp_path / "data" / "journal.sqlite").entries()[0].action == "conductor_stopped"
