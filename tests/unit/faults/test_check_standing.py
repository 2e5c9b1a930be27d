"""For what a check fails, and which repairs it shows."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from faults.base import catalogue
from faults.drills.check.check import Options, scenarios_of
from faults.drills.check.errors import NothingToTry, UnknownFailOn
from faults.drills.check.horizon import horizon_of
from faults.drills.check.mix import models_of
from faults.drills.check.repairs import judged, repairs_of
from faults.drills.check.result import AlertResult, CheckResult, Verdict
from faults.drills.check.scenarios import READY, STEADY, burning, fault_scenarios, ready_faults
from faults.drills.check.standing import DEFAULT, MEANINGS, FailOn, failings, read_fail_on
from faults.drills.check.tried import Tried
from faults.drills.judge.judgement import Judgement, PhaseJudgement
from faults.drills.lint.finding import Finding, Place
from stack.rules.read import read_rules
from tests.unit.faults.made_tries import made_try

ROOT = Path(__file__).parents[3]
PLACE = Place(file="a.yml", group="a", rule="A", line=4)
FINDING = Finding(check="some", severity="warning", place=PLACE, message="odd", consequence="It may not fire.")
TEXT = "groups:\n  - name: a\n    rules:\n      - alert: A\n        expr: x > 5\n        for: 5m\n"
FILE = read_rules(TEXT, Path("a.yml"))


def result(alert: dict[str, object]) -> CheckResult:
    """Return a check of one alert."""
    facts = {"verdict": Verdict.FIRES, "quiet": True, "reason": "because"} | alert
    one = AlertResult.model_validate({"place": PLACE, "expr": "x > 5", "for_s": 300.0, **facts})
    return CheckResult(files=["a.yml"], alerts=[one], findings=list(one.findings))


@pytest.mark.parametrize(
    ("alert", "reasons"),
    [
        ({}, set()),
        ({"quiet": False}, {FailOn.NOISY}),
        ({"quiet": None, "verdict": Verdict.NOT_COVERED}, {FailOn.NOT_COVERED}),
        ({"verdict": Verdict.CANNOT_FIRE}, {FailOn.CANNOT_FIRE}),
        ({"verdict": Verdict.DID_NOT_FIRE}, {FailOn.DID_NOT_FIRE}),
        ({"verdict": Verdict.INSUFFICIENT_HISTORY}, {FailOn.INSUFFICIENT_HISTORY}),
        ({"verdict": Verdict.DID_NOT_FIRE, "error": "slow"}, {FailOn.DID_NOT_FIRE, FailOn.ERROR}),
        ({"findings": [FINDING]}, {FailOn.WARNING}),
        ({"findings": [FINDING.model_copy(update={"severity": "error"})]}, {FailOn.ERROR, FailOn.WARNING}),
        ({"findings": [FINDING.model_copy(update={"severity": "info"})]}, set()),
    ],
)
def test_each_thing_has_its_own_word(alert: dict[str, object], reasons: set[FailOn]) -> None:
    """Only what was asked for fails a check, and `never` is nothing at all."""
    checked = result(alert)
    assert {reason for _, reason, _ in failings(checked, frozenset(FailOn))} == reasons
    assert not failings(checked, read_fail_on("never"))
    for reason in FailOn:
        assert bool(failings(checked, frozenset({reason}))) == (reason in reasons)


def test_findings_of_recording_rules_count_too() -> None:
    """They have no alert of their own, and are wrong all the same."""
    checked = result({})
    other = FINDING.model_copy(update={"place": PLACE.model_copy(update={"rule": "job:x:sum", "line": 2})})
    checked.findings.append(other)
    assert [what for what, _, _ in failings(checked, frozenset({FailOn.WARNING}))] == [other]


def test_the_documentation_lists_every_word() -> None:
    """In the order of the command's own help, each with what it fails for."""
    page = (ROOT / "docs" / "check.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `([a-z-]+)` \| (.*) \|$", page, re.MULTILINE)
    assert [word for word, _ in listed] == list(FailOn)
    for word, said in listed:
        assert MEANINGS[FailOn(word)] in said
    assert f"`{DEFAULT}`" in page


@pytest.mark.parametrize("given", ["errors", "error,never", "fires"])
def test_an_unknown_word_is_refused(given: str) -> None:
    """A misspelt word would else never fail anything."""
    with pytest.raises(UnknownFailOn, match="Known are: never, error"):
        read_fail_on(given)


@pytest.mark.parametrize(
    ("calm", "burning", "shown"),
    [([], [(0.0, 300.0, None)], True), ([(-600.0, -300.0, None)], [], False), ([], [], False)],
)
def test_a_repair_is_shown_only_where_it_fired_and_was_quiet(
    calm: list[tuple[float, float, None]], burning: list[tuple[float, float, None]], shown: bool
) -> None:
    """It is judged with the others, as a rule of its own; one that Prometheus would not load is not run at all."""
    good = FINDING.model_copy(update={"repair": "x > 4"})
    broken = FINDING.model_copy(update={"repair": "x >"})
    repairs = repairs_of([FILE], [good, broken, FINDING])
    ((finding, ref),) = repairs.refs
    assert finding == good
    (file,) = repairs.files
    assert [(rule.expr, rule.for_s) for rule in file.alerts] == [("x > 4", 300.0)]

    def tried(lives: list[tuple[float, float, None]], *, lit: bool) -> Tried:
        one = made_try(lives, lit=lit)
        (phase,) = one.judgement.phases
        courses = tuple(replace(course, ref=ref) for course in phase.alerts)
        return replace(one, judgement=Judgement("", (PhaseJudgement(0.0, 0.0, courses),)))

    found = judged([good, FINDING], repairs, [tried(calm, lit=False)], [[tried(burning, lit=True)]])
    assert [one.repair_fired for one in found] == [shown, None]


def test_every_kind_of_fault_is_tried_unless_it_runs_live_only() -> None:
    """A kind that is added to the catalogue is added to the checks."""
    assert {one.kind for one in READY} == set(catalogue())
    assert {one.kind for one in ready_faults()} == {
        kind for kind, one in catalogue().items() if one.clock != "live-only"
    }
    assert len({one.name for one in READY}) == len(READY)
    for one in READY:
        catalogue()[one.kind].parameters_type.model_validate(dict(one.parameters))


def test_faults_are_named_by_kind_or_by_scenario() -> None:
    """A kind is all of its scenarios, and a name that is neither is refused with what was meant."""
    assert [one.name for one in ready_faults(["latency (inference)", "scrape_failure"])] == [
        "latency (inference)",
        "scrape_failure",
        "scrape_failure (empty)",
    ]
    with pytest.raises(NothingToTry, match="did you mean latency"):
        ready_faults(["latncy"])


def test_a_fault_is_as_strong_as_it_is_told() -> None:
    """By its probability or by the one parameter that its intensity is; the dice follow from seed and name."""
    (base,) = fault_scenarios(horizon_of([FILE]), named=["memory_leak"])
    by_name = {one.name: one for one in READY}
    weak = burning(base, by_name["error"], strength=0.01).schedule[0].request
    assert (weak.probability, weak.parameters["status"]) == (0.01, 500)
    leak = burning(base, by_name["memory_leak"], strength=10.4).schedule[0].request
    assert leak.parameters["most_mib"] == 10
    assert weak.seed != leak.seed
    assert burning(base, by_name["error"]).schedule[0].request.seed == weak.seed


def test_the_horizon_follows_from_the_rules() -> None:
    """Windows and `for` fit into the burn, offsets into the calm, and three days into nothing."""
    short = horizon_of([FILE])
    assert short.lasts_s == 1800.0
    assert short.burn_s >= 300.0 + 90.0
    far = read_rules(TEXT.replace("x > 5", "x / (x offset 30m) > 5"), Path("b.yml"))
    assert horizon_of([far]).calm_s + horizon_of([far]).burn_s >= 1800.0 + 300.0
    days = read_rules(TEXT.replace("x > 5", "rate(x[3d]) > 5"), Path("c.yml"))
    assert horizon_of([days]) == horizon_of([])
    asked = horizon_of([far], for_s=900.0)
    assert asked.lasts_s == 900.0
    assert asked.burn_s == pytest.approx(390.0, abs=15.0)


def test_traffic_asks_for_the_models_that_rules_and_dialects_name() -> None:
    """Else their series would not be there, and the rule not be covered."""
    assert set(models_of([FILE])) == {"iris", "churn"}
    named = read_rules(TEXT.replace("x > 5", 'x{model_name=~"housing|nobody"} > 5'), Path("a.yml"))
    assert set(models_of([named])) == {"iris", "churn", "housing"}
    assert "exchange-rate" in models_of([FILE], "exchange-rate")


def test_each_seed_is_tried_with_each_scenario() -> None:
    """The steady state first, and no fault where none is asked for."""
    found = list(scenarios_of([FILE], horizon_of([FILE]), Options(faults=("hang",), seed=5, seeds=2)))
    assert [(one.name, one.seed) for one in found] == [(STEADY, 5), ("hang", 5), (STEADY, 6), ("hang", 6)]
    assert {one.metrics for one in found} == {frozenset({"x"})}
    calm = list(scenarios_of([FILE], horizon_of([FILE]), Options(faults=())))
    assert [one.name for one in calm] == [STEADY]
