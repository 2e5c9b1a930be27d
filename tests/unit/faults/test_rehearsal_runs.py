"""Virtual drills: verdicts as live ones, whatever happens in them, and reports from nothing but what they recorded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.drills.errors import BadDrill
from faults.drills.judge.judge import Judge
from faults.drills.rehearsal.ground import shipped_ground
from faults.drills.rehearsal.run import Rehearsal, Rehearsed
from faults.drills.report.batch import batch_of
from faults.drills.report.html import html
from faults.drills.report.junit import junit
from faults.drills.report.markdown import markdown
from faults.drills.report.pictures import pictures
from faults.drills.report.series import series
from faults.drills.spec import Drill, parse_drill
from faults.drills.wire import STAGES
from stack.pace import WORKSHOP
from tests.levels import thorough

pytestmark = pytest.mark.xdist_group("rehearsal")
DRILL = """
version: 1
name: small
title: A small drill
seed: 3
faults:
  - kind: scrape_failure
    parameters: {mode: truncated}
    ttl: 10m
expect:
  - {alert: ServiceDown, firing_within: 6m, resolved_within: 5m}
allow: [PredictionsAbsent]
"""


@pytest.fixture(scope="module")
def rehearsal(trained: Path) -> Iterator[Rehearsal]:
    """Give a rehearsal of two phases of the scrapes."""
    ground = shipped_ground(WORKSHOP)
    with Judge.started(lookback_s=ground.look_back_s) as judge:
        yield Rehearsal(ground, judge, trained, scrape_phases=2, evaluation_phases=1)


@pytest.fixture(scope="module")
def shown(rehearsal: Rehearsal) -> Rehearsed:
    """Give a drill that passed, with its evidence."""
    return rehearsal.perform(drill(), with_evidence=True)


def drill(*changes: tuple[str, str]) -> Drill:
    """Return the small drill with some words replaced."""
    text = DRILL
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return parse_drill(text)


def test_a_drill_passes_with_every_stage_and_its_range(shown: Rehearsed) -> None:
    """Each stage has its time, the range over the phases around it, and lies where live ones are predicted."""
    run = shown.run
    (outcome,) = (one for one in run.outcomes if one.expected)
    assert (run.verdict, run.seed, run.tries, outcome.verdict) == ("passed", 3, 2, "as expected")
    assert [one.stage for one in outcome.ranges] == list(STAGES)
    assert all(one.reached == one.tries == 2 and one.least_s <= one.most_s for one in outcome.ranges)
    assert [check.within for check in outcome.checks] == [True] * len(STAGES)
    firing = next(one for one in outcome.ranges if one.stage == "firing")
    assert outcome.detection_s is not None
    assert firing.least_s - 0.001 <= outcome.detection_s <= firing.most_s + 0.001


def test_it_is_put_out_when_everyone_had_been_told(shown: Rehearsed) -> None:
    """The fault burns until the slowest phase was delivered, and an interval and a look longer."""
    run = shown.run
    assert run.fault_at is not None
    assert run.rollback_at is not None
    (outcome,) = (one for one in run.outcomes if one.expected)
    delivered = next(one for one in outcome.ranges if one.stage == "delivered")
    assert delivered.most_s <= run.rollback_at - run.fault_at <= delivered.most_s + 2 * WORKSHOP.interval_s


@thorough
def test_the_same_drill_gives_the_same_run(rehearsal: Rehearsal, shown: Rehearsed) -> None:
    """Two runs of one seed are alike to the last digit, id and all; another seed is another run."""
    again = rehearsal.perform(drill()).run
    assert again == shown.run
    other = rehearsal.perform(drill(), seed=4).run
    assert (other.seed, other.id != again.id) == (4, True)
    assert other.outcomes[0].ranges != again.outcomes[0].ranges


def test_the_evidence_is_enough_for_every_report(shown: Rehearsed) -> None:
    """Rule, left sides, states, effect and service signals are there, and each format is drawn from them alone."""
    evidence = shown.evidence
    assert evidence is not None
    alert = next(one for one in evidence.alerts if one.expected)
    assert alert.rule is not None
    assert "ServiceDown" in alert.rule.yaml
    assert alert.signals[0].lines
    assert len(alert.signals[0].lines[0].points) > 10
    assert [span.state for span in alert.states] == ["pending", "firing"]
    assert [one.record.kind for one in evidence.faults] == ["scrape_failure"]
    assert {one.key for one in evidence.signals} == {"request_rate", "error_share", "latency_p95"}
    assert evidence.setup.versions["Prometheus"]
    assert evidence.setup.configuration["clock"].startswith("virtual")
    assert evidence.traces
    assert all(one.spans for one in evidence.traces)
    batch = batch_of([evidence], "small")
    for text in (html(batch), markdown(batch), junit(batch)):
        assert "ServiceDown" in text
    assert "on a virtual clock, 2 phases" in html(batch)
    assert "over all phases" in html(batch)
    assert series(evidence).count("\n") > 50
    assert all(body.startswith(b"\x89PNG") for body in pictures(evidence, "png").values())


def test_an_alert_that_stays_silent_is_missed_and_says_how_near_it_came(rehearsal: Rehearsal) -> None:
    """A fault too weak for its alert fails the drill, with the nearest value next to the threshold."""
    weak = drill(
        ("kind: scrape_failure", "kind: error"),
        ("parameters: {mode: truncated}", "parameters: {mode: status, status: 500}\n    probability: 0.02"),
        ("alert: ServiceDown, firing_within: 6m", "alert: HighErrorRate, firing_within: 3m"),
    )
    run = rehearsal.perform(weak).run
    assert (run.verdict, run.outcomes[0].verdict) == ("failed", "missed")
    assert "at best, which is not > 0.05" in run.outcomes[0].detail


def test_an_alert_that_nobody_asked_for_fails_the_drill(rehearsal: Rehearsal) -> None:
    """What rings beside the expected alerts is unexpected, unless the drill allows it."""
    both = drill(
        ("    ttl: 10m", "    ttl: 10m\n  - {kind: traffic_stop, ttl: 10m}"), ("firing_within: 6m", "firing_within: 9m")
    )
    longer = rehearsal.perform(both, burn_s=60.0).run
    assert longer.verdict == "passed", longer.reason
    strict = drill(
        ("    ttl: 10m", "    ttl: 10m\n  - {kind: traffic_stop, ttl: 20m}"),
        ("firing_within: 6m", "firing_within: 9m"),
        ("allow: [PredictionsAbsent]", ""),
    )
    run = rehearsal.perform(strict, burn_s=60.0).run
    assert run.verdict == "failed"
    assert [one.alert for one in run.outcomes if one.verdict == "unexpected"] == ["PredictionsAbsent"]


def test_a_condition_of_the_drill_aborts_it(rehearsal: Rehearsal) -> None:
    """`abort_if` is evaluated at the pace while it burns, and its reason is the run's."""
    condition = "abort_if:\n  - {promql: 'up{job=\"firedrill\"} == 0', reason: nobody sees it any more}\nexpect:"
    run = rehearsal.perform(drill(("expect:", condition))).run
    assert run.verdict == "aborted"
    assert run.reason.startswith("nobody sees it any more: `up{")


def test_nothing_may_ring(rehearsal: Rehearsal) -> None:
    """A drill that expects nothing passes in silence for as long as it watches, and fails where something rings."""
    quiet = DRILL.partition("expect:")[0].replace("mode: truncated", "mode: status").replace("ttl: 10m", "ttl: 45s")
    run = rehearsal.perform(parse_drill(quiet + "expect: []\nwatch: 4m\n")).run
    assert run.verdict == "passed", run.reason
    assert "nothing rang that may not, for 16 s" in run.reason
    loud = DRILL.partition("expect:")[0] + "expect: []\nwatch: 4m\n"
    assert rehearsal.perform(parse_drill(loud)).run.verdict == "failed"


def test_a_window_longer_than_the_calm_is_insufficient_history(rehearsal: Rehearsal) -> None:
    """An alert over three days cannot be witnessed after minutes; the fault proves nothing, and the drill says so."""
    slow = drill(("alert: ServiceDown, firing_within: 6m", "alert: ErrorBudgetBurnSlow, firing_within: 1m"))
    run = rehearsal.perform(slow, burn_s=5.0).run
    assert (run.verdict, run.outcomes[0].verdict) == ("failed", "insufficient history")
    assert run.fault_at is None
    assert "no steady state" in run.reason


def test_what_cannot_run_is_refused_with_its_line(rehearsal: Rehearsal) -> None:
    """Kinds, parameters, models and alerts that there are not are told together, each with its place in the file."""
    wrong = drill(
        ("mode: truncated", "mode: sideways"),
        ("alert: ServiceDown", "alert: NoSuchAlert"),
        (
            "    ttl: 10m",
            "    ttl: 10m\n  - {kind: no_such_kind, ttl: 1m}\n  - {kind: error, target: {model: gpt}, ttl: 1m}",
        ),
    )
    with pytest.raises(BadDrill) as refused:
        rehearsal.perform(wrong)
    told = str(refused.value)
    for words in ("line 8", "sideways", "NoSuchAlert", "no_such_kind", "'gpt'"):
        assert words in told
