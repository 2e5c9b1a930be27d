"""Many tries of one drill as one run: the one in the middle, with the range over all of them. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence

from faults.drills.report.stages import AFTER_ROLLBACK
from faults.drills.wire import STAGES, AlertOutcome, DrillRun, Stage, StageRange, StageTimes, Verdict

_WORST: tuple[Verdict | None, ...] = ("error", "aborted", "failed", "passed")


def since_s(run: DrillRun, stages: StageTimes, stage: Stage) -> float | None:
    """Return when ``stage`` was reached: seconds after the fault, after the rollback for what comes of that."""
    at: float | None = getattr(stages, stage)
    zero = run.rollback_at if stage in AFTER_ROLLBACK else run.fault_at
    return None if at is None or zero is None else at - zero


def middle(runs: Sequence[DrillRun], *, among: int) -> int:
    """Return which of the first ``among`` runs to show: of those that went worst the one with the middle times."""
    shown = runs[:among]
    worst = min((_WORST.index(one.verdict) for one in shown if one.verdict in _WORST), default=0)
    chosen = [index for index, one in enumerate(shown) if one.verdict == _WORST[worst]] or [*range(len(shown))]
    chosen.sort(key=lambda index: (_length(shown[index]), index))
    return chosen[(len(chosen) - 1) // 2]


def summed_up(runs: Sequence[DrillRun], chosen: int) -> DrillRun:
    """Return the chosen one of ``runs``, which are of one drill, with the ranges over all; none passes for the rest."""
    run = runs[chosen].model_copy(deep=True)
    run.tries = len(runs)
    run.outcomes = [
        one.model_copy(
            update={"ranges": [known for stage in STAGES if (known := range_of(runs, index, stage)) is not None]}
        )
        if one.expected
        else one
        for index, one in enumerate(run.outcomes)
    ]
    other = [one for one in runs if one.verdict != run.verdict]
    if other and run.verdict == "passed":  # the shown ones went well, and others did not
        worst = min(other, key=lambda one: _WORST.index(one.verdict))
        run.verdict, run.reason = worst.verdict, f"{worst.reason} (with seed {worst.seed})"
        run.outcomes = [_worse(one, worst.outcomes) for one in run.outcomes] + _only_in(worst, run)
    count = sum(one.verdict == run.verdict for one in runs)
    if count < len(runs):
        run.reason = f"{run.reason}; so in {count} of {len(runs)} phases"
    return run


def range_of(runs: Sequence[DrillRun], index: int, stage: Stage) -> StageRange | None:
    """Return the range of ``stage`` of the expected alert ``index`` over ``runs``; ``None`` where none reached it."""
    times = [since_s(run, run.outcomes[index].stages, stage) for run in runs]
    known = [time for time in times if time is not None]
    if not known:
        return None
    least_s, most_s = round(min(known), 3), round(max(known), 3)
    return StageRange(stage=stage, least_s=least_s, most_s=most_s, reached=len(known), tries=len(runs))


def _length(run: DrillRun) -> float:
    """Return the sum of the times of all stages, by which tries are put in order."""
    times = (since_s(run, one.stages, stage) for one in run.outcomes if one.expected for stage in STAGES)
    return sum(time for time in times if time is not None)


def _worse(outcome: AlertOutcome, others: Sequence[AlertOutcome]) -> AlertOutcome:
    """Return ``outcome`` with the verdict of the same expectation in a try that went worse."""
    for other in others:
        same = (other.alert, other.labels, other.expected) == (outcome.alert, outcome.labels, outcome.expected)
        if same and other.verdict != "as expected":
            return outcome.model_copy(update={"verdict": other.verdict, "detail": other.detail})
    return outcome


def _only_in(worst: DrillRun, run: DrillRun) -> list[AlertOutcome]:
    known = {(one.alert, one.expected) for one in run.outcomes}
    return [one for one in worst.outcomes if one.verdict == "unexpected" and (one.alert, one.expected) not in known]
