"""Checks of a run's stages against their prediction, with causes that a real Prometheus and Alertmanager confirm."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from faults.drills.causes import Causes, Doubt, doubtful
from faults.drills.prediction import Timing
from faults.drills.windows import Windows
from faults.drills.wire import DrillRun, Stage, StageCheck
from stack.clients.prometheus import PrometheusClient
from tests.levels import thorough
from tests.realprom import running_prometheus
from tests.unit.faults.small_fireground import Fireground, fireground

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("prometheus")]

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


def check(run: DrillRun, stage: Stage) -> StageCheck:
    """Return the check of one stage of the run's expected alert."""
    return next(one for one in run.outcomes[0].checks if one.stage == stage)


def passed(ground: Fireground, text: str = DRILL) -> DrillRun:
    """Return a run of the drill, which passed."""
    run = ground.ends(ground.start(text))
    assert run.verdict == "passed", run.reason
    return run


@thorough
def test_an_alert_that_comes_again_may_meet_its_old_group(tmp_path: Path) -> None:
    """The first delivery waits for group_wait; after it the group may still be there, and its interval counts."""
    with fireground(tmp_path) as ground:
        first, second = check(passed(ground), "delivered"), check(passed(ground), "delivered")
    assert "group_wait 0.2 s" in first.cause
    assert "its group may still be there: the next group_interval (1 s)" in second.cause
    assert second.within


@thorough
def test_evaluations_that_were_missed_are_the_cause_of_a_late_alert(tmp_path: Path) -> None:
    """Prometheus stands still while the alert is pending: late, outside of the range, and its own counter says why."""
    with fireground(tmp_path) as ground:
        run = ground.start(DRILL.replace("firing_within: 8s", "firing_within: 20s"))
        ground.reaches(run, lambda now: bool(now.outcomes and now.outcomes[0].stages.pending) or _burns_for(now, 0.6))
        process = ground.prometheus.process
        process.send_signal(signal.SIGSTOP)
        try:
            time.sleep(2.5)  # the time that it stands still is what is tested
        finally:
            process.send_signal(signal.SIGCONT)
        ended = ground.ends(run)
        assert ended.verdict == "passed", ended.reason
        late = [check for check in ended.outcomes[0].checks if check.within is False]
        assert late, ended.outcomes[0].checks
        assert late[0].stage in {"condition_true", "pending", "firing"}
        assert "evaluations of the group small were missed" in late[0].cause, late


def _burns_for(run: DrillRun, seconds: float) -> bool:
    return run.fault_at is not None and time.time() - run.fault_at > seconds


def test_where_nothing_moved_no_cause_is_made_up(tmp_path: Path) -> None:
    """A Prometheus at rest explains nothing, and says what was looked at; one that is gone says that."""
    rules = tmp_path / "rules.yml"
    rules.write_text("groups: [{name: 'a.b', rules: [{alert: A, expr: up > 9}]}]\n", encoding="utf-8")
    timing = Timing(0.25, 0.25, 0.0, 0.0, Windows(0.0, 0.0, 0.0, 0), 0.2, 1.0)
    late = StageCheck(stage="firing", measured_s=9.0, earliest_s=1.0, latest_s=2.0, within=False)
    assert doubtful(late, timing)
    with (
        running_prometheus(tmp_path / "prometheus", rules=[rules], interval_s=0.25) as prometheus,
        PrometheusClient(prometheus.url) as client,
    ):
        prometheus.wait_for(lambda: client.rules()[0].evaluated_at is not None, "the first evaluation")
        now = time.time()
        doubt = Doubt(late, now - 1.0, now, "a.b", "", unseen_s=0.0, earlier_group=False, resolved_before_sent=False)
        causes = Causes(client, "firedrill", timing)
        assert causes.explain(doubt) == "no cause found (evaluations looked at)"
        prometheus.process.kill()
        prometheus.process.wait()
        assert "evaluations could not be looked at (Prometheus is unreachable" in causes.explain(doubt)
