"""A drill on a running stack next to virtual ones: every stage lies where the virtual clock says."""

from __future__ import annotations

import json

import pytest

from tests.live.conftest import SHARED, LiveStack

pytestmark = [pytest.mark.live, SHARED, pytest.mark.timeout(420)]


def test_a_live_drill_agrees_with_virtual_ones(stack: LiveStack) -> None:
    """`agree` holds a live run against virtual ones of ten seeds, and finds every stage within the range."""
    lived = [one for one in stack.conductor().runs() if one.name == "model-missing" and one.verdict == "passed"]
    what = ("--run", lived[0].id) if lived else ("model-missing",)  # of the library's own test, where that ran here
    done = stack.cli("agree", *what, "--jobs", "1", "--json", timeout_s=300.0)
    assert done.returncode == 0, done.stdout + done.stderr
    said = json.loads(done.stdout)
    (drill,) = said["drills"]
    assert said["agrees"] is True
    assert (drill["drill"], drill["live_verdict"], drill["seeds"]) == ("model-missing", "passed", 10)
    stages = {one["stage"]: one for one in drill["alerts"][0]["stages"]}
    assert stages["firing"]["live_s"] is not None
    assert stages["firing"]["least_s"] <= stages["firing"]["most_s"]
    assert all(one["agrees"] for one in stages.values()), stages


def test_a_drill_runs_virtually_beside_a_running_stack(stack: LiveStack) -> None:
    """`drill run --virtual` leaves the stack alone: its conductor hears of no run, and no fault is lit in it."""
    before = [one.id for one in stack.conductor().runs()]
    done = stack.cli("drill", "run", "broken-metrics", "--virtual", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    run = json.loads(done.stdout)
    assert (run["verdict"], run["virtual"], run["name"]) == ("passed", True, "broken-metrics")
    assert [one.id for one in stack.conductor().runs()] == before
    assert [one.kind for one in stack.conductor().faults() if one.state == "active"] == []
