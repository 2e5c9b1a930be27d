"""The watch over a drill's faults: which restart was to be expected, what went down with it, what someone else did."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

import pytest

import faults.kinds  # noqa: F401 - fills the catalogue
from faults.base import FaultRecord, Place, Target
from faults.drills.control import Instance
from faults.drills.errors import ControlError, ControlUnreachable
from faults.drills.firewatch import FireWatch
from faults.drills.places import Places, Seen

SILENCE = ControlUnreachable("the service", "nowhere", "no answer")


def record(kind: str, place: Place = "service", **changes: str | float) -> FaultRecord:
    """Return an active fault, with changes."""
    known = FaultRecord(
        id=f"{kind}-1",
        kind=kind,
        parameters={},
        target=Target(),
        probability=1.0,
        ttl_s=60.0,
        seed=1,
        place=place,
        state="active",
        started_at=100.0,
        ends_at=160.0,
        injections=1,
    )
    return known.model_copy(update=changes)


@dataclass
class Told:
    """What the places say, as the test wants it."""

    records: tuple[FaultRecord, ...] = ()
    instance_id: str = "first"
    silent: Mapping[Place, ControlError] = field(default_factory=dict)

    async def instance(self) -> Instance:
        """Say which service answers."""
        if "service" in self.silent:
            raise self.silent["service"]
        return Instance(self.instance_id, 105.0)

    async def look(self) -> Seen:
        """Say what burns."""
        return Seen(self.records, self.silent)


def watch(told: Told) -> FireWatch:
    """Return a watch over ``told``."""
    return FireWatch(cast("Places", told), Instance("first", 1.0))


IDS = ["crash-1", "error-1", "latency-1"]


def test_a_crash_makes_a_restart_what_was_to_be_expected() -> None:
    """It is noted, with what went down in the service; the drill goes on, down and up."""

    async def scenario() -> None:
        told = Told((record("crash", "stack"), record("error")))
        fires = watch(told)
        assert await fires.check(IDS, 100.0) is None
        told.silent = {"service": SILENCE}
        assert await fires.check(IDS, 100.0) is None
        told.silent, told.instance_id, told.records = {}, "second", (record("crash", "stack"),)
        assert await fires.check(IDS, 100.0) is None
        assert fires.notes == [
            "the service was restarted meanwhile, which is what crash does",
            "the fault error (error-1) ended when crash brought the service down",
        ]
        told.instance_id = "third"
        assert await fires.restarted(100.0) is None

    asyncio.run(scenario())


@pytest.mark.parametrize(("kind", "place"), [("error", "service"), ("hang", "stack")])
def test_any_other_restart_is_an_accident(kind: str, place: Place) -> None:
    """Also while a fault burns outside that brings nothing down."""

    async def scenario() -> None:
        told = Told((record(kind, place),))
        fires = watch(told)
        assert await fires.check([f"{kind}-1"], 100.0) is None
        told.instance_id = "second"
        gone = await fires.check([f"{kind}-1"], 100.0)
        assert gone is not None
        assert gone.restarted
        assert gone.reason == "the service was restarted 5 s after the fault, which ended every fault in it"

    asyncio.run(scenario())


def test_silence_is_no_proof_of_anything() -> None:
    """A service that does not answer was neither restarted nor put out."""

    async def scenario() -> None:
        told = Told((record("hang", "stack"),), silent={"service": SILENCE})
        fires = watch(told)
        assert await fires.check(["hang-1"], 100.0) is None
        assert fires.notes == []

    asyncio.run(scenario())


def test_a_fault_outside_that_someone_puts_out_ends_the_drill_though_the_service_is_silent() -> None:
    """The conductor's own faults are known whatever the service says; the drill's own doing is none of that."""

    async def scenario() -> None:
        ended = record("hang", "stack", state="ended", ended_at=104.0, end_reason="rolled_back")
        told = Told((ended,), silent={"service": SILENCE})
        gone = await watch(told).check(["hang-1"], 100.0)
        assert gone is not None
        assert gone.reason == "the fault hang was put out by someone else after 4.0 s (rolled_back)"
        fires = watch(told)
        fires.expect_end("hang-1")
        assert await fires.check(["hang-1"], 100.0) is None

    asyncio.run(scenario())


def test_a_fault_of_someone_else_is_noted() -> None:
    """Wherever it burns."""

    async def scenario() -> None:
        fires = watch(Told((record("traffic_stop", "traffic"),)))
        assert await fires.check([], None) is None
        assert fires.notes == ["the fault traffic_stop (traffic_stop-1) was lit by someone else during the drill"]

    asyncio.run(scenario())
