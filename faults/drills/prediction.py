"""When each stage of an alert's life is due: from the rule, the intervals and the timers. Pure; it asks nobody.

Each stage is predicted from the one before it as measured, so that one late scrape does not condemn all that follows.

Sources. Prometheus (rules/alerting.go): an alert is pending from the first evaluation with a result, fires at the first
evaluation with ``now - activeAt >= for``, and resolves at the first one without a result, or with ``keep_firing_for``
at the first one so long after that; targets and groups have a phase of their own within the interval (a hash), so that
nobody knows before which scrape an evaluation comes. Alertmanager (dispatch.go): a new group is flushed ``group_wait``
after its first alert came, a known one every ``group_interval``; a group without alerts is only taken away by a tidying
that comes every 30 s and until then goes on as a known one. Prometheus (rules/alerting.go, resolvedRetention) tells of
a resolved alert again and again for 15 minutes, each time into its group.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from faults.drills.windows import Windows
from faults.drills.wire import Stage, StageCheck, StageTimes

RESENT_FOR_S = 15 * 60.0
"""How long Prometheus goes on telling of a resolved alert, by which its group is kept; its own constant at any pace."""
TIDIED_AFTER_S = 30.0
"""How long Alertmanager keeps a group without alerts, at most; a constant of its own at any pace."""
_RESOLUTION = 0.1
"""Of an evaluation: how exactly `condition true` is read back."""
_CLOCK_S = 0.05
"""Two processes that read one clock, and round."""


@dataclass(frozen=True)
class Timing:
    """What the times of one rule's alerts follow from. Seconds, at the pace of the stack."""

    scrape_s: float
    evaluation_s: float
    for_s: float
    keep_firing_for_s: float
    windows: Windows
    group_wait_s: float
    group_interval_s: float

    @property
    def tolerance_s(self) -> float:
        """One scrape and one evaluation."""
        return self.scrape_s + self.evaluation_s

    def on_grid(self, seconds: float) -> float:
        """Return ``seconds`` rounded up to whole evaluations."""
        if self.evaluation_s <= 0.0:
            return seconds
        return math.ceil(seconds / self.evaluation_s - 1e-9) * self.evaluation_s


@dataclass(frozen=True)
class Course:
    """How the faults of a run went. Unix seconds, but for durations."""

    fault_at: float
    rollback_at: float | None
    ended_at: float
    last_lit_s: float = 0.0
    """When the last of them was lit, after the first."""
    grows_s: float = 0.0
    """How long a fault takes until it is as strong as it gets: its ramp, and what it needs itself."""
    back_at: float | None = None
    """When what the fault had brought down was there again, where it was brought down."""
    earlier_group: bool = False
    """Whether Alertmanager may still have had a group when the alert came, of this or another alert."""


@dataclass(frozen=True)
class Span:
    """Seconds after something; ``made_of`` says why just these."""

    earliest_s: float
    latest_s: float
    made_of: str


def condition_true(timing: Timing, course: Course) -> Span:
    """Return when the condition becomes true, after the fault: once scraped, and at most when its windows are full.

    A window that holds nothing but the fault says what it will ever say; it may have been enough long before. Where
    every sample of a window must agree, none of before may be left in it.
    """
    windows = timing.windows
    earliest_s = max(0.0, windows.filled_s - 2 * timing.scrape_s)
    parts = [(windows.present_s, "its window"), (timing.scrape_s, "a scrape")]
    parts += [(course.last_lit_s, "the last fault's start"), (course.grows_s, "the fault's own growth")]
    parts += [(windows.recordings * timing.evaluation_s, f"{windows.recordings} recordings")]
    latest_s = sum(seconds for seconds, _ in parts)
    filled = f"; not before its window of {windows.filled_s:g} s is all but full" if windows.filled_s else ""
    return Span(earliest_s, latest_s, f"at most {_sum_of(parts)}{filled}")


def pending(timing: Timing) -> Span:
    """Return when it is pending after the condition came true: at the next evaluation."""
    return Span(0.0, timing.evaluation_s, f"the next evaluation, every {timing.evaluation_s:g} s")


def firing(timing: Timing) -> Span:
    """Return when it fires after it became pending: `for`, rounded up to whole evaluations."""
    held_s = timing.on_grid(timing.for_s)
    rounded = "" if math.isclose(held_s, timing.for_s) else f", in whole evaluations of {timing.evaluation_s:g} s"
    return Span(held_s, held_s, f"`for` {timing.for_s:g} s{rounded}" if timing.for_s else "no `for`: at once")


def received(timing: Timing) -> Span:
    """Return when Alertmanager has it after it fired: Prometheus sends it as soon as it has evaluated the rule."""
    return Span(0.0, timing.evaluation_s, "sent when evaluated, which takes less than an interval")


def grouped(timing: Timing) -> Span:
    """Return when it is in its group after it was received: at once, and seen at the next look."""
    look_s = min(max(timing.evaluation_s / 2, 0.2), 2.0)
    return Span(0.0, look_s, f"at once, seen at the next look, every {look_s:g} s")


def delivered(timing: Timing, *, earlier_group: bool, in_transit_s: float = 0.0) -> Span:
    """Return when the webhook has it after Alertmanager received it, which took ``in_transit_s`` after it fired.

    The delay counts from when it came, but not beyond ``group_wait`` after it fired.
    """
    wait_s, interval_s = timing.group_wait_s, timing.group_interval_s
    if earlier_group:
        text = f"its group may still be there: the next group_interval ({interval_s:g} s), or group_wait"
        return Span(0.0, max(wait_s, interval_s), text)
    return Span(max(0.0, wait_s - in_transit_s), wait_s, f"group_wait {wait_s:g} s")


def may_be_known(told_before_s: float, group_interval_s: float) -> bool:
    """Say whether Alertmanager may still have a group that it last told of so many seconds before an alert fired."""
    return told_before_s < RESENT_FOR_S + TIDIED_AFTER_S + group_interval_s


def resolved(timing: Timing, course: Course) -> Span:
    """Return when it resolves after the rollback: when its windows let go of the fault, and at the next evaluation.

    Where it compares now with an earlier time, the fault has to pass through that as well.
    """
    windows = timing.windows
    back_s = max(0.0, (course.back_at or 0.0) - (course.rollback_at or 0.0))
    kept_s = timing.on_grid(timing.keep_firing_for_s)
    parts = [(back_s, "until the service was back"), (windows.reach_s, "all that it looks back")]
    parts += [(timing.scrape_s, "a scrape"), (timing.evaluation_s, "an evaluation")]
    parts += [(windows.recordings * timing.evaluation_s, f"{windows.recordings} recordings")]
    parts += [(kept_s, "keep_firing_for")]
    return Span(kept_s, sum(seconds for seconds, _ in parts), f"at most {_sum_of(parts)}")


def resolution_delivered(timing: Timing) -> Span:
    """Return when the webhook knows that it is over, after it resolved: at the group's next flush."""
    return Span(0.0, timing.group_interval_s, f"the next group_interval, every {timing.group_interval_s:g} s")


def check_stages(stages: StageTimes, timing: Timing, course: Course) -> list[StageCheck]:
    """Return each stage as measured, next to its prediction from the stage before as measured.

    A stage that was not reached although the one before was, and although its time was up, lies outside.
    """
    fault_at, told = course.fault_at, stages.delivered is not None
    checks = [
        _check("condition_true", stages, fault_at, fault_at, condition_true(timing, course)),
        _check("pending", stages, fault_at, stages.condition_true, pending(timing)),
        _check("firing", stages, fault_at, stages.pending, firing(timing)),
        _check("received", stages, fault_at, stages.firing, received(timing)),
        _check("grouped", stages, fault_at, stages.received, grouped(timing)),
        _check("delivered", stages, fault_at, stages.received, _delivered(stages, timing, course)),
        _resolved(stages, timing, course),
        _check(
            "resolution_delivered",
            stages,
            course.rollback_at,
            stages.resolved if told else None,
            resolution_delivered(timing),
        ),
    ]
    return [_judged(check, timing, course) for check in checks]


def excess_s(check: StageCheck) -> float:
    """Return by how many seconds a measured stage lies outside of its predicted range; 0 within, or unmeasured."""
    if check.measured_s is None or check.earliest_s is None or check.latest_s is None:
        return 0.0
    return max(0.0, check.measured_s - check.latest_s, check.earliest_s - check.measured_s)


def _delivered(stages: StageTimes, timing: Timing, course: Course) -> Span:
    transit_s = 0.0 if stages.received is None or stages.firing is None else max(0.0, stages.received - stages.firing)
    return delivered(timing, earlier_group=course.earlier_group, in_transit_s=transit_s)


def _resolved(stages: StageTimes, timing: Timing, course: Course) -> StageCheck:
    ended, rollback_at = stages.resolved, course.rollback_at
    if ended is not None and rollback_at is not None and ended < rollback_at:
        reason = "ended while the fault still burned, by what the fault does; nothing follows from the rollback"
        return StageCheck(
            stage="resolved",
            measured_s=round(ended - rollback_at, 3),
            earliest_s=None,
            latest_s=None,
            within=None,
            cause=reason,
        )
    base = rollback_at if stages.firing is not None else None
    return _check("resolved", stages, rollback_at, base, resolved(timing, course))


def _check(stage: Stage, stages: StageTimes, zero: float | None, base: float | None, span: Span) -> StageCheck:
    """Return the check of ``stage``, not judged yet: times count from ``zero``, its range from ``base``."""
    measured: float | None = getattr(stages, stage)
    measured_s = None if measured is None or zero is None else round(measured - zero, 3)
    if base is None or zero is None:
        reason = "the stage before was not reached, so that nothing follows from it"
        return StageCheck(stage=stage, measured_s=measured_s, earliest_s=None, latest_s=None, within=None, cause=reason)
    return StageCheck(
        stage=stage,
        measured_s=measured_s,
        earliest_s=round(base - zero + span.earliest_s, 3),
        latest_s=round(base - zero + span.latest_s, 3),
        within=None,
        cause=span.made_of,
    )


def _judged(check: StageCheck, timing: Timing, course: Course) -> StageCheck:
    """Return ``check`` with whether it lies within; one not reached is outside only once its time is up."""
    if check.earliest_s is None or check.latest_s is None:
        return check
    latest_s = check.latest_s + timing.tolerance_s
    if check.measured_s is None:
        zero = course.rollback_at if check.stage in {"resolved", "resolution_delivered"} else course.fault_at
        overdue = course.ended_at > (zero or course.fault_at) + latest_s
        return check.model_copy(update={"within": False if overdue else None})
    early_s = _RESOLUTION * timing.evaluation_s + _CLOCK_S
    lies = check.earliest_s - early_s <= check.measured_s <= latest_s
    return check.model_copy(update={"within": lies})


def _sum_of(parts: list[tuple[float, str]]) -> str:
    return " + ".join(f"{what} ({round(seconds, 2):g} s)" for seconds, what in parts if seconds) or "at once"
