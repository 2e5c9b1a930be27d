"""What the conductor keeps of a run, on a small stack with real Prometheus and Alertmanager."""

from __future__ import annotations

import _thread
import threading
import time
from collections.abc import Iterator
from xml.etree import ElementTree as ET

import pytest

from faults.client import ConductorRefused
from faults.drills.report.batch import Batch, batch_of
from faults.drills.report.html import html
from faults.drills.report.junit import junit
from faults.drills.wire import DrillStart
from panel.commands.drill_batch import Chosen, Drilling
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
    """One small stack for all."""
    with fireground(tmp_path_factory.mktemp("ground")) as running:
        yield running


def test_a_run_leaves_its_rule_its_series_its_states_and_its_fault(ground: Fireground) -> None:
    """All that its report is drawn from is there when it is over; the trace store that is not there is a note."""
    run = ground.ends(ground.start(DRILL))
    evidence = ground.client.evidence(run.id)
    assert evidence.run == ground.client.run(run.id)
    assert evidence.drill_text == DRILL
    assert [(one.kind, one.at_s) for one in evidence.planned] == [("error", 0.0)]
    fault = evidence.faults[0]
    assert (fault.record.id, fault.record.state) == (run.fault_ids[0], "ended")
    alert = evidence.alerts[0]
    assert (alert.alert, alert.expected) == ("Errors", True)
    assert alert.rule is not None
    assert "alert: Errors" in alert.rule.yaml
    assert "for: 500ms" in alert.rule.yaml
    signal = alert.signals[0]
    assert (signal.operator, signal.threshold) == (">", 0.1)
    values = [value for _, value in signal.lines[0].points]
    assert min(values) < 0.1 < max(values)
    assert all(evidence.start <= at <= evidence.end + 1e-3 for at, _ in signal.lines[0].points)
    states = [span.state for span in alert.states]
    assert states == ["pending", "firing"]
    assert alert.states[1].start == pytest.approx(run.outcomes[0].stages.firing, abs=0.01)
    assert evidence.setup.versions.keys() >= {"Firedrill", "Python", "Prometheus"}
    assert evidence.setup.configuration["seed"] == str(run.seed)
    assert any("the traces could not be gathered in full" in note for note in evidence.notes)
    batch = batch_of([evidence], "t")
    assert run.id in html(batch)
    assert len(ET.fromstring(junit(batch)).findall("testsuite/testcase")) == 2  # noqa: S314 - our own


def test_a_run_that_is_aborted_leaves_evidence_too(ground: Fireground) -> None:
    """It names the verdict, and the picture reaches to the end of the run."""
    run = ground.reaches(ground.start(DRILL), lambda now: now.phase == "fault" and bool(now.fault_ids))
    with pytest.raises(ConductorRefused, match="no evidence of drill run"):
        ground.client.evidence(run.id)
    ended = ground.ends(ground.client.abort(run.id, actor="test"))
    evidence = ground.client.evidence(run.id)
    assert evidence.run.verdict == "aborted"
    assert evidence.end == ended.ended_at
    assert evidence.faults[0].record.ended_at is not None


def test_a_run_without_a_fault_leaves_evidence_too(ground: Fireground) -> None:
    """No steady state: the alert that rang before stands in it with its state."""
    text = DRILL.replace("alert: Errors,", "alert: Always,").replace("within: 6s", "within: 1s")
    run = ground.ends(ground.start(text.replace("allow: [ErrorsToo, Always]", "")))
    evidence = ground.client.evidence(run.id)
    assert (evidence.run.verdict, evidence.faults) == ("failed", [])
    assert evidence.alerts[0].states[-1].state == "firing"


def test_a_run_that_nobody_knows_is_no_such_run(ground: Fireground) -> None:
    """404, with the way to the known ones."""
    with pytest.raises(ConductorRefused, match="firedrill drill runs") as refused:
        ground.client.evidence("nobody")
    assert refused.value.status == 404


def chosen(text: str, name: str, kinds: tuple[str, ...] = ("error",)) -> Chosen:
    """Return a drill to run."""
    return Chosen(name, DrillStart(text=text), kinds)


def drilling(ground: Fireground, *drills: Chosen, fail_fast: bool = False) -> Drilling:
    """Return what runs them, drawing nothing."""
    batch = Batch(title="t", started_at=time.time(), ended_at=time.time())
    return Drilling(ground.client, drills, batch, quiet=True, with_evidence=True, fail_fast=fail_fast)


@thorough
def test_several_drills_run_on_after_one_that_failed(ground: Fireground) -> None:
    """Failed, refused, skipped with the reason, passed: each has its place; the exit status is that of a failure."""
    never = DRILL.replace("alert: Errors, firing_within: 8s", "alert: Never, firing_within: 1s")
    never = never.replace("allow: [", "allow: [Errors, ")
    unknown = DRILL.replace("alert: Errors,", "alert: Nobody,")
    running = drilling(
        ground,
        chosen(never, "never"),
        chosen(unknown, "unknown"),
        chosen(DRILL, "boxed", ("container_kill",)),
        chosen(DRILL, "small"),
    )
    running.perform()
    assert [case.standing for case in running.batch.cases] == ["failed", "error", "skipped", "passed"]
    assert "has no alert 'Nobody'" in running.batch.cases[1].reason
    assert running.batch.cases[2].reason.startswith("container_kill: ")
    assert running.batch.exit_code() == 1
    score = running.batch.score().total
    assert (score.detected, score.missed, score.precision, score.recall) == (1, 1, 1.0, 0.5)


def test_fail_fast_leaves_the_rest(ground: Fireground) -> None:
    """What was not reached is said."""
    unknown = DRILL.replace("alert: Errors,", "alert: Nobody,")
    running = drilling(ground, chosen(unknown, "unknown"), chosen(DRILL, "small"), fail_fast=True)
    running.perform()
    assert [case.standing for case in running.batch.cases] == ["error", "not run"]
    assert running.batch.exit_code() == 2


def test_an_interruption_puts_out_what_burns_and_keeps_what_there_is(ground: Fireground) -> None:
    """The run under way is aborted with its evidence, the rest is not run, the exit status is 130."""
    running = drilling(ground, chosen(DRILL, "small"), chosen(DRILL, "later"))

    def interrupt() -> None:
        deadline = time.monotonic() + 30
        while not ground.burning() and time.monotonic() < deadline:
            time.sleep(0.05)
        _thread.interrupt_main()

    threading.Thread(target=interrupt, daemon=True).start()
    running.perform()
    assert [case.standing for case in running.batch.cases] == ["aborted", "not run"]
    assert running.batch.cases[0].evidence is not None
    assert ground.burning() == []
    assert running.batch.exit_code() == 130
