"""The library drills, live: real service, real Prometheus, real Alertmanager, the real command line."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import faults.drills
from faults.drills.wire import STAGES, DrillStart
from tests.levels import ALL_LIVE, thorough
from tests.live.conftest import SHARED, LiveStack, until

pytestmark = [pytest.mark.live, SHARED, pytest.mark.timeout(300)]

LIBRARY = sorted(path.stem for path in (Path(faults.drills.__file__).parent / "library").glob("*.yaml"))
SAMPLE = ("error-burst", "model-missing")
"""What a thorough run runs live, however the library grows: a fault of single requests for an alert without labels, and
one of a model for an alert that is told by its labels; one that leaves the service ready, and one that does not. By
default the second is run alone: the first one's fault and alert are lit and seen in tests/browser/test_panel.py."""
STACKS = 2
"""So many stacks take the drills in turn where all of them run."""
LONG = {"budget-creep": 1200, "budget-drain": 500, "budget-plunge": 400}
"""Drills whose alerts themselves take their time, in seconds."""


def chosen() -> list[object]:
    """Return the drills to run live: one or the sample, or with FIREDRILL_ALL_LIVE=true all, spread over stacks."""
    assert set(SAMPLE) <= set(LIBRARY)
    if not ALL_LIVE:
        return [pytest.param(SAMPLE[0], marks=thorough), *SAMPLE[1:]]
    groups = [pytest.mark.xdist_group(f"drills-{index % STACKS}") for index in range(len(LIBRARY))]
    return [
        pytest.param(name, marks=[group, pytest.mark.timeout(LONG.get(name, 200) + 100)])
        for name, group in zip(LIBRARY, groups, strict=True)
    ]


def skip_where_it_needs_containers(stack: LiveStack, name: str) -> None:
    """Skip a drill whose kind the native runtime says it cannot offer; tests/docker runs those."""
    client = stack.conductor()
    (drill,) = [one for one in client.drills() if one.name == name]
    for kind in client.kinds():
        if kind.kind in drill.kinds and (kind.unavailable_because or "").startswith("the service is no container"):
            pytest.skip(f"{kind.kind}: {kind.unavailable_because}")


@pytest.mark.parametrize("name", chosen())
def test_library_drill_rings_and_resolves(stack: LiveStack, name: str) -> None:
    """Every expected alert passes all eight stages in order, the fault is out afterwards, and the exit status is 0."""
    skip_where_it_needs_containers(stack, name)
    done = stack.cli("drill", "run", name, "--json", timeout_s=LONG.get(name, 200))
    assert done.returncode == 0, done.stdout + done.stderr
    run = json.loads(done.stdout)
    assert run["verdict"] == "passed"
    expected = [outcome for outcome in run["outcomes"] if outcome["expected"]]
    assert expected
    for outcome in expected:
        times = [outcome["stages"][stage] for stage in STAGES]
        assert None not in times, outcome
        assert outcome["verdict"] == "as expected"
        condition, pending, firing, received, grouped, delivered, resolved, told = times
        assert run["fault_at"] <= pending <= firing <= delivered < resolved <= told
        assert received - 0.5 <= grouped <= delivered + 0.5
        assert condition <= pending + 0.3, "Prometheus saw the condition before it was true"
        assert firing - 0.5 <= received <= delivered + 0.5
    assert all(fault.state == "ended" for fault in stack.conductor().faults())


@thorough
def test_alert_that_fires_before_the_fault_is_no_detection(stack: LiveStack) -> None:
    """A drill whose alert is already active fails its steady state and lights nothing."""
    client = stack.conductor()
    lit = stack.cli("fault", "on", "error", "status=500", "--ttl", "90s")
    assert lit.returncode == 0, lit.stderr
    try:
        until(
            lambda: any(a.alert == "HighErrorRate" and a.state != "inactive" for a in client.alerts()),
            "a pending HighErrorRate",
        )
    finally:
        assert stack.cli("fault", "reset").returncode == 0
    impatient = (
        "version: 1\nname: impatient\ntitle: Impatient\ndescription: Does not wait for a steady state.\n"
        "steady_state: {within: 15s, hold: 15s}\n"
        "faults: [{kind: error, parameters: {status: 500}, ttl: 10m}]\n"
        "expect: [{alert: HighErrorRate, firing_within: 10m, resolved_within: 10m}]\n"
    )
    run_id = client.start_drill(DrillStart(text=impatient), actor="test").id  # at once, or the alert is gone again
    until(lambda: client.run(run_id).phase == "done", "the end of the drill", timeout_s=90)
    run = client.run(run_id)
    assert run.fault_at is None
    assert run.outcomes[0].verdict == "already firing"
    assert run.outcomes[0].stages.firing is None


@thorough
def test_alarm_that_does_not_ring_fails_the_drill(stack: LiveStack, tmp_path: Path) -> None:
    """A fault too mild for the alert gives exit status 1 and the verdict missed, and is put out."""
    drill = tmp_path / "mild.yaml"
    drill.write_text(
        "version: 1\nname: mild\ntitle: Mild\ndescription: A delay far below the threshold.\n"
        "steady_state: {within: 30m, hold: 15s}\n"
        "faults: [{kind: latency, parameters: {delay_ms: 50}, ttl: 10m}]\n"
        "expect: [{alert: HighLatency, firing_within: 6m, resolved_within: 2m}]\n"
    )
    done = stack.cli("drill", "run", str(drill), "--json")
    run = json.loads(done.stdout)
    assert done.returncode == 1, done.stdout
    assert run["outcomes"][0]["verdict"] == "missed"
    assert all(fault.state == "ended" for fault in stack.conductor().faults())


@thorough
def test_interrupted_drill_puts_its_fault_out(stack: LiveStack) -> None:
    """Ctrl-C aborts the run on the conductor: the fault is out before the command returns."""
    command = [sys.executable, "-m", "panel.cli", "drill", "run", "slow-responses"]
    client = stack.conductor()
    with subprocess.Popen(
        command, env=stack.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as drill:
        until(lambda: any(f.state == "active" for f in client.faults()), "the drill's fault", timeout_s=90)
        drill.send_signal(signal.SIGINT)
        output, _ = drill.communicate(timeout=30)
    assert drill.returncode == 130, output
    assert all(fault.state == "ended" for fault in client.faults())
    assert client.runs(limit=1)[0].verdict == "aborted"


RINGS = "HighErrorRate"


def drill_file(fault: str, alert: str = RINGS) -> str:
    """Return the text of a drill with one fault, written as a YAML flow mapping."""
    return (
        "version: 1\nname: x\ntitle: t\ndescription: d\n"
        f"faults: [{fault}]\nexpect: [{{alert: {alert}, firing_within: 5m, resolved_within: 5m}}]\n"
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("version: 1\nname: x\n  bad: [", "YAML", id="bad YAML"),
        *(
            pytest.param(drill_file(fault, alert), says, marks=thorough, id=name)
            for name, fault, alert, says in (
                (
                    "unknown model",
                    "{kind: error, target: {model: nonesuch}, ttl: 5m}",
                    RINGS,
                    "no model is named 'nonesuch'",
                ),
                ("unknown fault", "{kind: nonsense, ttl: 5m}", RINGS, "nonsense"),
                ("unknown alert", "{kind: error, ttl: 5m}", "NoSuchAlert", "NoSuchAlert"),
                ("out of range", "{kind: error, parameters: {status: 99}, ttl: 5m}", RINGS, "status"),
                ("no time to live", "{kind: error}", RINGS, "ttl"),
            )
        ),
    ],
)
def test_bad_drill_file_is_refused_before_anything_burns(
    stack: LiveStack, tmp_path: Path, text: str, says: str
) -> None:
    """A drill that cannot run is one clear message and exit status 2; no fault is lit."""
    drill = tmp_path / "bad.yaml"
    drill.write_text(text)
    before = len(stack.conductor().faults())
    done = stack.cli("drill", "run", str(drill))
    assert done.returncode == 2, done.stdout + done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert len(stack.conductor().faults()) == before
