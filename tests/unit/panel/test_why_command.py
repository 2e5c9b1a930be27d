"""``firedrill why`` and ``firedrill bench stages``: what they print of an answer, without a stack."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from faults.drills.reasons import SelectorFinding, Trend, Why
from faults.drills.wire import AlertOutcome, DrillRun, StageCheck, StageTimes, Verdict
from panel.bench.stages import counts, figure
from panel.cli import application
from panel.commands import why as command

NOT_TRUE = Why(
    alert="HighErrorRate",
    at=100.0,
    reason="not true",
    sentence="condition is not true: 0.01 is not > 0.05",
    details=["0.01 is not > 0.05; at its rate of +0.001 per second it gets there in 40 s"],
    trends=[
        Trend(
            expression="a / b",
            operator=">",
            threshold=0.05,
            value=0.01,
            slope_per_s=0.001,
            crosses_in_s=40.0,
            points=[(98.0, 0.0), (99.0, 0.005), (100.0, 0.01)],
        ),
        Trend(expression="c", operator=">", threshold=1.0),
    ],
    selectors=[SelectorFinding(selector="a{}", series=1)],
)


class Conductor:
    """Answers with one answer."""

    def __init__(self, answer: Why) -> None:
        self.answer = answer

    def why(self, _alert: str) -> Why:
        """Return it."""
        return self.answer


def run(monkeypatch: pytest.MonkeyPatch, answer: Why, *options: str) -> tuple[int, str]:
    """Return exit status and output of the command."""
    monkeypatch.setattr(command, "conductor", lambda _timeout_s: Conductor(answer))
    done = CliRunner().invoke(application(), ["why", answer.alert, *options])
    return done.exit_code, done.output


def test_the_sentence_the_values_and_the_trend_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not there is a dash; the sparkline rises with the values."""
    status, said = run(monkeypatch, NOT_TRUE)
    assert status == 0
    for part in (
        "HighErrorRate",
        "not true",
        "0.01 is not > 0.05",
        "gets there in 40 s",
        "> 0.05",
        "40.0 s",
        "▁▅█",
        "–",
    ):
        assert part in said, part


def test_json_is_the_answer_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every field, for scripts."""
    status, said = run(monkeypatch, NOT_TRUE, "--json")
    assert (status, Why.model_validate(json.loads(said))) == (0, NOT_TRUE)


def test_an_alert_that_is_not_there_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit status 1, for scripts; an alert that is merely quiet is none."""
    lost = Why(alert="X[bold]", at=1.0, reason="not loaded", sentence="Prometheus has no alert named 'X[bold]'")
    status, said = run(monkeypatch, lost)
    assert status == 1
    assert "X[bold]" in said


@pytest.mark.parametrize(
    ("values", "drawn"),
    [([], ""), ([1.0], "▁"), ([2.0, 2.0], "▁▁"), ([0.0, 7.0], "▁█"), ([float(i) for i in range(100)][-8:], "▁▂▃▄▅▆▇█")],
)
def test_a_sparkline_lies_between_least_and_greatest(values: list[float], drawn: str) -> None:
    """A flat line lies at the bottom."""
    assert command.sparkline(values) == drawn


def measured(stage_s: float, *, verdict: Verdict = "passed", within: bool = True) -> DrillRun:
    """Return a run whose alert fired at ``stage_s``, predicted at 20 to 21 s."""
    check = StageCheck(stage="firing", measured_s=stage_s, earliest_s=20.0, latest_s=21.0, within=within)
    outcome = AlertOutcome(alert="A", expected=True, stages=StageTimes(), verdict="as expected", checks=[check])
    return DrillRun(
        id="r", name="d", title="t", pace="workshop", phase="done", verdict=verdict, queued_at=0.0, outcomes=[outcome]
    )


def test_a_drill_is_as_good_as_its_worst_stage() -> None:
    """Within the range, within the tolerance, beyond it, late or early."""
    found = [figure(measured(at)) for at in (20.5, 22.5, 18.5, 24.0)]
    assert [(one.value, one.holds) for one in found] == [(0.0, True), (1.5, True), (1.5, True), (3.0, False)]


def test_stages_outside_and_drills_that_did_not_pass_are_counted() -> None:
    """Neither may be: a drill without a proof is no figure, and a stage too early is not within a tolerance."""
    runs = [measured(20.5), measured(19.0, within=False), measured(20.5, verdict="failed")]
    outside, failed = counts(runs)
    assert (outside.value, outside.holds, failed.value, failed.holds) == (1, False, 1, False)
    assert outside.note == "d: A firing at 19.0 s, predicted 20.0 to 21.0 s"
    assert failed.note.startswith("d: failed")
    assert [one.holds for one in counts(runs[:1])] == [True, True]
