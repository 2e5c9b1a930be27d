"""The conductor's heartbeat: it goes on whatever happens, and everything that the conductor lights depends on it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from faults.base import FaultRequest
from faults.drills.control import ServiceControl
from faults.drills.errors import ControlUnreachable
from faults.drills.heartbeat import DEAD_MAN_S, beat, guarded
from faults.drills.journal import Journal
from tests.levels import thorough
from tests.ports import free_port

ROOT = Path(__file__).parents[3]
HOLDER = """
import asyncio, sys, time
import uvicorn
from faults.api import create_control_app
from faults.injector import Injector
app = create_control_app(Injector(), "token", instance="one", started_at=time.time())
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="error")
"""


def test_every_request_of_the_conductor_gets_a_dead_mans_switch() -> None:
    """One that brings its own keeps it."""
    assert guarded(FaultRequest(kind="error", ttl_s=60)).dead_man_s == DEAD_MAN_S
    assert guarded(FaultRequest(kind="error", ttl_s=60, dead_man_s=2.0)).dead_man_s == 2.0


def test_it_beats_on_when_nobody_hears() -> None:
    """A place that does not answer is told again and again."""

    class Deaf:
        beats = 0

        async def heartbeat(self) -> None:
            self.beats += 1
            raise ControlUnreachable("the service", "http://127.0.0.1:1", "refused")

    async def scenario() -> int:
        deaf = Deaf()
        task = asyncio.get_running_loop().create_task(beat(deaf, 0.001))
        async with asyncio.timeout(10):
            while deaf.beats < 5:  # noqa: ASYNC110 - a counter has nothing to wait on
                await asyncio.sleep(0.005)
        task.cancel()
        return deaf.beats

    assert asyncio.run(scenario()) >= 5


@pytest.fixture
def holder() -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Run a process that holds faults; give it and its URL."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(port)], env={**os.environ, "PYTHONPATH": str(ROOT)})
    yield process, f"http://127.0.0.1:{port}"
    process.send_signal(signal.SIGCONT)
    process.kill()
    process.wait()


async def _ready(url: str) -> None:
    async with httpx.AsyncClient(trust_env=False) as client, asyncio.timeout(30):
        while True:
            try:
                if (await client.get(f"{url}/health")).status_code == 200:
                    return
            except httpx.HTTPError:
                await asyncio.sleep(0.05)


@thorough
def test_a_stopped_process_goes_on_with_its_fault_and_a_dead_conductor_ends_it(
    holder: tuple[subprocess.Popen[bytes], str],
) -> None:
    """SIGSTOP longer than the limit ends nothing while beats come; without them the fault is abandoned."""
    process, url = holder

    async def state(control: ServiceControl) -> tuple[str, str | None]:
        (record,) = await control.faults()
        return record.state, record.end_reason

    async def scenario() -> None:
        await _ready(url)
        control = ServiceControl(url, "token", timeout_s=1.0)
        await control.light(FaultRequest(kind="error", ttl_s=600, dead_man_s=3.0))
        beating = asyncio.get_running_loop().create_task(beat(control, 0.1))
        process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(5.0)  # longer than the limit: the test is about this very time
        process.send_signal(signal.SIGCONT)
        await asyncio.sleep(2.0)
        assert await state(control) == ("active", None)
        beating.cancel()
        async with asyncio.timeout(30):
            while await state(control) != ("ended", "abandoned"):  # noqa: ASYNC110 - another process's state
                await asyncio.sleep(0.1)
        await control.close()

    asyncio.run(scenario())


def test_the_control_endpoint_guards_its_heartbeat(holder: tuple[subprocess.Popen[bytes], str]) -> None:
    """No token, a wrong one, a foreign Host or Origin, a wrong method are refused; a large body is harmless."""
    _, url = holder
    asyncio.run(_ready(url))
    good = {"Authorization": "Bearer token"}

    def status(method: str = "POST", content: bytes = b"", **headers: str) -> int:
        return httpx.request(method, f"{url}/heartbeat", content=content, headers=headers, trust_env=False).status_code

    assert status() == 401
    assert status(Authorization="Bearer wrong") == 401
    assert status(**good, Origin="https://evil.example") == 403
    assert status(**good, Host="evil.example") == 403
    assert status("GET", **good) == 405
    assert status(**good, content=b"x" * 1_000_000) == 200
    answer = httpx.post(f"{url}/heartbeat", headers=good, trust_env=False)
    assert json.loads(answer.content) == {"guarded": 0}


def test_what_the_conductor_lights_carries_its_switch(tmp_path: Path) -> None:
    """The intent that a drill's lighting leaves says the limit, so that it can be told later."""
    journal = Journal(tmp_path / "journal.sqlite")
    intent = journal.intend("r1", "fault", guarded(FaultRequest(kind="error", ttl_s=5)).model_dump_json())
    assert FaultRequest.model_validate_json(intent.body).dead_man_s == DEAD_MAN_S
    journal.close()
