"""Prometheus or Alertmanager killed and back: who says what happened, and that drills pass again."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Mapping

import pytest

from faults.drills.wire import DrillRun, DrillStart
from panel.sources import Sources
from stack.pace import WORKSHOP
from stack.status import ComponentStatus, read_status
from tests.levels import on_request
from tests.live.conftest import LiveStack, until

pytestmark = [on_request, pytest.mark.live, pytest.mark.timeout(360)]

KILLS = 4
"""So many in a row make the supervisor wait longer each time, and not yet give up."""


def part(stack: LiveStack, name: str) -> ComponentStatus:
    """Return how one component is now."""
    return next(each for each in read_status(stack.home).components if each.name == name)


def kill_until(stack: LiveStack, name: str, signs: Mapping[str, Callable[[], bool]]) -> None:
    """Kill a component as often as it takes until every sign of it has shown; wait until it is back."""
    missing = dict(signs)
    for _ in range(KILLS):
        victim = until(lambda: part(stack, name).pid, f"{name} to run")
        os.kill(victim, signal.SIGKILL)
        deadline = time.monotonic() + 40
        while (now := part(stack, name)).state != "ready" or now.pid == victim:
            missing = {sign: shows for sign, shows in missing.items() if not shows()}
            assert time.monotonic() < deadline, f"{name} did not come back: {now.detail}"
        if not missing:
            break
    assert not missing, f"nobody said: {', '.join(missing)}"
    until(lambda: read_status(stack.home).state == "up", f"a whole stack after {name} was killed")


def start_drill(stack: LiveStack) -> str:
    """Start a drill and return its id once its fault is lit."""
    client = stack.conductor()
    run_id = client.start_drill(DrillStart(name="model-missing"), actor="test").id
    until(lambda: client.run(run_id).fault_ids, "the fault of the drill", timeout_s=90)
    return run_id


def ended(stack: LiveStack, run_id: str) -> DrillRun:
    """Return a drill's end."""
    client = stack.conductor()
    until(lambda: client.run(run_id).phase == "done", "the end of the drill", timeout_s=120)
    return client.run(run_id)


def test_prometheus_and_alertmanager_are_killed_and_drills_pass_again(fresh: LiveStack) -> None:
    """Status, conductor and panel say what is gone, a drill under way ends as an error, the next one passes."""
    fresh.start()
    client = fresh.conductor()
    sources = Sources(fresh.home, fresh.endpoints, WORKSHOP)
    until(lambda: sources.board.get().state == "fresh", "the panel's numbers")

    def degraded(title: str) -> Callable[[], bool]:
        def said() -> bool:
            status = read_status(fresh.home)
            return status.state == "degraded" and title in status.detail

        return said

    def unknown() -> bool:
        return all(one.state == "unknown" and "Prometheus is unreachable" in one.waits_for for one in client.alerts())

    def stale() -> bool:
        reading = sources.board.get()
        return reading.state == "stale" and "Prometheus is unreachable" in str(reading.problem)

    run_id = start_drill(fresh)
    signs = {"status": degraded("Prometheus"), "the conductor's alerts": unknown, "the panel": stale}
    kill_until(fresh, "prometheus", signs)
    run = ended(fresh, run_id)
    assert run.verdict == "error", run
    assert "Prometheus" in run.reason
    assert not [fault for fault in client.faults() if fault.state == "active"], "what the drill lit is out"
    until(lambda: sources.board.get().state == "fresh", "the panel's numbers again")

    run_id = start_drill(fresh)
    kill_until(fresh, "alertmanager", {"status": degraded("Alertmanager")})
    run = ended(fresh, run_id)
    assert run.verdict == "error", run
    assert "Alertmanager" in run.reason

    done = fresh.cli("drill", "run", "model-missing", "--json", timeout_s=200)
    assert json.loads(done.stdout)["verdict"] == "passed", done.stdout
    assert done.returncode == 0
    assert {each.restarts for each in read_status(fresh.home).components if "manager" in each.name} == {1}
