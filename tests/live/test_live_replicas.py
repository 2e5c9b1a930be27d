"""A whole stack whose service has several replicas: each scraped by itself, all reached by one fault."""

from __future__ import annotations

import httpx
import pytest

from faults.base import FaultRequest
from stack.endpoints import of_replicas
from tests.live.conftest import LiveStack, until

pytestmark = pytest.mark.live
ROW = {"features": [[5.1, 3.5, 1.4, 0.2]]}
WORKERS = 2


def test_two_replicas_are_scraped_set_on_fire_and_gone_with_the_stack(fresh: LiveStack) -> None:
    """Prometheus has two instances of one job, a fault acts on both replicas, and ``down`` leaves no process."""
    fresh.start("--workers", str(WORKERS))
    own = [fresh.endpoints.url(name) for name in of_replicas("replica", WORKERS)]
    prometheus = fresh.endpoints.url("prometheus", "/api/v1/query")

    def instances() -> set[str]:
        found = httpx.get(prometheus, params={"query": 'up{job="firedrill"} == 1'}, timeout=5).json()["data"]["result"]
        return {each["metric"]["instance"] for each in found}

    until(lambda: instances() == {url.removeprefix("http://") for url in own}, "both replicas to be scraped")
    with fresh.conductor() as conductor:
        lit = conductor.light(FaultRequest(kind="error", parameters={"status": 503}, ttl_s=60.0), actor="test")
        assert [httpx.post(f"{url}/predict", json=ROW, timeout=10).status_code for url in own] == [503] * WORKERS
        (record,) = [one for one in conductor.faults() if one.state == "active"]
        assert record.id == lit.id
        assert record.injections >= WORKERS
        conductor.put_out(lit.id, actor="test")
        assert [httpx.post(f"{url}/predict", json=ROW, timeout=10).status_code for url in own] == [200] * WORKERS
    logged = fresh.cli("logs", "service", "-n", "1000").stdout
    assert all(f'"instance":"{name}"' in logged for name in instances())
    service = fresh.component("service")
    assert service["state"] == "ready"
    assert service["ports"]["replica#1"] == fresh.endpoints.port("replica#1")
    assert fresh.cli("down").returncode == 0
    assert fresh.free_ports()
    for url in own:
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{url}/health", timeout=2)
