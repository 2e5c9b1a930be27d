"""Faults on a whole stack: what real Prometheus sees of those that the service holds, and signals to its process.

First the declared effect of every kind of the service, then what comes from outside and outlives those who sent it.
"""

from __future__ import annotations

import math
import os
import signal

import httpx
import psutil
import pytest

import faults.kinds  # noqa: F401 - fills the catalogue
from faults.base import FaultRecord, FaultRequest, catalogue
from faults.drills.wire import TrafficSettings
from faults.errors import FaultError
from stack.clients.prometheus import PrometheusClient
from stack.errors import SourceError
from stack.pace import WORKSHOP
from stack.rules.scale import scale_expr
from tests.levels import on_request, thorough
from tests.live.conftest import LiveStack, until

pytestmark = [pytest.mark.live, pytest.mark.timeout(300), pytest.mark.xdist_group("fault-effects")]

KINDS = sorted(name for name, kind in catalogue().items() if kind.place == "service")
SAMPLE = ("confidence_collapse", "error", "latency", "memory_leak", "model_load_failure", "ood_inputs")
"""What a thorough run asks of real Prometheus: the required kinds, and a counter's share and a gauge in other shapes.
That every kind moves its signal is shown on the service itself by tests/unit/faults/test_kinds_contract.py."""
PARAMETERS: dict[str, dict[str, object]] = {
    "slow_scrape": {"delay_ms": 500},
    "cpu_burn": {"threads": 2},
    "memory_leak": {"mib_per_s": 128, "most_mib": 192},
}
"""What is lit in the place of defaults that would take the scrapes away with which the effect is measured."""
LEAST = {
    "confidence_collapse": 0.2,
    "cpu_burn": 0.2,
    "latency": 0.5,
    "memory_leak": 64e6,
    "model_load_failure": 0.5,
    "prediction_shift": 0.2,
    "slow_scrape": 0.2,
    "trace_loss": 1.0,
    "scrape_failure": 100.0,
}
"""How far the signal moves at least; 0.3 where nothing is said."""
PATIENCE_S = 60.0


class Lighter:
    """Lights faults where the service holds them, and asks what Prometheus sees."""

    def __init__(self, stack: LiveStack) -> None:
        self._headers = {"Authorization": f"Bearer {stack.home.token()}"}
        self._control = stack.endpoints.url("control")
        self._prometheus = PrometheusClient(stack.endpoints.url("prometheus"))

    def light(self, kind: str) -> FaultRecord:
        """Light ``kind`` for a minute and a half."""
        request = FaultRequest(kind=kind, parameters=PARAMETERS.get(kind, {}), ttl_s=90, seed=1)  # type: ignore[arg-type]
        answer = httpx.post(
            f"{self._control}/faults", content=request.model_dump_json(), headers=self._headers, timeout=30
        )
        assert answer.status_code == httpx.codes.CREATED, answer.text
        return FaultRecord.model_validate_json(answer.content)

    def put_out(self, fault_id: str) -> FaultRecord:
        """Put a fault out."""
        answer = httpx.delete(f"{self._control}/faults/{fault_id}", headers=self._headers, timeout=30)
        return FaultRecord.model_validate_json(answer.content)

    def value(self, kind: str) -> float | None:
        """Return what the effect of ``kind`` is now; the largest of several, ``None`` where it has no value."""
        promql = scale_expr(catalogue()[kind].effect.promql, WORKSHOP.factor)
        try:
            found = [sample.value for sample in self._prometheus.query(promql)]
        except SourceError:
            return None
        return max((value for value in found if math.isfinite(value)), default=None)


@pytest.fixture(scope="module")
def lighter(stack: LiveStack) -> Lighter:
    """Give a stack with traffic for a classifier alone."""
    with stack.conductor() as conductor:
        conductor.set_traffic(TrafficSettings(rate=20.0, models={"iris": 1.0}), actor="test")
    return Lighter(stack)


@pytest.mark.parametrize(
    "kind", [pytest.param(name, marks=thorough if name in SAMPLE else on_request) for name in KINDS]
)
def test_the_declared_effect_is_what_prometheus_sees(lighter: Lighter, kind: str) -> None:
    """The expression has a value in the steady state, moves as declared while the fault burns, and comes back."""
    up, least = catalogue()[kind].effect.moves == "up", LEAST.get(kind, 0.3)

    def moved(from_: float) -> bool:
        now = lighter.value(kind)
        return now is not None and (now > from_ + least if up else now < from_ - least)

    def present() -> tuple[float, ...]:
        now = lighter.value(kind)
        return () if now is None else (now,)

    (quiet,) = until(present, f"the effect of {kind} has a value", PATIENCE_S)
    fault = lighter.light(kind)
    try:
        until(lambda: moved(quiet), f"{kind} moves {catalogue()[kind].effect.moves} from {quiet:g}", PATIENCE_S)
    finally:
        ended = lighter.put_out(fault.id)
    assert ended.error is None
    assert ended.injections > 0
    until(lambda: lighter.value(kind) is not None and not moved(quiet), f"{kind} comes back to {quiet:g}", PATIENCE_S)


def answers(stack: LiveStack) -> bool:
    """Return whether the service is ready."""
    try:
        return httpx.get(stack.endpoints.url("service", "/ready"), timeout=1.0, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def light(stack: LiveStack, kind: str, ttl_s: float) -> FaultRecord:
    """Light a fault by way of the conductor, once that is there."""
    until(lambda: _conducts(stack), "the conductor")
    return stack.conductor().light(FaultRequest(kind=kind, ttl_s=ttl_s), actor="test")


def _conducts(stack: LiveStack) -> bool:
    try:
        return bool(stack.conductor().health())
    except FaultError:
        return False


def kinds_of(stack: LiveStack) -> set[str]:
    """Return the kinds of all faults that are known, burning or not."""
    return {one.kind for one in stack.conductor().faults()}


@thorough
def test_a_service_that_hangs_goes_on_when_its_conductor_is_killed(stack: LiveStack) -> None:
    """After a kill -9 of the conductor the service goes on at once, long before its time, and was never restarted."""
    service = psutil.Process(stack.component("service")["pid"])
    light(stack, "hang", 600.0)
    assert service.status() == psutil.STATUS_STOPPED
    os.kill(stack.component("conductor")["pid"], signal.SIGKILL)
    until(lambda: service.status() != psutil.STATUS_STOPPED, "the service goes on", 15.0)
    until(lambda: answers(stack), "the service answers")
    until(lambda: _conducts(stack) and "hang" not in kinds_of(stack), "the next conductor knows of no hang")
    assert list((stack.home.run / "leftovers").glob("*.json")) == []
    assert stack.component("service")["pid"] == service.pid


@thorough
def test_a_service_that_hangs_is_put_out_by_the_button(stack: LiveStack) -> None:
    """The reset reaches the conductor's own faults though the service is silent, and proves that all is out."""
    light(stack, "hang", 600.0)
    assert not answers(stack)
    proof = stack.conductor().reset(actor="test")
    assert proof.proven, proof.because
    assert [one.kind for one in proof.ended] == ["hang"]
    assert answers(stack)


@on_request
def test_a_crash_loop_leaves_a_service_that_comes_back(stack: LiveStack) -> None:
    """Killed more often than the supervisor has patience for, the service is up again after the fault."""
    before = stack.component("service")["restarts"]
    record = light(stack, "crash", 120.0)

    def kills() -> int:
        return next(one.injections for one in stack.conductor().faults() if one.id == record.id)

    until(lambda: kills() >= 7, "seven kills", 60.0)
    assert stack.conductor().put_out(record.id, actor="test").end_reason == "rolled_back"
    until(lambda: answers(stack), "the service is back", 60.0)
    assert stack.component("service")["restarts"] >= before + 7
    until(lambda: stack.status()["state"] == "up", "all is up", 60.0)
