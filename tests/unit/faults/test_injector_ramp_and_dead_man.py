"""What probability does while it ramps, and what silence does to a fault, on a loop whose time stands still."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

import pytest
from pydantic import ValidationError

import faults.kinds  # noqa: F401 - fills the catalogue
from faults import base
from faults.base import Effect, Fault, FaultRecord, FaultRequest, Host, Parameters, Place, Point, register
from faults.errors import BadFaultRequest, FaultUnavailable
from faults.host import BareHost
from faults.injector import Injector
from faults.middleware import HttpCall

PREDICT = HttpCall("/predict", "")


class Standstill(asyncio.SelectorEventLoop):
    """A loop whose time goes on when the test says so."""

    now = 1000.0

    def time(self) -> float:
        """Return the time that the test has set."""
        return self.now

    async def pass_by(self, seconds: float, steps: int = 1) -> None:
        """Let time pass in equal steps; whatever is due runs after each."""
        for _ in range(steps):
            self.now += seconds / steps
            for _ in range(6):
                await asyncio.sleep(0)


def standing_still(scenario: Callable[[Standstill], Awaitable[None]]) -> None:
    """Run a scenario on such a loop."""

    async def run() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, Standstill)
        await scenario(loop)

    with asyncio.Runner(loop_factory=Standstill) as runner:
        runner.run(run())


def error(**changes: Any) -> FaultRequest:
    """Ask for an error fault that hits everything for an hour, with changes."""
    return FaultRequest.model_validate({"kind": "error", "ttl_s": 3600.0, **changes})


async def share_hit(injector: Injector, calls: int = 2000) -> float:
    """Return the share of calls that were answered in the app's place."""
    return sum([await injector.request(PREDICT) is not None for _ in range(calls)]) / calls


def only(injector: Injector) -> FaultRecord:
    """Return the one fault of the injector."""
    (record,) = injector.records()
    return record


@pytest.mark.parametrize("probability", [1.0, 0.3])
def test_a_ramp_rises_evenly_from_nothing(probability: float) -> None:
    """At the start nothing is hit, half-way half the share, at the end and after it the whole."""

    async def scenario(loop: Standstill) -> None:
        injector = Injector()
        record = await injector.light(error(probability=probability, ramp_s=300.0, seed=4))
        assert record.ramp_s == 300.0
        assert await share_hit(injector) == 0.0
        for part in (0.25, 0.5, 1.0, 2.0):
            loop.now = 1000.0 + 300.0 * part
            assert abs(await share_hit(injector) - probability * min(1.0, part)) <= 6 * (0.25 / 2000) ** 0.5
        if probability == 1.0:
            assert await share_hit(injector) == 1.0

    standing_still(scenario)


def test_a_ramp_decides_the_same_for_the_same_seed_and_clock() -> None:
    """Two injectors with one seed hit the same calls at the same times, and another seed others."""

    async def pattern(loop: Standstill, seed: int) -> list[bool]:
        loop.now = 5.0
        injector, hit = Injector(), []
        await injector.light(error(ramp_s=10.0, seed=seed))
        for _ in range(100):
            loop.now += 0.1
            hit.append(await injector.request(PREDICT) is not None)
        return hit

    async def scenario(loop: Standstill) -> None:
        first = await pattern(loop, 1)
        assert await pattern(loop, 1) == first
        assert await pattern(loop, 2) != first

    standing_still(scenario)


def test_silence_puts_a_fault_out() -> None:
    """With heartbeats a guarded fault burns on; without them it is abandoned after its limit, and the other is not."""

    async def scenario(loop: Standstill) -> None:
        injector = Injector()
        guarded = await injector.light(error(dead_man_s=15.0))
        free = await injector.light(error(probability=0.5))
        assert guarded.dead_man_s == 15.0
        for _ in range(5):
            await loop.pass_by(14.0, steps=28)
            assert injector.heartbeat() == 1
        await loop.pass_by(14.0, steps=28)
        assert injector.active() == {"error": 2}
        await loop.pass_by(1.5, steps=3)
        ended = {record.id: record.end_reason for record in injector.records()}
        assert ended == {guarded.id: "abandoned", free.id: None}
        assert injector.heartbeat() == 0

    standing_still(scenario)


def test_a_process_that_stood_still_hears_the_waiting_heartbeat_first() -> None:
    """A jump of an hour, as after SIGSTOP, is no silence: the fault burns on when the next heartbeat comes in time."""

    async def scenario(loop: Standstill) -> None:
        injector = Injector()
        await injector.light(error(dead_man_s=15.0, ttl_s=86_400.0))
        await loop.pass_by(10.0, steps=20)
        await loop.pass_by(3600.0)
        assert only(injector).state == "active"
        await loop.pass_by(3.0, steps=6)
        assert injector.heartbeat() == 1
        await loop.pass_by(14.0, steps=28)
        assert only(injector).state == "active"
        await loop.pass_by(3600.0)
        await loop.pass_by(2.0, steps=4)
        assert only(injector).end_reason == "abandoned"

    standing_still(scenario)


def test_time_to_live_ends_a_fault_that_is_beaten_for() -> None:
    """Heartbeats never prolong a fault."""

    async def scenario(loop: Standstill) -> None:
        injector = Injector()
        await injector.light(error(dead_man_s=15.0, ttl_s=20.0))
        for _ in range(21):
            await loop.pass_by(1.0, steps=2)
            injector.heartbeat()
        assert only(injector).end_reason == "expired"

    standing_still(scenario)


def test_a_short_silence_is_measured_on_a_real_clock() -> None:
    """On the ordinary loop a fault with a fifth of a second ends by itself, and no timer is left."""

    async def scenario() -> FaultRecord:
        injector = Injector()
        await injector.light(error(dead_man_s=0.2))
        async with asyncio.timeout(20):
            while True:
                if (record := only(injector)).state == "ended":
                    return record
                await asyncio.sleep(0.02)

    record = asyncio.run(scenario())
    assert record.end_reason == "abandoned"
    assert record.ended_at is not None
    assert record.ended_at - record.started_at >= 0.19


@pytest.mark.parametrize(
    "wanted", [{"ramp_s": -1.0}, {"ramp_s": 86_401.0}, {"dead_man_s": 0.0}, {"dead_man_s": float("nan")}]
)
def test_ramps_and_silences_have_bounds(wanted: dict[str, float]) -> None:
    """Values that mean nothing are refused before anything burns."""
    with pytest.raises(ValidationError):
        error(**wanted)


@pytest.fixture
def siren(monkeypatch: pytest.MonkeyPatch) -> type[Fault[Parameters]]:
    """Register, in this test's catalogue only, a kind of the traffic process that acts as a whole."""
    monkeypatch.setattr(base, "_KINDS", dict(base._KINDS))

    @register
    class Siren(Fault[Parameters]):
        kind: ClassVar[str] = "siren"
        title = "Siren"
        summary = "Howls."
        place: ClassVar[Place] = "traffic"
        restarts: ClassVar[bool] = True
        parameters_type = Parameters
        effect = Effect(promql="vector(1)", moves="up", meaning="nothing", unit="1")

        def points(self, host: Host) -> frozenset[Point]:  # noqa: ARG002 - the contract's signature
            return frozenset()

        async def apply(self, host: Host) -> None:  # noqa: ARG002 - as above
            self.acted()

    return Siren


class Street(BareHost):
    """A host in the place of the traffic."""

    @property
    def place(self) -> Place:
        """The traffic."""
        return "traffic"


def test_an_injector_offers_the_kinds_of_its_place_alone(siren: type[Fault[Parameters]]) -> None:
    """A kind is described and lit in its own place, and refused with the reason in others."""

    async def scenario() -> None:
        service, traffic = Injector(), Injector(Street())
        assert siren.kind not in service.names()
        (described,) = [kind for kind in traffic.kinds() if kind.kind == "siren"]
        assert (described.place, described.restarts, described.available) == ("traffic", True, True)
        assert "error" not in traffic.names()
        with pytest.raises(FaultUnavailable, match="it belongs to the traffic process, this is the service"):
            await service.light(FaultRequest(kind="siren", ttl_s=60))
        record = await traffic.light(FaultRequest(kind="siren", ttl_s=60))
        assert record.place == "traffic"
        await traffic.close()

    asyncio.run(scenario())


def test_acts_outside_the_seams_are_counted(siren: type[Fault[Parameters]]) -> None:
    """What a fault does otherwise than by a hook counts in its record and in the injector's counter."""

    async def scenario() -> None:
        heard = []
        injector = Injector(Street(), on_injection=heard.append)
        await injector.light(FaultRequest(kind=siren.kind, ttl_s=60))
        assert injector.injections() == {"siren": 1}
        assert only(injector).injections == 1
        assert [(one.kind, one.point) for one in heard] == [("siren", "host")]
        await injector.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("wanted", [{"probability": 0.5}, {"ramp_s": 5.0}])
def test_what_acts_as_a_whole_takes_no_share(siren: type[Fault[Parameters]], wanted: dict[str, Any]) -> None:
    """A probability or a ramp that could never be kept is refused instead of silently ignored."""
    request = FaultRequest(kind=siren.kind, ttl_s=60, **wanted)
    with pytest.raises(BadFaultRequest, match="acts as a whole"):
        asyncio.run(Injector(Street()).light(request))
