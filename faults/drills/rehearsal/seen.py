"""Lets one phase of a recording go by as a live drill would, and judges it: the same code watches, waits and decides.

It returns a run like a live one's. Nothing is recorded or evaluated here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from faults.drills.check.whys import nearest, why_not
from faults.drills.outcomes import Outcomes
from faults.drills.plan import Plan
from faults.drills.rehearsal.checks import Checker
from faults.drills.rehearsal.ground import Ground
from faults.drills.rehearsal.phase import Phase
from faults.drills.rehearsal.probes import abort_of, is_probe, look_every_s
from faults.drills.steady import ringing, unsteady
from faults.drills.verdict import sum_up
from faults.drills.virtual.recording import Recording
from faults.drills.wire import DrillRun, Verdict

_BEFORE_S = 0.001


@dataclass(frozen=True)
class Try:
    """One phase as a live drill would have had it."""

    run: DrillRun
    phase: Phase


def over_at(plan: Plan, run: DrillRun, phase: Phase, recording: Recording) -> float | None:
    """Return when a live drill would have put out, Unix seconds; ``None``: it would still be waiting at the end.

    An interval later, in truth: a scrape that is under way then may still succeed, and counts from when it began.
    """
    return asyncio.run(_over_at(plan, run.model_copy(deep=True), phase, recording))


def seen(plan: Plan, run: DrillRun, phase: Phase, recording: Recording, ground: Ground) -> Try:
    """Return ``run``, of which only the names are known, as it went in ``phase``."""
    mine = run.model_copy(deep=True)
    asyncio.run(_go_by(plan, mine, phase, recording, ground))
    return Try(mine, phase)


async def _over_at(plan: Plan, run: DrillRun, phase: Phase, recording: Recording) -> float | None:
    run.fault_at = fault_at = recording.fault_at or recording.started_at
    outcomes = Outcomes(plan, run, phase, phase)
    first_s = min(one.at_s for one in plan.schedule)
    all_lit_at = fault_at + max(one.at_s for one in plan.schedule) - first_s
    least = max(all_lit_at, fault_at + plan.watch_s)
    for at in (*phase.moments(fault_at), recording.ended_at):
        await outcomes.update(phase.look(at))
        if not outcomes.awaiting_detection(at):
            return max(at, least) + plan.interval_s + look_every_s(plan.interval_s)
    return None


async def _go_by(plan: Plan, run: DrillRun, phase: Phase, recording: Recording, ground: Ground) -> None:
    fault_at = recording.fault_at or recording.started_at
    outcomes = Outcomes(plan, run, phase, phase)
    run.phase, run.ended_at = "done", fault_at
    held_up = await _unsteady(plan, phase, outcomes, fault_at)
    if held_up:
        _end(run, "failed", f"no steady state within {fault_at - recording.started_at:g} s: {'; '.join(held_up)}")
        return
    run.fault_at, run.rollback_at = fault_at, recording.rollback_at or recording.ended_at
    run.fault_ids = [one.id for one in recording.faults]
    put_out_at = recording.started_at + recording.scenario.calm_s + recording.scenario.burn_s
    for at in (*(at for at in phase.moments(fault_at) if at <= put_out_at), put_out_at):
        await outcomes.update(phase.look(at))
    for index in outcomes.missed():
        outcomes.hold(index, _why(plan.drill.expect[index].alert, phase, fault_at, put_out_at))
    met = _aborted(plan, phase, fault_at, put_out_at)
    if met:
        run.ended_at = put_out_at
        _end(run, "aborted", met)
        return
    run.ended_at = recording.ended_at
    for at in (*phase.moments(put_out_at), recording.ended_at):
        await outcomes.update(phase.look(at))
        if not outcomes.awaiting_resolution(at):
            run.ended_at = at
            break
    outcomes.judge()
    expected = len(plan.drill.expect)
    run.outcomes[:expected] = Checker(run, plan, ground, phase, recording).checked(run.outcomes[:expected])
    verdict, reason = sum_up(run.outcomes, watched_s=plan.watch_s)
    _end(run, verdict, "; ".join([reason, *_expired(recording, put_out_at)]))


async def _unsteady(plan: Plan, phase: Phase, outcomes: Outcomes, fault_at: float) -> list[str]:
    """Return why there was no steady state when the fault was lit."""
    sight = phase.look(fault_at - _BEFORE_S)
    since = phase.started_at
    found = await unsteady(plan, sight, phase, began_at=since, traffic_changed_at=since)
    for one in found:
        outcomes.mark(one.index, one.verdict, one.sentence)
    rings = ringing(plan, sight, began_at=since, traffic_changed_at=since)
    return [*(one.sentence for one in found), *([rings] if rings else [])]


def _end(run: DrillRun, verdict: Verdict, reason: str) -> None:
    run.verdict, run.reason = verdict, reason


def _why(alert: str, phase: Phase, since: float, until: float) -> str:
    """Return what held ``alert`` back."""
    courses = phase.courses(alert)
    found = [each for course in courses if (each := nearest(course, since, until)) is not None]
    return why_not(courses, since, found[0][1] if found else None)


def _aborted(plan: Plan, phase: Phase, since: float, until: float) -> str:
    """Return why the drill's own conditions would have ended it; empty where none held while it burned."""
    for course in phase.judged.alerts:
        condition = abort_of(course, plan.drill.abort_if) if is_probe(course) else None
        times = [one.active_at for one in course.lives if since <= one.active_at <= until]
        if condition is not None and times:
            text = " ".join(condition.promql.split())
            return f"{condition.reason}: `{text}` held {min(times) - since:.1f} s after the fault"
    return ""


def _expired(recording: Recording, put_out_at: float) -> Iterable[str]:
    """Yield a note for each fault that ended before it was put out."""
    for one in recording.faults:
        if one.end_reason == "expired" and one.ended_at is not None and one.ended_at < put_out_at:
            yield f"the fault {one.kind} ended after {one.ended_at - one.started_at:.1f} s by its own time to live"
        elif one.error:
            yield f"the fault {one.kind} ended after {(one.ended_at or put_out_at) - one.started_at:.1f} s: {one.error}"
