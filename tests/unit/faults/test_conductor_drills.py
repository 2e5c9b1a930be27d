"""Drills on a small stack with real Prometheus and Alertmanager: every way in which one can end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.base import FaultRequest
from faults.client import ConductorRefused
from faults.drills.wire import STAGES, AlertOutcome, DrillRun, TrafficSettings
from tests.levels import thorough
from tests.unit.faults.small_fireground import Fireground, fireground

DRILL = """\
version: 1
name: small
title: A small drill
steady_state: {within: 6s, hold: 500ms}
faults:
  - {kind: error, parameters: {status: 500}, ttl: 20s}
expect:
  - {alert: Errors, firing_within: 8s, delivered_within: 5s, resolved_within: 8s}
allow: [ErrorsToo, Always]
"""


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fireground]:
    """One small stack for the drills that leave it as it was."""
    with fireground(tmp_path_factory.mktemp("ground")) as running:
        yield running


@pytest.fixture
def own_ground(tmp_path: Path) -> Iterator[Fireground]:
    """Run a small stack that a test may break."""
    with fireground(tmp_path) as running:
        yield running


def outcome_of(run: DrillRun, alert: str) -> AlertOutcome:
    """Return the outcome of ``alert``."""
    return next(one for one in run.outcomes if one.alert == alert)


def burns(run: DrillRun) -> bool:
    """Say whether the fault is lit."""
    return run.phase == "fault" and bool(run.fault_ids)


def test_a_drill_passes_with_every_stage_timed_in_order(ground: Fireground) -> None:
    """The whole life of an alert, from the sources' own times, traffic applied and put back, and the journal's word."""
    before = ground.traffic.settings[-1]
    run = ground.ends(ground.start(DRILL + "traffic: {rate: 7}\n"))
    assert (run.verdict, run.progress) == ("passed", ""), run.reason
    stages = outcome_of(run, "Errors").stages.model_dump()
    times = [stages[name] for name in STAGES]
    assert all(time is not None for time in times), stages
    assert times == sorted(times)
    assert run.fault_at is not None
    assert times[0] > run.fault_at - 0.3
    assert times[2] - times[1] == pytest.approx(0.5, abs=0.02)
    assert stages["resolution_delivered"] >= stages["resolved"]
    outcome = outcome_of(run, "Errors")
    assert [(check.stage, check.within) for check in outcome.checks] == [(stage, True) for stage in STAGES]
    assert run.rollback_at is not None
    assert (outcome.detection_s, outcome.reset_s) == (times[2] - run.fault_at, times[6] - run.rollback_at)
    assert outcome_of(run, "Always").verdict == "already firing"
    assert ground.traffic.settings[-2].rate == 7.0
    assert ground.traffic.settings[-1] == before
    mine = [line for line in ground.client.journal() if run.id in (line.subject, line.facts.get("run"))]
    drill = f"drill {run.id}"
    actions = [(drill, "drill_ended"), (drill, "fault_put_out"), (drill, "fault_lit"), ("test", "drill_started")]
    assert [(line.actor, line.action) for line in mine] == actions
    assert ground.client.runs()[0] == run


@pytest.mark.parametrize(
    ("alert", "verdict", "said"),
    [
        ("Always", "already firing", "before any fault"),
        ("LongLook", "insufficient history", "looks back 3600 s"),
        ("LongRead", "insufficient history", "looks back 3600 s"),
    ],
)
def test_without_a_steady_state_no_fault_is_lit(ground: Fireground, alert: str, verdict: str, said: str) -> None:
    """An alert that fires already, and one whose window is longer than the history, are failures and no detections."""
    text = DRILL.replace("alert: Errors,", f"alert: {alert},").replace("within: 6s", "within: 1s")
    run = ground.ends(ground.start(text.replace("allow: [ErrorsToo, Always]", "")))
    assert (run.verdict, run.fault_at, run.fault_ids) == ("failed", None, []), run
    assert outcome_of(run, alert).verdict == verdict
    assert said in outcome_of(run, alert).detail
    assert "no steady state within 1 s" in run.reason


def test_an_alert_that_stays_silent_is_missed_with_the_reason(ground: Fireground) -> None:
    """What held it back stands in the outcome, and the fault is out."""
    run = ground.ends(
        ground.start(DRILL.replace("alert: Errors, firing_within: 8s", "alert: Never, firing_within: 4s"))
    )
    outcome = outcome_of(run, "Never")
    assert (run.verdict, outcome.verdict) == ("failed", "missed")
    assert "condition is not true: 1 is not > 3" in outcome.detail
    assert ground.burning() == []


def test_an_alert_that_nobody_expects_fails_the_drill(ground: Fireground) -> None:
    """The expected alert did everything right, and still another one rang."""
    run = ground.ends(ground.start(DRILL.replace("allow: [ErrorsToo, Always]", "allow: [Always]")))
    assert (run.verdict, outcome_of(run, "Errors").verdict) == ("failed", "as expected"), run.reason
    assert outcome_of(run, "ErrorsToo").verdict == "unexpected"


def test_an_alert_that_rings_too_late_is_late(ground: Fireground) -> None:
    """Fired, but after its bound."""
    run = ground.ends(ground.start(DRILL.replace("firing_within: 8s", "firing_within: 600ms")))
    assert run.verdict == "failed"
    assert outcome_of(run, "Errors").verdict in {"late", "missed"}


def test_an_abort_puts_the_fault_out_before_it_returns(ground: Fireground) -> None:
    """Who asked is said; a second abort changes nothing."""
    run = ground.reaches(ground.start(DRILL), burns)
    with pytest.raises(ConductorRefused, match=f"drill 'small' \\(run {run.id}\\) is still running") as refused:
        ground.start(DRILL)
    assert refused.value.status == 409
    aborted = ground.client.abort(run.id, actor="somebody")
    assert (aborted.verdict, aborted.reason, aborted.phase) == ("aborted", "aborted by somebody", "done")
    assert ground.burning() == []
    assert ground.client.abort(run.id, actor="another") == aborted


def test_a_fault_put_out_by_someone_else_ends_the_drill(ground: Fireground) -> None:
    """A fault that somebody puts out is no pass and no failure of the alert."""
    run = ground.reaches(ground.start(DRILL), burns)
    (burning,) = [one for one in ground.client.faults() if one.state == "active"]
    ground.client.put_out(burning.id, actor="panel")
    ended = ground.ends(run)
    assert ended.verdict == "aborted"
    assert "was put out by someone else" in ended.reason


def test_the_button_that_puts_everything_out_stops_the_drill_and_proves_it(ground: Fireground) -> None:
    """The drill is aborted, what it changed is put back, and the counters stand still before the answer comes."""
    run = ground.reaches(ground.start(DRILL), burns)
    proof = ground.client.reset(actor="panel")
    assert proof.proven, proof.because
    assert proof.because == []
    assert ground.burning() == []
    assert (ground.client.run(run.id).verdict, ground.client.run(run.id).reason) == ("aborted", "aborted by panel")


def test_a_fault_that_expires_too_early_is_said(ground: Fireground) -> None:
    """The alert misses, and the reason names the time to live."""
    text = DRILL.replace("ttl: 20s", "ttl: 300ms").replace("firing_within: 8s", "firing_within: 3s")
    run = ground.ends(ground.start(text.replace("alert: Errors,", "alert: Never,")))
    assert run.verdict == "failed"
    assert "ended after 0.3 s by its own time to live" in outcome_of(run, "Never").detail


def test_a_drill_that_cannot_run_here_is_refused_with_every_reason(ground: Fireground) -> None:
    """Unknown kinds, parameters out of bounds and unknown alerts are found before anything is lit."""
    text = (
        DRILL.replace("alert: Errors,", "alert: Nonsense,")
        .replace("faults:\n", "faults:\n  - {kind: earthquake, ttl: 1m}\n")
        .replace("status: 500", "status: 200")
    )
    with pytest.raises(ConductorRefused) as refused:
        ground.start(text)
    assert refused.value.status == 422
    for said in ("unknown fault kind 'earthquake'", "status: expected at least 400, got 200", "no alert 'Nonsense'"):
        assert said in refused.value.message


def test_a_drill_wants_no_other_fault(ground: Fireground) -> None:
    """Something that burns already would spoil the proof."""
    request = FaultRequest(kind="latency", parameters={"delay_ms": 1}, ttl_s=30)
    record = ground.client.light(request, actor="panel")
    with pytest.raises(ConductorRefused, match=f"already burning: latency \\({record.id}\\)"):
        ground.start(DRILL)
    ground.client.put_out(record.id, actor="panel")


def test_settings_chosen_during_a_drill_are_kept(ground: Fireground) -> None:
    """Who changes the traffic in mid-drill does not find it changed back."""
    run = ground.reaches(ground.start(DRILL + "traffic: {rate: 7}\n"), burns)
    ground.client.set_traffic(TrafficSettings(rate=11.0), actor="panel")
    ground.client.abort(run.id, actor="test")
    assert ground.client.traffic().settings.rate == 11.0


def test_alerts_say_what_they_wait_for(ground: Fireground) -> None:
    """Each rule is shown with its state, its last life and a sentence."""
    assert ground.ends(ground.start(DRILL)).verdict == "passed"
    statuses = {status.alert: status for status in ground.client.alerts()}
    assert set(statuses) == {"Errors", "ErrorsToo", "Always", "Never", "LongLook", "LongRead"}
    assert (statuses["Always"].state, statuses["Always"].value) == ("firing", 1.0)
    assert statuses["Always"].waits_for.startswith("firing; delivered")
    assert statuses["Never"].waits_for == "condition is not true: 1 is not > 3"
    assert statuses["Errors"].stages.firing is not None


def test_a_service_restart_is_noticed(own_ground: Fireground) -> None:
    """The fault went with the process: an error, neither a pass nor a silent miss."""
    run = own_ground.reaches(own_ground.start(DRILL.replace("alert: Errors,", "alert: Never,")), burns)
    own_ground.restart_service()
    ended = own_ground.ends(run)
    assert ended.verdict == "error"
    assert "the service was restarted" in ended.reason


@pytest.mark.parametrize("victim", ["prometheus", pytest.param("alertmanager", marks=thorough)])
def test_a_source_that_dies_is_an_error_and_the_fault_is_out(own_ground: Fireground, victim: str) -> None:
    """Without its witness a drill never passes."""
    run = own_ground.reaches(own_ground.start(DRILL), burns)
    (own_ground.prometheus if victim == "prometheus" else own_ground.alertmanager).process.kill()
    ended = own_ground.ends(run)
    assert ended.verdict == "error"
    assert "unreachable" in ended.reason
    assert own_ground.burning() == []
    with pytest.raises(ConductorRefused) as refused:
        own_ground.start(DRILL)
    assert refused.value.status == 503


@thorough
def test_a_conductor_that_is_told_to_stop_puts_the_fault_out(own_ground: Fireground) -> None:
    """The run is aborted, and the next conductor still knows it."""
    run = own_ground.reaches(own_ground.start(DRILL), burns)
    own_ground.stop_conductor()
    own_ground.start_conductor()
    ended = own_ground.client.run(run.id)
    assert (ended.verdict, ended.reason) == ("aborted", "the conductor was stopped")
    assert own_ground.burning() == []
