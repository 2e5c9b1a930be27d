"""A whole stack with replicas, and with the rules, dialect and Alertmanager configuration that a user brings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest

from faults.base import FaultRequest
from stack.clients.prometheus import PrometheusClient
from stack.endpoints import HOST, of_replicas
from tests.levels import thorough
from tests.live.conftest import LiveStack, free_offset, home_with, until

pytestmark = pytest.mark.live
ROW = {"features": [[5.1, 3.5, 1.4, 0.2]]}
WORKERS = 2


DIALECT = """
schema: 1
name: shop
job: checkout
target_labels: {team: checkout}
metrics: {shop_requests_total: {from: http_requests_total, labels: {path: endpoint}}}
"""
SHOP_RULES = """
groups: [{name: shop, rules: [{alert: ShopBusy, expr: 'sum by (team) (rate(shop_requests_total[1m])) > 0', for: 30s}]}]
"""

ALERTMANAGER = """
route: {{receiver: mine, group_wait: 15s}}
receivers: [{{name: mine, webhook_configs: [{{url: '{url}'}}]}}]
"""


@contextmanager
def receiver() -> Iterator[tuple[str, list[bytes]]]:
    """Give the address of somebody's webhook, and what it was told."""
    told: list[bytes] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
            pass

    with ThreadingHTTPServer((HOST, 0), Hook) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://{HOST}:{server.server_port}/hook", told
        finally:
            server.shutdown()
            thread.join()


@dataclass(frozen=True)
class Brought:
    """A running stack, and what the user's own receiver was told."""

    stack: LiveStack
    told: list[bytes]


@pytest.fixture(scope="module")
def brought(tmp_path_factory: pytest.TempPathFactory, programs: None, trained: Path) -> Iterator[Brought]:
    """Give a stack of two replicas with all that a user may bring."""
    folder = tmp_path_factory.mktemp("brought")
    stack = LiveStack(home_with(trained, folder / "home"), free_offset())
    with receiver() as (url, told):
        (folder / "shop.yaml").write_text(DIALECT)
        (folder / "rules.yml").write_text(SHOP_RULES)
        (folder / "alertmanager.yml").write_text(ALERTMANAGER.format(url=url))
        files = {"rules": "rules.yml", "dialect": "shop.yaml", "alertmanager-config": "alertmanager.yml"}
        arguments = [word for option, name in files.items() for word in (f"--{option}", str(folder / name))]
        stack.start("--workers", str(WORKERS), *arguments)
        yield Brought(stack, told)
        stack.end()


@thorough
def test_a_users_dialect_and_alertmanager_are_used(brought: Brought) -> None:
    """A dialect that the service does not know is scraped of every replica, and the user's own receiver is told."""
    stack = brought.stack
    body = json.loads(until(lambda: brought.told, "the user's receiver", timeout_s=60)[0])
    assert body["alerts"][0]["labels"]["alertname"] == "ShopBusy"
    assert body["alerts"][0]["labels"]["team"] == "checkout"
    own = PrometheusClient(stack.endpoints.url("own_prometheus"))
    assert len(own.query('up{job="checkout", team="checkout"} == 1')) == WORKERS
    notified = stack.conductor().notifications()
    assert not [one for one in notified if one.alert == "ShopBusy"], "the stack's webhook is not theirs"


@thorough
def test_two_replicas_are_scraped_set_on_fire_and_gone_with_the_stack(brought: Brought) -> None:
    """Prometheus has two instances of one job, a fault acts on both replicas, and ``down`` leaves no process."""
    stack = brought.stack
    own = [stack.endpoints.url(name) for name in of_replicas("replica", WORKERS)]
    prometheus = stack.endpoints.url("prometheus", "/api/v1/query")

    def instances() -> set[str]:
        found = httpx.get(prometheus, params={"query": 'up{job="firedrill"} == 1'}, timeout=5).json()["data"]["result"]
        return {each["metric"]["instance"] for each in found}

    until(lambda: instances() == {url.removeprefix("http://") for url in own}, "both replicas to be scraped")
    with stack.conductor() as conductor:
        lit = conductor.light(FaultRequest(kind="error", parameters={"status": 503}, ttl_s=60.0), actor="test")
        assert [httpx.post(f"{url}/predict", json=ROW, timeout=10).status_code for url in own] == [503] * WORKERS
        (record,) = [one for one in conductor.faults() if one.state == "active"]
        assert record.id == lit.id
        assert record.injections >= WORKERS
        conductor.put_out(lit.id, actor="test")
        assert [httpx.post(f"{url}/predict", json=ROW, timeout=10).status_code for url in own] == [200] * WORKERS
    logged = stack.cli("logs", "service", "-n", "1000").stdout
    assert all(f'"instance":"{name}"' in logged for name in instances())
    service = stack.component("service")
    assert service["state"] == "ready"
    assert service["ports"]["replica#1"] == stack.endpoints.port("replica#1")
    assert stack.cli("down").returncode == 0
    assert stack.free_ports()
    for url in own:
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{url}/health", timeout=2)
