"""Whether a live run of a drill and virtual ones agree, stage by stage. The live one is over; the others are made.

A live time agrees where it lies within the range of the virtual ones, over all phases and seeds, or no further outside
than one scrape and one evaluation. The virtual ones are put out after as long as the live one was, since what comes
after that depends on it. Where it brought its own history, they wait before the fault as long as it did: the window
holds what came meanwhile. Everything else they find out by themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pydantic import BaseModel, Field

from faults.drills.errors import DrillError
from faults.drills.rehearsal.ranges import range_of, since_s
from faults.drills.rehearsal.run import Rehearsal, Tell
from faults.drills.spec import Drill
from faults.drills.wire import STAGES, AlertOutcome, DrillRun, Stage, StageRange

SEEDS = 10
_SAME_S = 0.001
_GROUP = "its group may have been there already, from an earlier drill"
_UNHEARD = "no virtual run has a group from before: all were put out before they told of the alert, and so of its end"


class NotComparable(DrillError):  # noqa: N818 - reads as a fact where it is raised
    """A live run cannot be held against virtual ones."""

    def __init__(self, run_id: str, reason: str) -> None:
        self.run_id, self.reason = run_id, reason
        super().__init__(f"run {run_id}: {reason}; name a live run that ended, or let `firedrill agree DRILL` make one")


class StageAgreement(BaseModel):
    """One stage. Seconds after the fault; after the rollback for ``resolved`` and ``resolution_delivered``."""

    stage: Stage
    live_s: float | None = Field(description="None where it was not reached.")
    least_s: float | None = Field(description="The virtual range; None where no try reached it.")
    most_s: float | None
    reached: int = Field(description="In how many tries it was reached.")
    tries: int
    inside: bool | None = Field(description="Whether the live time lies in the range itself.")
    agrees: bool | None = Field(description="The same with one scrape and one evaluation; None: nothing to compare.")
    remark: str = ""

    @property
    def width_s(self) -> float | None:
        """How wide the virtual range is."""
        return None if self.least_s is None or self.most_s is None else round(self.most_s - self.least_s, 3)


class AlertAgreement(BaseModel):
    """All stages of one expected alert."""

    alert: str
    labels: dict[str, str] = Field(default_factory=dict)
    stages: list[StageAgreement]


class DrillAgreement(BaseModel):
    """One live run next to the virtual ones."""

    drill: str
    run_id: str
    pace: str
    seeds: int
    tries: int = Field(description="Phases of scrapes and evaluations, times seeds.")
    burned_s: float = Field(description="How long the faults burned in the live run, and so in the virtual ones.")
    tolerance_s: float = Field(description="One scrape and one evaluation.")
    live_verdict: str
    virtual_passed: int = Field(description="How many tries passed.")
    alerts: list[AlertAgreement]

    @property
    def agrees(self) -> bool:
        """Whether every stage that can be compared agrees."""
        return not any(stage.agrees is False for alert in self.alerts for stage in alert.stages)

    @property
    def excused(self) -> int:
        """How many stages lie outside and say nothing, for what had run before: whether they agree is unknown."""
        return sum(stage.agrees is None and bool(stage.remark) for alert in self.alerts for stage in alert.stages)

    @property
    def stages(self) -> list[StageAgreement]:
        """All stages that can be compared."""
        return [stage for alert in self.alerts for stage in alert.stages if stage.agrees is not None]


def agreement(
    live: DrillRun,
    drill: Drill,
    rehearsal: Rehearsal,
    *,
    seeds: int = SEEDS,
    others: Iterable[DrillRun] = (),
    tell: Tell = lambda _: None,
) -> DrillAgreement:
    """Return how ``live``, a run of ``drill`` that is over, agrees with virtual ones, ``seeds`` of them.

    ``others`` are runs on the same stack: where one of them ended so shortly before that an alert's window still held
    it, a stage of that alert that lies outside says nothing, since no virtual run has that past. Raises
    ``NotComparable``, and what ``Rehearsal.perform`` raises.
    """
    if live.fault_at is None or live.rollback_at is None or live.verdict not in {"passed", "failed"}:
        raise NotComparable(live.id, f"it ended {live.verdict or 'never'}, so that there is nothing to compare with")
    if live.pace != rehearsal.ground.pace.name:
        reason = f"it ran at {live.pace} pace, and the rules here are at {rehearsal.ground.pace.name} pace"
        raise NotComparable(live.id, reason)
    burned_s = round(live.rollback_at - live.fault_at, 3)
    first_s = min(one.at_s for one in drill.schedule(live.seed, rehearsal.ground.pace))
    others = tuple(others)
    waited_s = None if drill.history is None else live.fault_at - _began_at(live, others)
    done = rehearsal.perform(drill, seed=1, seeds=seeds, burn_s=first_s + burned_s, waited_s=waited_s, tell=tell)
    expected = [one for one in live.outcomes if one.expected]
    intervals = [rule.interval_s for one in expected for rule in rehearsal.ground.named(one.alert)]
    tolerance_s = rehearsal.ground.pace.interval_s + max(intervals, default=rehearsal.ground.pace.interval_s)
    return DrillAgreement(
        drill=live.name,
        run_id=live.id,
        pace=live.pace,
        seeds=seeds,
        tries=len(done.tries),
        burned_s=burned_s,
        tolerance_s=tolerance_s,
        live_verdict=live.verdict,
        virtual_passed=sum(one.verdict == "passed" for one in done.tries),
        alerts=[
            AlertAgreement(
                alert=one.alert,
                labels=one.labels,
                stages=[_excused(stage, past) for stage in _stages(live, one, done.tries, index, tolerance_s)],
            )
            for index, one in enumerate(expected)
            for past in [_past_of(live, rehearsal.ground.windows_s.get(one.alert, 0.0), others)]
        ],
    )


def _stages(
    live: DrillRun, outcome: AlertOutcome, tries: Sequence[DrillRun], index: int, tolerance_s: float
) -> Iterator[StageAgreement]:
    known_group = _group_was_there(outcome)
    for stage in STAGES:
        known = range_of(tries, index, stage)
        live_s = since_s(live, outcome.stages, stage)
        remark = ""
        if stage == "delivered" and known_group and (firing := range_of(tries, index, "firing")) is not None:
            known = known.model_copy(update={"least_s": firing.least_s}) if known is not None else firing
            remark = _GROUP
        unheard = stage == "resolution_delivered" and known_group and range_of(tries, index, "delivered") is None
        inside = _lies(live_s, known, 0.0)
        yield StageAgreement(
            stage=stage,
            live_s=None if live_s is None else round(live_s, 3),
            least_s=None if known is None else known.least_s,
            most_s=None if known is None else known.most_s,
            reached=0 if known is None else known.reached,
            tries=len(tries),
            inside=None if unheard else inside,
            agrees=None if unheard else inside or _lies(live_s, known, tolerance_s),
            remark=_UNHEARD if unheard else remark,
        )


def _began_at(live: DrillRun, others: Iterable[DrillRun]) -> float:
    """Return when it was a run's turn: its own history ends there, and its traffic begins."""
    before = (one.ended_at for one in others if one.ended_at is not None and one.ended_at < (live.fault_at or 0.0))
    return max((live.queued_at, *before))


def _past_of(live: DrillRun, window_s: float, others: Iterable[DrillRun]) -> str:
    """Return which of ``others`` a window of so many seconds still held when the fault was lit, as a clause."""
    fault_at = live.fault_at or 0.0
    held = [one for one in others if one.ended_at is not None and fault_at - window_s < one.ended_at < fault_at]
    names = ", ".join(dict.fromkeys(one.name for one in sorted(held, key=lambda one: one.queued_at)))
    return f"its window of {window_s:g} s still held {names}, which no virtual run has behind it" if names else ""


def _excused(stage: StageAgreement, past: str) -> StageAgreement:
    """Return ``stage`` as one that says nothing, where it lies outside and has another past than virtual runs."""
    if stage.agrees is not False or not past:
        return stage
    return stage.model_copy(update={"agrees": None, "remark": past})


def _lies(live_s: float | None, known: StageRange | None, tolerance_s: float) -> bool | None:
    """Say whether a live time lies in a range; what neither, or only some tries, reached is nothing to compare."""
    if known is None:
        return None if live_s is None else False
    if live_s is None:
        return False if known.reached == known.tries else None
    return known.least_s - tolerance_s - _SAME_S <= live_s <= known.most_s + tolerance_s + _SAME_S


def _group_was_there(outcome: AlertOutcome) -> bool:
    """Say whether the live run knew that Alertmanager might still have the alert's group, of a drill before.

    Its own prediction of the delivery begins with the reception then.
    """
    checks = {one.stage: one for one in outcome.checks}
    received, delivered = checks.get("received"), checks.get("delivered")
    if received is None or delivered is None or received.measured_s is None or delivered.earliest_s is None:
        return False
    return delivered.earliest_s - received.measured_s < _SAME_S
