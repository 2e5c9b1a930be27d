"""Faults on replicas: one fault on all of them, told of as one, and none left where one of them did not take it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest

from faults.base import FaultRecord, FaultRequest, Target
from faults.drills.control import ServiceControl
from faults.drills.errors import ControlRefused, PartlyLit
from faults.drills.replicas import merged, merged_lists
from stack.endpoints import Endpoints, of_replicas
from stack.home import Home
from tests.levels import thorough
from tests.ports import free_endpoints

ROOT = Path(__file__).resolve().parents[3]
START_S = 90.0
WORKERS = 3
ROW = {"features": [[5.1, 3.5, 1.4, 0.2]]}
NAMES = ("service", *of_replicas("control", WORKERS), *of_replicas("replica", WORKERS))


def record(fault_id: str, **changes: object) -> FaultRecord:
    """Return a record with changes."""
    plain = FaultRecord(
        id=fault_id,
        kind="error",
        parameters={},
        target=Target(),
        probability=1.0,
        ttl_s=60.0,
        seed=1,
        state="active",
        started_at=100.0,
        ends_at=160.0,
        injections=2,
    )
    return plain.model_copy(update=changes)


def test_records_of_one_fault_become_one() -> None:
    """Injections add up, it burns while one replica burns, and a failed rollback is never hidden by a good one."""
    ended = {"state": "ended", "ended_at": 120.0, "end_reason": "rolled_back"}
    burning = merged([record("a", **ended), record("a", started_at=99.0, injections=5)])
    assert (burning.state, burning.started_at, burning.injections) == ("active", 99.0, 7)
    assert (burning.ended_at, burning.end_reason) == (None, None)
    failed = record("a", state="ended", ended_at=125.0, end_reason="failed", error="stuck")
    over = merged([record("a", **ended), failed])
    assert (over.state, over.ended_at, over.end_reason, over.error) == ("ended", 125.0, "failed", "stuck")
    alone = record("a")
    assert merged([alone]) is alone


def test_lists_of_replicas_become_one_list() -> None:
    """Each fault stands there once, active ones first, newest first in each group."""
    old = record("old", state="ended", ended_at=110.0)
    new = record("new", state="ended", ended_at=130.0)
    together = merged_lists([[record("on"), old], [record("on"), new], [record("only", started_at=101.0)]])
    assert [one.id for one in together] == ["only", "on", "new", "old"]


@dataclass
class Group:
    """A parent with its replicas in a home of its own."""

    parent: subprocess.Popen[str]
    home: Home
    endpoints: Endpoints

    def control(self) -> ServiceControl:
        """Return the conductor's view of them."""
        urls = [self.endpoints.url(name) for name in of_replicas("control", WORKERS)]
        return ServiceControl(urls, self.home.token(), timeout_s=10.0)

    def ask(self, name: str) -> int:
        """Ask one replica for a prediction; return the status."""
        return httpx.post(self.endpoints.url(name, "/predict"), json=ROW, timeout=20).status_code

    def statuses(self) -> list[int]:
        """Ask each replica for a prediction."""
        return [self.ask(name) for name in of_replicas("replica", WORKERS)]

    def wait_ready(self) -> None:
        """Wait until every replica serves."""
        deadline = time.monotonic() + START_S
        for name in of_replicas("replica", WORKERS):
            while not ready(self.endpoints.url(name, "/ready")):
                if self.parent.poll() is not None or time.monotonic() > deadline:
                    self.parent.kill()
                    pytest.fail(f"{name} does not serve: {self.parent.communicate()[0]}")
                time.sleep(0.05)


def ready(url: str) -> bool:
    """Return whether a service is ready there."""
    try:
        return httpx.get(url, timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


@pytest.fixture
def group(tmp_path: Path) -> Iterator[Group]:
    """Give three replicas that serve; end them."""
    home, endpoints = Home(tmp_path / "home"), free_endpoints(*NAMES)
    variables = {
        "FIREDRILL_HOME": str(home.root),
        "FIREDRILL_PORT_OFFSET": str(endpoints.offset),
        "WORKERS": str(WORKERS),
        "MODELS": "iris",
        "ENABLE_TRACING": "false",
        "LOG_LEVEL": "warning",
    }
    parent = subprocess.Popen(
        [sys.executable, "-m", "faults.replicas"],
        cwd=ROOT,
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    running = Group(parent, home, endpoints)
    running.wait_ready()
    yield running
    if parent.poll() is None:
        parent.kill()
    parent.communicate()


@thorough
def test_a_fault_reaches_every_replica_or_none(group: Group) -> None:
    """Lit it acts on all and is one record; put out it is out on all; with one replica gone nothing stays lit.

    SIGTERM then ends the parent and all replicas with exit code 0.
    """
    wanted = FaultRequest(kind="error", parameters={"status": 503}, ttl_s=300)

    async def scenario() -> None:
        control = group.control()
        before = await control.instance()
        assert len(before.id.split("+")) == WORKERS
        assert {kind.kind for kind in await control.kinds()} >= {"error", "latency"}
        lit = await control.light(wanted)
        assert await asyncio.to_thread(group.statuses) == [503] * WORKERS
        (burning,) = await control.faults()
        assert (burning.id, burning.injections, burning.state) == (lit.id, WORKERS, "active")
        out = await control.put_out(lit.id)
        assert (out.state, out.end_reason, out.injections) == ("ended", "rolled_back", WORKERS)
        assert await asyncio.to_thread(group.statuses) == [200] * WORKERS
        with pytest.raises(ControlRefused, match="nonsense"):
            await control.light(FaultRequest(kind="error", parameters={"nonsense": 1}, ttl_s=300))
        with pytest.raises(ControlRefused) as unknown:
            await control.put_out("error-00000000")
        assert unknown.value.status == 404

        children = psutil.Process(group.parent.pid).children()
        victim = next(child for child in children if any("--replica=1:" in word for word in child.cmdline()))
        victim.kill()
        psutil.wait_procs([victim], timeout=5)
        with pytest.raises(PartlyLit, match=r"not lit on 1 of 3 replicas \(replica 1: ") as partly:
            await control.light(wanted)
        assert len(partly.value.failed) == 1
        assert [group.ask(f"replica#{index}") for index in (0, 2)] == [200, 200]
        await asyncio.to_thread(group.wait_ready)
        assert not [one for one in await control.faults() if one.state == "active"]
        assert (await control.instance()).id != before.id
        await control.light(wanted)
        assert await asyncio.to_thread(group.statuses) == [503] * WORKERS
        assert [one.kind for one in await control.reset()] == ["error"]
        assert await asyncio.to_thread(group.statuses) == [200] * WORKERS
        await control.close()

    asyncio.run(scenario())
    group.parent.send_signal(signal.SIGTERM)
    output = group.parent.communicate(timeout=START_S)[0]
    assert group.parent.returncode == 0, output
    assert "Traceback" not in output
