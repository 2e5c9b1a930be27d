"""The five verdicts, which are never mixed, and what is covered at all."""

from __future__ import annotations

from dataclasses import replace

import pytest

from faults.drills.check.coverage import Signals, lacking
from faults.drills.check.responses import response_of
from faults.drills.check.result import Verdict
from faults.drills.check.verdicts import Known, is_quiet, verdict_of
from faults.drills.lint.finding import Finding, Place
from tests.unit.faults.made_tries import REF, made_try

FIRED = response_of([made_try([(0.0, 300.0, 700.0)])], REF)
SILENT = response_of([made_try([], values=[(30.0, 3.0)])], REF)
CALM = response_of([made_try([], lit=False, scenario="steady state")], REF)
NOISY = response_of([made_try([(-600.0, -300.0, None)], lit=False, scenario="steady state")], REF)
PROOF = Finding(
    check="never",
    severity="error",
    place=Place(file="a.yml", group="a", rule="A", line=1),
    message="`x > 5 and x < 3` cannot be",
    consequence="It never fires.",
    cannot_fire=True,
)
KNOWN = Known(steady=CALM, responses=[SILENT], findings=[], lacking=[], window_s=300.0, lasted_s=1200.0)


@pytest.mark.parametrize(
    ("change", "verdict", "said"),
    [
        ({"responses": [FIRED]}, Verdict.FIRES, "error after"),
        ({"responses": [FIRED], "findings": [PROOF]}, Verdict.FIRES, "error after"),
        ({"steady": NOISY}, Verdict.FIRES, "without any fault"),
        ({"findings": [PROOF]}, Verdict.CANNOT_FIRE, "cannot be. It never fires."),
        ({"findings": [PROOF.model_copy(update={"cannot_fire": False})]}, Verdict.DID_NOT_FIRE, "not > 5"),
        ({"impossible": ["there is no series x"]}, Verdict.CANNOT_FIRE, "declared complete"),
        ({"lacking": ["there is no series y"]}, Verdict.NOT_COVERED, "there is no series y"),
        ({"lacking": ["there is no series y"], "responses": [FIRED]}, Verdict.NOT_COVERED, "nothing was learnt"),
        ({"lacking": ["there is no series y"], "steady": NOISY}, Verdict.NOT_COVERED, "nothing was learnt"),
        ({"lacking": ["no y"], "elsewhere": ["mlops"]}, Verdict.NOT_COVERED, "try --dialect mlops"),
        ({"lacking": ["no y"], "findings": [PROOF]}, Verdict.CANNOT_FIRE, "never fires"),
        ({"window_s": 3600.0}, Verdict.INSUFFICIENT_HISTORY, "looks back 60 min 00 s"),
        ({"window_s": 1000.0, "for_s": 300.0}, Verdict.INSUFFICIENT_HISTORY, "try more by --for"),
        ({"window_s": 72 * 3600.0}, Verdict.INSUFFICIENT_HISTORY, "history of its own"),
        ({"window_s": 3600.0, "responses": [FIRED]}, Verdict.FIRES, "error after"),
        ({"window_s": 3600.0, "lacking": ["no y"]}, Verdict.NOT_COVERED, "no y"),
        ({"window_s": None}, Verdict.DID_NOT_FIRE, "nearest in error: `x` came to 3"),
        ({"error": "query timed out"}, Verdict.DID_NOT_FIRE, "could not evaluate it: query timed out"),
        ({"responses": []}, Verdict.DID_NOT_FIRE, "the steady state alone"),
    ],
)
def test_each_verdict_rests_on_its_own_ground(change: dict[str, object], verdict: Verdict, said: str) -> None:
    """What was seen beats what was proved, and what was not tried is never called fine or dead."""
    found, reason = verdict_of(replace(KNOWN, **change))  # type: ignore[arg-type]
    assert found is verdict
    assert said in reason


def test_quiet_is_unknown_where_nothing_was_learnt() -> None:
    """Silence of a rule that had nothing to look at proves nothing."""
    assert is_quiet(KNOWN) is True
    assert is_quiet(replace(KNOWN, steady=NOISY)) is False
    assert is_quiet(replace(KNOWN, steady=None)) is None
    assert is_quiet(replace(KNOWN, lacking=["no y"], steady=NOISY)) is None
    assert is_quiet(replace(KNOWN, window_s=36_000.0)) is None
    assert is_quiet(replace(KNOWN, window_s=36_000.0, steady=NOISY)) is False
    assert is_quiet(replace(KNOWN, window_s=36_000.0, responses=[FIRED])) is True


SIGNALS = Signals(
    frozenset({"up", "x", "y_total"}),
    {
        "up": {"job": frozenset({"here"}), "instance": frozenset()},
        "x": {"job": frozenset({"here"}), "code": frozenset()},
    },
)
RECORDINGS = (("job:x:sum", "sum by (job) (x)"), ("job:z:sum", "sum(z)"), ("loop", "loop + x"))


@pytest.mark.parametrize(
    ("expr", "missing"),
    [
        ("x > 1", ()),
        ('x{code="404"} > 1', ()),
        ('x{job="there"} > 1', ('no x has job="there"; here it has job="here"',)),
        ('x{status="404"} > 1', ("x has no label status",)),
        ('x{status=""} > 1', ()),
        ('x{status=~"5.."} > 1', ()),
        ("sum(rate(z[5m])) > 1", ("there is no series z",)),
        ("x / z > 1", ("there is no series z",)),
        ("x > 1 or z > 1", ()),
        ("z > 1 or w > 1", ("there is no series z", "there is no series w")),
        ("absent(z)", ("there is no series z",)),
        ("x == 0 or absent(z)", ("there is no series z",)),
        ("x == 0 or (absent(x))", ()),
        ("x > 1 unless z", ("there is no series z",)),
        ('{__name__="z"} > 1', ("there is no series z",)),
        ('{job="here"} > 1', ()),
        ("job:x:sum > 1", ()),
        ("job:z:sum > 1", ("there is no series z",)),
        ("loop > 1", ()),
        ('ALERTS{alertname="A"} == 1', ()),
        ('up{job="there"} == 0', ('no up has job="there"; here it has job="here"',)),
        ("max_over_time(sum(z)[10m:1m]) > 1", ("there is no series z",)),
        ("-(topk(3, z)) < 1", ("there is no series z",)),
        ("not PromQL at all", ()),
    ],
)
def test_what_is_missing_is_named(expr: str, missing: tuple[str, ...]) -> None:
    """By name, by label, by job, through recordings; of alternatives one is enough, but not where absence is asked."""
    assert lacking(expr, SIGNALS, RECORDINGS) == missing
