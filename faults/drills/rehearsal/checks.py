"""Holds the stages of a virtual run against the prediction that live runs are held against. It asks nobody."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from faults.drills.condition import comparisons
from faults.drills.inspection import grows_s
from faults.drills.judge.judgement import AlertCourse
from faults.drills.plan import Plan
from faults.drills.prediction import Course, Timing, check_stages, may_be_known
from faults.drills.rehearsal.ground import Ground
from faults.drills.rehearsal.phase import Phase
from faults.drills.score import detection_and_reset_s
from faults.drills.virtual.recording import Recording
from faults.drills.windows import Windows, joined, windows_of
from faults.drills.wire import AlertOutcome, DrillRun
from stack.clients.prometheus import AlertRule
from stack.errors import StackError


@dataclass(frozen=True)
class Checker:
    """Checks the outcomes of one ``run``, which went by as ``phase``."""

    run: DrillRun
    plan: Plan
    ground: Ground
    phase: Phase
    recording: Recording

    def checked(self, outcomes: Sequence[AlertOutcome]) -> list[AlertOutcome]:
        """Return the expected ``outcomes`` with each stage next to its prediction, where there is one."""
        return [self._checked(one) for one in outcomes]

    def _checked(self, outcome: AlertOutcome) -> AlertOutcome:
        run, rule = self.run, self.plan.rules.get(outcome.alert)
        if rule is None or run.fault_at is None or outcome.verdict in {"already firing", "insufficient history"}:
            return outcome
        try:
            timing = _timing(rule, self.ground, self.phase, run.fault_at)
        except StackError:  # an expression beyond what its windows can be read off
            return outcome
        checks = check_stages(outcome.stages, timing, self._course(run.fault_at, outcome, timing))
        detection_s, reset_s = detection_and_reset_s(run, outcome)
        update = {"checks": checks, "detection_s": detection_s, "reset_s": reset_s}
        return outcome.model_copy(update=update)

    def _course(self, fault_at: float, outcome: AlertOutcome, timing: Timing) -> Course:
        lit = self.plan.schedule
        return Course(
            fault_at=fault_at,
            rollback_at=self.run.rollback_at,
            ended_at=self.run.ended_at or self.recording.ended_at,
            last_lit_s=max(one.at_s for one in lit) - min(one.at_s for one in lit),
            grows_s=max(grows_s(one) for one in lit),
            back_at=self.recording.back_at,
            earlier_group=_earlier_group(outcome, self.phase, timing),
        )


def _timing(rule: AlertRule, ground: Ground, phase: Phase, fault_at: float) -> Timing:
    route = ground.routing.root
    return Timing(
        scrape_s=ground.pace.interval_s,
        evaluation_s=rule.interval_s,
        for_s=rule.for_s,
        keep_firing_for_s=rule.keep_firing_for_s,
        windows=_windows(rule, ground, phase, fault_at),
        group_wait_s=route.group_wait_s,
        group_interval_s=route.group_interval_s,
    )


def _windows(rule: AlertRule, ground: Ground, phase: Phase, fault_at: float) -> Windows:
    """Return the windows of what had to change for the rule to come true: what held before the fault did not."""
    whole = windows_of(rule.expr, ground.recordings)
    held = {left for course in phase.courses(rule.name) for left in _held_already(course, fault_at)}
    changed = [windows_of(one.left, ground.recordings) for one in comparisons(rule.expr) if one.left not in held]
    return replace(joined(changed), filled_s=whole.filled_s) if changed else whole


def _held_already(course: AlertCourse, at: float) -> Iterator[str]:
    """Yield the left side of each comparison that was true at the last evaluation before ``at``."""
    for side in course.sides:
        latest = [max((point for point in series.points if point[0] <= at), default=None) for series in side.series]
        fresh = (point for point in latest if point is not None and point[0] > at - 1.5 * course.interval_s)
        if any(side.comparison.holds(value) for _, value in fresh):
            yield side.comparison.left


def _earlier_group(outcome: AlertOutcome, phase: Phase, timing: Timing) -> bool:
    """Say whether Alertmanager may still have had the group of an earlier life when the alert came."""
    fired = outcome.stages.firing
    if fired is None:
        return False
    before = [one for one in phase.deliveries(outcome.alert, 0.0) if one.at < fired]
    return any(may_be_known(fired - one.at, timing.group_interval_s) for one in before)
