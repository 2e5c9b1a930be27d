"""Putting everything out, with proof: what the counters must show, and what is said where they cannot."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faults.base import FaultRecord, FaultRequest, Target
from faults.drills.control import ServiceControl, TrafficControl
from faults.drills.counters import Counters, NoCounters, Page, Pages, StandStill, read_counters
from faults.drills.errors import ControlUnreachable
from faults.drills.extinguisher import FURTHER, Extinguisher
from faults.drills.fires import Fires
from faults.drills.journal import Journal
from faults.drills.wire import ResetProof, TrafficSettings
from stack.endpoints import PORTS
from tests.levels import thorough
from tests.unit.faults.small_fireground import FreeEndpoints, ServedApp, SmallService, SmallTraffic

TEXT = """\
# HELP firedrill_fault_active Active faults.
# TYPE firedrill_fault_active gauge
firedrill_fault_active{kind="error"} 0.0
firedrill_fault_active{kind="latency"} 2.0
firedrill_fault_injections_total{kind="error"} 7.0
firedrill_fault_injections_total{kind="latency"} 1e+03
http_requests_total{method="POST",endpoint="/predict/{model}",status="200"} 12.0 # {trace_id="ab c"} 1.0 1732190000.1
http_requests_total{method="GET",endpoint="/",status="200"} 3
http_requests_created{method="GET"} 1.7e9
"""


class NoDrill:
    """No drill is under way."""

    running = None


class Unreachable:
    """A place that does not answer."""

    async def faults(self) -> Sequence[FaultRecord]:
        """Fail."""
        raise ControlUnreachable("the traffic generator", "http://127.0.0.1:1", "refused")

    async def reset(self) -> Sequence[FaultRecord]:
        """Fail."""
        raise ControlUnreachable("the traffic generator", "http://127.0.0.1:1", "refused")


class Clock:
    """A clock that the test moves."""

    now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def test_counters_are_read_from_an_exposition() -> None:
    """Samples are summed over labels; exemplars, other families and comments are no part of them."""
    assert read_counters(TEXT) == Counters(active=2.0, injections=1007.0, requests=15.0)


@pytest.mark.parametrize(
    "missing", ["firedrill_fault_active", "firedrill_fault_injections_total", "http_requests_total"]
)
def test_counters_that_are_not_there_prove_nothing(missing: str) -> None:
    """An exposition without one of them is said to lack it."""
    kept = "\n".join(line for line in TEXT.splitlines() if missing not in line)
    with pytest.raises(NoCounters, match=f"have no {missing}"):
        read_counters(kept)


@given(st.text())
def test_any_text_is_counters_or_none(text: str) -> None:
    """Garbage is refused and never a traceback of another sort."""
    with pytest.raises(NoCounters):
        read_counters(text)


def test_standing_still_takes_further_requests_without_an_injection() -> None:
    """Enough requests since the first sight, none acted on, none active."""
    watch = StandStill(3, Clock())
    assert not watch.see(Counters(0, 5, 10))
    assert not watch.see(Counters(0, 5, 12))
    assert watch.because == "only 2 of 3 further requests have come in"
    assert watch.see(Counters(0, 5, 13))


@pytest.mark.parametrize(
    ("seen", "because"),
    [
        ([Counters(1, 5, 10), Counters(1, 5, 99)], "firedrill_fault_active is 1"),
        ([Counters(0, 5, 10), Counters(0, 6, 99)], "firedrill_fault_injections_total went on by 1"),
        ([Counters(0, 5, 10), Counters(0, 0, 2)], "no request has come in since"),
        ([Counters(0, 5, 10), Counters(0, 5, 10)], "only 0 of 3"),
    ],
)
def test_what_moves_is_no_proof(seen: list[Counters], because: str) -> None:
    """An active fault, a further injection, a restart and silence each keep it open, and are named."""
    watch = StandStill(3, Clock())
    for one in seen:
        assert not watch.see(one)
    assert because in watch.because


def test_watching_begins_anew_after_a_gap() -> None:
    """A process that was out of sight must show all of it again, and is not idle meanwhile."""
    clock = Clock()
    watch = StandStill(3, clock)
    watch.see(Counters(0, 5, 10))
    clock.now = 2.0
    assert watch.idle_s() == 2.0
    watch.miss("it does not answer")
    assert (watch.because, watch.idle_s()) == ("it does not answer", 0.0)
    assert not watch.see(Counters(0, 5, 99))


async def extinguish(
    folder: Path, service: FreeEndpoints, token: str, *, pages: list[Page], places: object = None, within_s: float = 8.0
) -> ResetProof:
    """Light a fault, put everything out and return the proof."""
    control = ServiceControl(service.url("control"), token)
    traffic = TrafficControl(service.url("traffic"), token)
    journal = Journal(folder / "journal.sqlite")
    fires = Fires(control, traffic, journal)
    await control.light(FaultRequest(kind="error", target=Target(endpoint="/predict"), ttl_s=60))
    await fires.set_traffic("r1", TrafficSettings(rate=99.0))
    extinguisher = Extinguisher(
        places or control,  # type: ignore[arg-type]
        fires,
        NoDrill(),  # type: ignore[arg-type]
        Pages(pages),
        within_s=within_s,
    )
    try:
        return await extinguisher.put_out("test")
    finally:
        await extinguisher.close()
        await control.reset()
        await control.close()
        await traffic.close()
        journal.close()


@pytest.fixture(scope="module")
def endpoints() -> FreeEndpoints:
    """Return free ports."""
    assert PORTS
    return FreeEndpoints()


def prove(folder: Path, endpoints: FreeEndpoints, **given_: object) -> tuple[ResetProof, SmallTraffic]:
    """Run a small service and traffic generator, and extinguish."""
    traffic = SmallTraffic("token")
    pages = [Page("the service", endpoints.url("service"))]
    with (
        SmallService(endpoints, "token", "first"),
        ServedApp(traffic.app, endpoints.port("traffic")),
    ):
        options: dict[str, object] = {"pages": pages, **given_}
        return asyncio.run(extinguish(folder, endpoints, "token", **options)), traffic  # type: ignore[arg-type]


def test_everything_is_out_and_the_counters_show_it(tmp_path: Path, endpoints: FreeEndpoints) -> None:
    """A burning fault ends, traffic is put back, further real requests are answered, and each of it is a check."""
    proof, traffic = prove(tmp_path, endpoints)
    assert proof.proven, proof.because
    assert [(one.kind, one.end_reason) for one in proof.ended] == [("error", "reset")]
    assert all(check.holds for check in proof.checks)
    assert any(
        f"no injection in {FURTHER}" in check.detail or "further requests" in check.detail for check in proof.checks
    )
    assert [one.rate for one in traffic.settings] == [5.0, 99.0, 5.0]


@thorough
def test_a_process_that_does_not_answer_is_no_proof(tmp_path: Path, endpoints: FreeEndpoints) -> None:
    """One replica out of reach: the rest is out, and why it is not proven is said."""
    gone = Page("replica 1 of the service", f"http://127.0.0.1:{FreeEndpoints().port('service')}")
    pages = [Page("replica 0 of the service", endpoints.url("service")), gone]
    proof, _ = prove(tmp_path, endpoints, pages=pages, within_s=2.0)
    assert not proof.proven
    (because,) = proof.because
    assert because.startswith("replica 1 of the service answers requests")
    assert "does not answer at" in because
    assert [one.kind for one in proof.ended] == ["error"]


def test_a_place_that_cannot_be_told_is_no_proof(tmp_path: Path, endpoints: FreeEndpoints) -> None:
    """Where a place is out of reach, its words are in the answer, and the counters show what burns on."""
    proof, _ = prove(tmp_path, endpoints, places=Unreachable(), within_s=1.0)
    assert not proof.proven
    text = " ".join(proof.because)
    assert "the traffic generator is unreachable" in text
    assert "firedrill_fault_active is 1" in text
