"""Hand-made tries: one alert, its lives in seconds since the fault, and the values of its left side."""

from __future__ import annotations

from collections.abc import Sequence

from faults.drills.check.tried import Tried
from faults.drills.condition import comparisons
from faults.drills.judge.judgement import AlertCourse, AlertLife, Judgement, PhaseJudgement, RuleRef, Side
from faults.drills.virtual.scenario import Scenario
from stack.clients.series import Series
from stack.rules.file import AlertingRule

REF = RuleRef("a.yml", "a", 0, "A")
RULE = AlertingRule("A", "x > 5", for_s=300.0)
FAULT_AT = 1_000_600.0
BURN_S = 600.0

Life = tuple[float, float | None, float | None]
"""Active, fired and ended, in seconds since the fault."""


def made_try(
    *phases: Sequence[Life],
    values: Sequence[tuple[float, float]] = (),
    rule: AlertingRule = RULE,
    scenario: str = "error",
    lit: bool = True,
    error: str = "",
    names: frozenset[str] = frozenset({"x"}),
    seed: int = 1,
) -> Tried:
    """Return a try of 30 minutes, its fault lit after ten and put out ten later; one entry of ``phases`` a phase."""
    sides = tuple(
        Side(one, (Series({}, tuple((FAULT_AT + at, value) for at, value in values)),) if values else ())
        for one in comparisons(rule.expr)
    )
    judged = tuple(
        PhaseJudgement(0.0, float(index), (AlertCourse(REF, rule, 15.0, _lives(lives), sides, error),))
        for index, lives in enumerate(phases)
    )
    return Tried(
        Scenario(scenario, seed, 600.0, BURN_S, 600.0),
        FAULT_AT - 600.0,
        FAULT_AT + 1200.0,
        FAULT_AT if lit else None,
        FAULT_AT + BURN_S if lit else None,
        None,
        (),
        names,
        Judgement(scenario, judged),
    )


def _lives(lives: Sequence[Life]) -> tuple[AlertLife, ...]:
    return tuple(AlertLife((), *(None if at is None else FAULT_AT + at for at in life)) for life in lives)  # type: ignore[arg-type]
