"""Faults of the traffic process: they multiply what is sent, leave the settings alone, and end by themselves."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest
from kept_service import reached
from test_traffic_process import Place, traffic
from tiny_service import TinyService

import faults.kinds  # noqa: F401 - fills the catalogue
from faults.base import FaultRequest, catalogue
from faults.drills.wire import TrafficSettings
from faults.errors import BadFaultRequest, FaultNotApplied, FaultUnavailable
from faults.host import BareHost
from faults.injector import Injector
from faults.traffic.generator import MAX_RATE, Generator
from faults.traffic.host import TrafficHost
from faults.traffic.inputs import ModelInputs
from faults.traffic.server import FAULTS
from faults.traffic.transport import Request
from stack.endpoints import PORTS
from tests.levels import thorough
from tests.ports import free_offset

INPUTS = {"iris": ModelInputs("iris", (b"{}",), (b"{}",))}
KINDS = sorted(name for name, kind in catalogue().items() if kind.place == "traffic")


class Counting:
    """A transport that answers at once."""

    async def send(self, request: Request) -> int:  # noqa: ARG002 - the protocol's signature
        """Answer."""
        return 200


class Bench:
    """A generator with an injector, as the traffic process puts them together."""

    def __init__(self, rate: float = 400.0) -> None:
        settings = TrafficSettings(rate=rate, models={"iris": 1.0})
        self.generator = Generator(Counting(), settings, rng=random.Random(4), wall=time.time)
        self.injector = Injector(TrafficHost(self.generator), rng=random.Random(5))
        self.generator.use(INPUTS, "")

    async def sent_in(self, seconds: float) -> float:
        """Return how many requests are started per second of the loop's time."""
        loop = asyncio.get_running_loop()
        before, began = self.generator.meter.sent, loop.time()
        await asyncio.sleep(seconds)
        return (self.generator.meter.sent - before) / (loop.time() - began)


def with_bench(scenario: Callable[[Bench], Awaitable[None]], rate: float = 400.0) -> None:
    """Run a scenario against a fresh generator."""

    async def run() -> None:
        bench = Bench(rate)
        try:
            await scenario(bench)
        finally:
            await bench.injector.close()
            await bench.generator.stop()

    asyncio.run(run())


def lit(kind: str, ttl_s: float = 60.0, **parameters: float) -> FaultRequest:
    """Return the request for a fault."""
    return FaultRequest(kind=kind, parameters=dict(parameters), ttl_s=ttl_s)


def test_a_spike_multiplies_what_is_sent_and_a_stop_ends_it() -> None:
    """Five times as much while one burns, nothing while both do, and the settings are what they were."""

    async def scenario(bench: Bench) -> None:
        settings = bench.generator.settings
        assert 250 < await bench.sent_in(0.5) < 550
        spike = await bench.injector.light(lit("traffic_spike", factor=5))
        assert 1500 < await bench.sent_in(0.5) < 2500
        assert bench.generator.status().factor == 5.0
        stop = await bench.injector.light(lit("traffic_stop"))
        assert await bench.sent_in(0.3) == 0
        assert not bench.generator.sending
        for _ in range(2):
            await bench.injector.put_out(stop.id)
        assert 1500 < await bench.sent_in(0.5) < 2500
        record = await bench.injector.put_out(spike.id)
        assert (record.end_reason, record.place, record.injections) == ("rolled_back", "traffic", 1)
        assert 250 < await bench.sent_in(0.5) < 550
        assert bench.generator.settings == settings
        assert bench.generator.status().factor == 1.0

    with_bench(scenario)


def test_settings_that_change_meanwhile_stay() -> None:
    """Whoever chooses another rate while a spike burns gets a multiple of it, and the new rate afterwards."""

    async def scenario(bench: Bench) -> None:
        await bench.injector.light(lit("traffic_spike", ttl_s=0.6, factor=10))
        chosen = TrafficSettings(rate=100.0, models={"iris": 1.0})
        bench.generator.start(chosen)
        assert bench.generator.rate == 1000.0
        assert 800 < await bench.sent_in(0.4) < 1200
        await reached(lambda: not bench.injector.active(), "it expires")
        assert (bench.generator.rate, bench.generator.settings) == (100.0, chosen)
        assert bench.injector.records()[0].end_reason == "expired"

    with_bench(scenario)


def test_a_spike_may_rise_evenly() -> None:
    """The rate climbs from what it was to the whole factor, and stays there."""

    async def scenario(bench: Bench) -> None:
        await bench.injector.light(lit("traffic_spike", factor=9, rise_s=1.0))
        seen = []
        async with asyncio.timeout(10):
            while bench.generator.factor < 9.0:
                seen.append(bench.generator.factor)
                await asyncio.sleep(0.05)
        assert seen == sorted(seen)
        assert seen[0] < 2.0
        assert len(set(seen)) >= 3
        await bench.injector.reset()
        assert bench.generator.factor == 1.0
        await asyncio.sleep(0.3)
        assert bench.generator.factor == 1.0, "it went on rising after its end"

    with_bench(scenario, rate=20.0)


def test_no_spike_sends_more_than_settings_may_ask_for() -> None:
    """A thousandfold is cut off where the settings' own bound is."""

    async def scenario(bench: Bench) -> None:
        bench.generator.pause()
        await bench.injector.light(lit("traffic_spike", factor=1000))
        assert bench.generator.rate == MAX_RATE

    with_bench(scenario)


def test_a_part_of_the_traffic_may_stay_away() -> None:
    """With a share of three quarters one request in four is sent."""

    async def scenario(bench: Bench) -> None:
        await bench.injector.light(lit("traffic_stop", share=0.75))
        assert bench.generator.rate == pytest.approx(100.0)

    with_bench(scenario)


@pytest.mark.parametrize("kind", KINDS)
def test_what_makes_no_difference_is_not_lit(kind: str) -> None:
    """Where nothing is sent there is nothing to multiply; a share of calls, an endpoint or a model has no meaning."""

    async def scenario(bench: Bench) -> None:
        with pytest.raises(FaultNotApplied, match="told to send nothing"):
            await bench.injector.light(lit(kind))
        for odd in ({"probability": 0.5}, {"ramp_s": 5.0}, {"target": {"endpoint": "/predict"}}):
            with pytest.raises(BadFaultRequest):
                await bench.injector.light(FaultRequest.model_validate({"kind": kind, "ttl_s": 5.0, **odd}))
        with pytest.raises(FaultUnavailable, match="belongs to the service process"):
            await bench.injector.light(lit("error"))
        assert bench.injector.active() == {}

    with_bench(scenario, rate=0.0)


@pytest.mark.parametrize("kind", KINDS)
def test_only_a_host_that_sends_offers_them(kind: str) -> None:
    """Any other process says why not."""
    assert catalogue()[kind].unavailable(BareHost()) == "it needs the traffic generator"


@thorough
def test_the_real_process_holds_them_behind_its_token(tmp_path: Path) -> None:
    """Over HTTP: lit, counted in the status, kept over new settings, ended by its own time without any heartbeat."""

    async def scenario() -> None:
        place = Place(tmp_path, free_offset(PORTS[name] for name in ("service", "traffic")))
        async with TinyService(port=place.service_port), traffic(place) as control:
            await control.until(lambda status: status.sent > 0)
            faults: httpx.AsyncClient = control.client
            assert (await faults.get(f"{FAULTS}/kinds", headers={"Authorization": ""})).status_code == 401
            kinds = {kind["kind"]: kind for kind in (await faults.get(f"{FAULTS}/kinds")).json()}
            assert sorted(kinds) == KINDS
            assert all(kind["available"] for kind in kinds.values())
            body = lit("traffic_spike", ttl_s=6.0, factor=40).model_dump_json()
            answer = await faults.post(f"{FAULTS}/faults", content=body)
            assert answer.status_code == 201, answer.text
            assert (await control.status()).factor == 40.0
            status = await control.put(TrafficSettings(rate=1.0, models={"iris": 1.0}))
            assert (status.factor, status.settings.rate) == (40.0, 1.0)
            await control.until(lambda status: status.sent > 20)
            status = await control.until(lambda status: status.factor == 1.0)
            assert status.settings.rate == 1.0
            (record,) = (await faults.get(f"{FAULTS}/faults")).json()
            assert (record["end_reason"], record["place"]) == ("expired", "traffic")

    asyncio.run(scenario())
