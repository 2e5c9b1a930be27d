"""Places told of as one: each kind from its own, none hidden by another's silence, everything put out that can be."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from kept_service import KeptService, kept_service, reached, stopped
from small_fireground import FreeEndpoints, SmallService

import faults.kinds  # noqa: F401 - fills the catalogue
from faults.base import FaultRecord, FaultRequest, catalogue
from faults.drills.control import ServiceControl
from faults.drills.errors import ControlRefused, ControlUnreachable, PartlyOut
from faults.drills.heartbeat import DEAD_MAN_S
from faults.drills.places import OwnFaults, Places
from faults.drills.stackhost import StackHost
from faults.injector import Injector
from stack.endpoints import Endpoints
from stack.home import Home
from tests.levels import thorough

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="a system without signals")


@dataclass
class Ground:
    """A service over HTTP, a process that faults from outside act on, and a traffic generator that is not there."""

    places: Places
    injector: Injector
    service: SmallService
    process: KeptService

    def stop_service(self) -> None:
        """Let the service's control endpoint answer no more."""
        self.service.__exit__(None, None, None)


Scenario = Callable[[Ground], Awaitable[None]]


@pytest.fixture
def with_ground(tmp_path: Path) -> Iterator[Callable[[Scenario], None]]:
    """Return what runs a scenario with all of it."""
    home, endpoints = Home(tmp_path), FreeEndpoints()
    with SmallService(endpoints, home.token(), "first") as service, kept_service(home) as process:

        def run(scenario: Scenario) -> None:
            async def wrapped() -> None:
                host = StackHost(home, Endpoints())
                injector = Injector(host)
                own = OwnFaults(injector, host)
                control = ServiceControl(endpoints.url("control"), home.token())
                traffic = ServiceControl(endpoints.url("traffic"), home.token(), what="the traffic generator")
                places = Places(control, {"traffic": traffic, "stack": own}, now=time.time)
                try:
                    await scenario(Ground(places, injector, service, process))
                finally:
                    await own.close()

            asyncio.run(wrapped())

        yield run


def lit(kind: str, ttl_s: float = 60.0) -> FaultRequest:
    """Return the request for a fault."""
    parameters = {"delay_ms": 5} if kind == "latency" else {}
    return FaultRequest(kind=kind, parameters=dict(parameters), ttl_s=ttl_s)


def states(records: tuple[FaultRecord, ...]) -> list[tuple[str, str, str]]:
    """Return kind, place and state of each record."""
    return [(one.kind, one.place, one.state) for one in records]


def test_every_kind_is_offered_by_its_place_or_says_why_not(with_ground: Callable[[Scenario], None]) -> None:
    """The whole catalogue, whoever is silent: those of a silent place are unavailable, with its reason."""

    async def scenario(ground: Ground) -> None:
        kinds = {kind.kind: kind for kind in await ground.places.kinds()}
        assert set(kinds) == set(catalogue())
        assert kinds["latency"].available
        assert kinds["hang"].available
        assert "traffic generator is unreachable" in (kinds["traffic_stop"].unavailable_because or "")
        assert kinds["network_cut"].unavailable_because == "the service is no container here; use crash or hang"
        ground.stop_service()
        kinds = {kind.kind: kind for kind in await ground.places.kinds()}
        assert not kinds["latency"].available
        assert kinds["hang"].available

    with_ground(scenario)


def test_a_fault_is_lit_at_its_place_with_a_dead_mans_switch(with_ground: Callable[[Scenario], None]) -> None:
    """Each is where it belongs, ends when the conductor falls silent, and is found again by its id alone."""

    async def scenario(ground: Ground) -> None:
        inside, outside = await ground.places.light(lit("latency")), await ground.places.light(lit("hang"))
        assert [one.dead_man_s for one in (inside, outside)] == [DEAD_MAN_S] * 2
        seen = await ground.places.look()
        active = [("hang", "stack", "active"), ("latency", "service", "active")]
        assert states(seen.records) == active
        assert set(seen.silent) == {"traffic"}
        with pytest.raises(ControlUnreachable, match="the traffic generator"):
            await ground.places.faults()
        assert [one.kind for one in await ground.places.faults_of("error")] == ["latency"]
        for record in (inside, outside):
            assert (await ground.places.put_out(record.id)).end_reason == "rolled_back"
        assert not stopped(ground.process.pid)

    with_ground(scenario)


def test_what_is_silent_is_told_of_with_its_doubt(with_ground: Callable[[Scenario], None]) -> None:
    """A fault in a service that answers no more stays in the list as last heard of, saying so, and hides no other."""

    async def scenario(ground: Ground) -> None:
        inside, outside = await ground.places.light(lit("latency")), await ground.places.light(lit("hang"))
        await ground.places.look()
        ground.stop_service()
        seen = await ground.places.look()
        assert set(seen.silent) == {"service", "traffic"}
        told = {one.id: one for one in seen.records}
        assert set(told) == {inside.id, outside.id}
        assert "it is not known whether it still burns" in (told[inside.id].error or "")
        assert told[outside.id].error is None
        assert (await ground.places.put_out(outside.id)).state == "ended"
        with pytest.raises(ControlUnreachable):
            await ground.places.put_out(inside.id)

    with_ground(scenario)


def test_an_id_that_nobody_knows(with_ground: Callable[[Scenario], None]) -> None:
    """It is unknown only where everybody answered; a silent place might know it."""

    async def scenario(ground: Ground) -> None:
        with pytest.raises(ControlUnreachable, match="the traffic generator"):
            await ground.places.put_out("nothing-00000000")
        places = Places(ground.places._service, {}, now=time.time)
        with pytest.raises(ControlRefused) as refused:
            await places.put_out("nothing-00000000")
        assert refused.value.status == 404
        with pytest.raises(ControlRefused, match="nothing here acts on the stack from outside"):
            await places.light(lit("hang"))
        with pytest.raises(ControlRefused, match="gremlin") as refused:
            await ground.places.light(lit("gremlin"))
        assert refused.value.status == 422

    with_ground(scenario)


def test_reset_reaches_everyone_and_says_whom_it_did_not(with_ground: Callable[[Scenario], None]) -> None:
    """What answers is put out; the error names what was, and who is silent."""

    async def scenario(ground: Ground) -> None:
        for kind in ("latency", "error", "hang"):
            await ground.places.light(lit(kind))
        with pytest.raises(PartlyOut, match=r"3 put out; the traffic generator is unreachable at ") as partly:
            await ground.places.reset()
        assert sorted(one.kind for one in partly.value.ended) == ["error", "hang", "latency"]
        assert {one.end_reason for one in partly.value.ended} == {"reset"}
        assert not stopped(ground.process.pid)
        assert all(state == "ended" for _, _, state in states((await ground.places.look()).records))

    with_ground(scenario)


@thorough
def test_a_heartbeat_reaches_those_who_hear(with_ground: Callable[[Scenario], None]) -> None:
    """A deaf place is named, and the others have heard it all the same."""

    async def scenario(ground: Ground) -> None:
        wanted = FaultRequest(kind="crash", parameters={"mode": "once"}, ttl_s=60.0, dead_man_s=2.0)
        record = await ground.places.light(wanted)
        began = time.monotonic()
        while time.monotonic() - began < 4.0:
            with pytest.raises(ControlUnreachable, match="the traffic generator"):
                await ground.places.heartbeat()
            await asyncio.sleep(0.2)
        assert ground.injector.active() == {"crash": 1}
        await reached(lambda: not ground.injector.active(), "it is abandoned")
        (ended,) = ground.injector.records()
        assert (ended.id, ended.end_reason) == (record.id, "abandoned")

    with_ground(scenario)


def test_a_place_that_hangs_holds_nobody_up(tmp_path: Path) -> None:
    """A service that takes connections and answers none is silent after two seconds."""

    async def scenario() -> None:
        async def mute(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(60)

        server = await asyncio.start_server(mute, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        host = StackHost(Home(tmp_path), Endpoints())
        own = OwnFaults(Injector(host), host)
        places = Places(ServiceControl(url, "token"), {"stack": own}, now=time.time)
        seen = await asyncio.wait_for(places.look(), 8.0)
        assert "no answer within 2 s" in str(seen.silent["service"])
        server.close()

    asyncio.run(scenario())
