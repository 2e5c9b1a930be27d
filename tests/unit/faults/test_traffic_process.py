"""The traffic process as a stack runs it: real process, real control endpoint, a real service that comes and goes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from tiny_service import IRIS, TinyService

from faults.drills.wire import TrafficSettings, TrafficStatus
from faults.traffic.generator import TIMEOUT_S
from stack.endpoints import PORTS
from stack.home import Home
from tests.ports import free_offset

DEADLINE_S = 20.0


@dataclass
class Place:
    """Where the process under test lives."""

    home: Path
    offset: int

    @property
    def service_port(self) -> int:
        """Port at which it expects the service."""
        return PORTS["service"] + self.offset

    def environment(self, **more: str) -> dict[str, str]:
        """Return the environment that a supervisor would give."""
        own = {"FIREDRILL_HOME": str(self.home), "FIREDRILL_PORT_OFFSET": str(self.offset), "FIREDRILL_SEED": "5"}
        return {**os.environ, **own, **more}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Return a fresh home and free ports."""
    return Place(tmp_path, free_offset(PORTS[name] for name in ("service", "traffic")))


class Control:
    """The control endpoint of the process under test."""

    def __init__(self, process: subprocess.Popen[bytes], client: httpx.AsyncClient) -> None:
        self.process, self.client = process, client

    async def status(self) -> TrafficStatus:
        """Return its status."""
        return TrafficStatus.model_validate_json((await self.client.get("/status")).content)

    async def put(self, settings: TrafficSettings) -> TrafficStatus:
        """Change its settings."""
        answer = await self.client.put("/settings", content=settings.model_dump_json())
        assert answer.status_code == 200, answer.text
        return TrafficStatus.model_validate_json(answer.content)

    async def until(self, reached: Callable[[TrafficStatus], bool]) -> TrafficStatus:
        """Return the first status that ``reached`` accepts; fail after a deadline."""
        deadline = time.monotonic() + DEADLINE_S
        while not reached(status := await self.status()):
            assert time.monotonic() < deadline, status
            await asyncio.sleep(0.02)
        return status


@asynccontextmanager
async def traffic(place: Place, **more: str) -> AsyncIterator[Control]:
    """Run the process until its control endpoint is left; a process that dies fails with its output."""
    log = place.home / "traffic.log"
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: ASYNC220 - starting is quick, and the test waits for nothing else
            [sys.executable, "-m", "faults.traffic"], env=place.environment(**more), stdout=output, stderr=output
        )
    url = f"http://127.0.0.1:{PORTS['traffic'] + place.offset}"
    headers = {"Authorization": f"Bearer {Home(place.home).token()}"}
    try:
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=10.0) as client:
            deadline = time.monotonic() + DEADLINE_S
            while True:
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                try:
                    await client.get("/health")
                    break
                except httpx.TransportError:
                    await asyncio.sleep(0.02)
            yield Control(process, client)
    finally:
        process.kill()
        process.wait()


def run(test: Callable[[], Awaitable[None]]) -> None:
    """Run a coroutine function to its end."""

    async def main() -> None:
        await test()

    asyncio.run(main())


def test_traffic_survives_a_service_that_is_not_there_comes_goes_and_returns(place: Place) -> None:
    """It waits and says so, sends once it can, counts errors while the service is away, and picks up again."""

    async def scenario() -> None:
        async with traffic(place, FIREDRILL_TRAFFIC_RATE="100") as control:
            status = await control.status()
            assert (status.sent, status.settings.rate) == (0, 100.0)
            async with TinyService(port=place.service_port) as service:
                status = await control.until(lambda status: status.statuses.get("200", 0) > 50)
                assert status.waits_for == ""
                assert status.latency_s["p50"] < 1.0
                assert {seen.path for seen in service.seen} == {"/predict/iris", "/predict/churn"}
            await control.until(lambda status: status.statuses.get("error", 0) > 20)
            answered = (await control.status()).statuses["200"]
            async with TinyService(port=place.service_port) as service:
                service.info = {"models": [IRIS | {"examples": [[7.6, 2.2]]}]}  # it comes back with another model
                await control.until(lambda status: status.statuses["200"] > answered + 50)
                await control.until(lambda status: status.settings.models == {"iris": 4.0})
                service.seen.clear()
                await control.until(lambda _status: len(service.seen) > 50)
                lengths = [json.loads(seen.body)["features"][0][0] for seen in service.seen[5:]]
                assert min(lengths) > 7.0
            control.process.send_signal(signal.SIGTERM)
            assert control.process.wait(timeout=10.0) == 0

    run(scenario)
    log = (place.home / "traffic.log").read_text()
    assert "waiting: nothing accepts connections" in log
    assert "traffic goes on and counts errors" in log
    assert "the service answers again" in log
    assert "Traceback" not in log


def test_sigterm_ends_it_at_once_with_stalled_requests_under_way(place: Place) -> None:
    """Requests that wait for a stalled service do not hold the process."""

    async def scenario() -> None:
        async with (
            TinyService(port=place.service_port) as service,
            traffic(place, FIREDRILL_TRAFFIC_RATE="100") as control,
        ):
            await control.until(lambda status: status.sent > 10)
            service.running.clear()
            await control.until(lambda status: status.in_flight > 20)
            control.process.send_signal(signal.SIGTERM)
            assert control.process.wait(timeout=TIMEOUT_S / 3) == 0

    run(scenario)


def test_settings_take_effect_and_reset_the_counts(place: Place) -> None:
    """A new mix, rate and share are sent from then on; the same settings again change nothing."""

    async def scenario() -> None:
        async with TinyService(port=place.service_port) as service, traffic(place) as control:
            await control.until(lambda status: status.sent > 0)
            settings = TrafficSettings(rate=300.0, models={"churn": 1.0}, ood_share=1.0)
            status = await control.put(settings)
            assert (status.settings, status.sent) == (settings, 0)
            service.seen.clear()
            status = await control.until(lambda status: status.sent > 100)
            assert {seen.path for seen in service.seen[5:]} == {"/predict/churn"}
            assert (await control.put(settings)).since == status.since
            assert (await control.client.get("/settings")).json() == settings.model_dump()
            await control.put(TrafficSettings(rate=0.0))
            await asyncio.sleep(0.5)  # what was under way arrives
            sent = len(service.seen)
            await asyncio.sleep(0.3)
            assert len(service.seen) == sent

    run(scenario)


def test_what_cannot_be_sent_is_refused_in_plain_words(place: Place) -> None:
    """Bad settings are 422 with the field and the reason, and the old ones stay."""
    cases = {
        '{"rate": -1}': "rate: Input should be greater than or equal to 0",
        '{"rate": 1e9}': "rate: Input should be less than or equal to 5000",
        '{"rate": NaN}': "rate",
        '{"rates": 5}': "rates: Extra inputs are not permitted",
        '{"ood_share": 1.5}': "ood_share: Input should be less than or equal to 1",
        '{"models": {"iris": -2}}': "models.iris: Input should be greater than or equal to 0",
        '{"models": {"irsi": 1}}': "models.irsi: unknown model; the service serves iris, churn",
        '{"models": {}}': "models: at least one weight must be above 0",
        '{"models": {"iris": 0}}': "models: at least one weight must be above 0",
        "5": "body: ",
        "nonsense": "body: Invalid JSON",
    }

    async def scenario() -> None:
        async with TinyService(port=place.service_port) as service, traffic(place) as control:
            await control.until(lambda status: status.sent > 0)
            for text, reason in cases.items():
                answer = await control.client.put("/settings", content=text)
                error = answer.json()["error"]
                assert (answer.status_code, error["type"]) == (422, "invalid_input"), text
                assert error["message"].startswith(f"traffic settings refused: {reason}"), text
            assert (await control.status()).settings == TrafficSettings()
            service.info = {"models": [IRIS | {"name": "fresh"}]}
            await control.put(TrafficSettings(models={"fresh": 1.0}))

    run(scenario)


def test_the_control_endpoint_is_for_the_stack_alone(place: Place) -> None:
    """No token, a foreign page, a foreign name and unknown paths are refused; health is open."""

    async def scenario() -> None:
        async with traffic(place) as control:
            client = control.client
            for method, path, headers, status, kind in (
                ("GET", "/status", {"Authorization": ""}, 401, "unauthorized"),
                ("PUT", "/settings", {"Authorization": "Bearer wrong"}, 401, "unauthorized"),
                ("GET", "/nothing", {"Authorization": ""}, 401, "unauthorized"),
                ("GET", "/status", {"Host": "evil.example"}, 403, "foreign_host"),
                ("GET", "/health", {"Host": "evil.example:8710"}, 403, "foreign_host"),
                ("GET", "/status", {"Origin": "http://evil.example"}, 403, "foreign_origin"),
                ("GET", "/status", {"Origin": "null"}, 403, "foreign_origin"),
                ("GET", "/nothing", {}, 404, "not_found"),
                ("DELETE", "/settings", {}, 405, "method_not_allowed"),
            ):
                answer = await client.request(method, path, headers=headers)
                assert answer.status_code == status, (method, path, headers)
                assert answer.json()["error"]["type"] == kind
                assert answer.json()["error"]["message"]
            big = await client.put("/settings", content=b" " * 100_000)
            assert big.status_code == 413
            open_to_all = await client.get("/health", headers={"Authorization": "", "Host": "localhost:1"})
            assert open_to_all.json()["status"] == "healthy"
            assert (await client.get("/status", headers={"Origin": "http://localhost:8501"})).status_code == 200

    run(scenario)


def test_the_default_mix_is_narrowed_to_what_is_served(place: Place) -> None:
    """A service without churn gets iris traffic, and the settings say so."""

    async def scenario() -> None:
        service = TinyService(port=place.service_port)
        service.info = {"models": [IRIS]}
        async with service, traffic(place) as control:
            status = await control.until(lambda status: status.sent > 0)
            assert (status.settings.models, status.waits_for) == ({"iris": 4.0}, "")

    run(scenario)


def test_a_foreign_service_is_named_not_hammered(place: Place) -> None:
    """A server without /model-info gets no predictions, and the status says why."""

    async def scenario() -> None:
        service = TinyService(port=place.service_port)
        service.info = {"hello": "world"}
        async with service, traffic(place, FIREDRILL_TRAFFIC_RATE="500") as control:
            status = await control.until(lambda status: "gives no inputs" in status.waits_for)
            assert (status.sent, service.seen) == (0, [])

    run(scenario)


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("FIREDRILL_TRAFFIC_RATE", "fast", "FIREDRILL_TRAFFIC_RATE is 'fast'; expected requests per second"),
        ("FIREDRILL_TRAFFIC_RATE", "-1", "FIREDRILL_TRAFFIC_RATE is '-1'"),
        ("FIREDRILL_SEED", "x", "FIREDRILL_SEED is 'x'; expected a whole number"),
    ],
)
def test_a_bad_environment_stops_the_start(place: Place, variable: str, value: str, message: str) -> None:
    """The message names the variable, its value and what was expected."""
    done = subprocess.run(
        [sys.executable, "-m", "faults.traffic"],
        env=place.environment(**{variable: value}),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_busy_port_stops_the_start(place: Place) -> None:
    """The message names the port."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", PORTS["traffic"] + place.offset))
        holder.listen()
        done = subprocess.run(
            [sys.executable, "-m", "faults.traffic"],
            env=place.environment(),
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
    assert done.returncode == 3
    assert f"port {PORTS['traffic'] + place.offset} is not free" in done.stderr
