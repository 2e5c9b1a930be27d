"""Faults from outside on a whole stack: signals to the real service, past the death of those who sent them."""

from __future__ import annotations

import os
import signal

import httpx
import psutil
import pytest

from faults.base import FaultRecord, FaultRequest
from faults.errors import FaultError
from tests.live.conftest import LiveStack, until

pytestmark = [pytest.mark.live, pytest.mark.timeout(300), pytest.mark.xdist_group("faults-from-outside")]


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


def test_a_service_that_hangs_goes_on_when_its_conductor_is_killed(stack: LiveStack) -> None:
    """After a kill -9 of the conductor the service goes on at once, long before its time, and was never restarted."""
    service = psutil.Process(stack.component("service")["pid"])
    light(stack, "hang", 600.0)
    assert service.status() == psutil.STATUS_STOPPED
    os.kill(stack.component("conductor")["pid"], signal.SIGKILL)
    until(lambda: service.status() != psutil.STATUS_STOPPED, "the service goes on", 15.0)
    until(lambda: answers(stack), "the service answers")
    until(lambda: _conducts(stack) and not stack.conductor().faults(), "the next conductor knows of no fault")
    assert list((stack.home.run / "leftovers").glob("*.json")) == []
    assert stack.component("service")["pid"] == service.pid


def test_a_service_that_hangs_is_put_out_by_the_button(stack: LiveStack) -> None:
    """The reset reaches the conductor's own faults though the service is silent, and proves that all is out."""
    light(stack, "hang", 600.0)
    assert not answers(stack)
    proof = stack.conductor().reset(actor="test")
    assert proof.proven, proof.because
    assert [one.kind for one in proof.ended] == ["hang"]
    assert answers(stack)


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
