"""The evidence of a virtual run, as that of a live one: enough for every report. The judge is asked again."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from faults.base import Effect, catalogue
from faults.drills.condition import comparisons
from faults.drills.evidence import AlertEvidence, Evidence, FaultEvidence, Line, Planned, Setup, Signal, Unit
from faults.drills.gathering import (
    LEAST_STEP_S,
    MOST_LINES,
    MOST_POINTS,
    SERVICE,
    finite_lines,
    scaled,
    spans_of,
    text_of,
)
from faults.drills.judge.judge import Judge
from faults.drills.judge.selection import with_what_it_reads
from faults.drills.plan import Plan
from faults.drills.rehearsal.ground import Ground
from faults.drills.rehearsal.phase import Phase
from faults.drills.rehearsal.probes import signal_of, signals
from faults.drills.rehearsal.scenario import past_of
from faults.drills.setting import configuration, firedrill_version, host
from faults.drills.spec import Drill
from faults.drills.virtual.recording import Recording
from faults.drills.wire import DrillRun
from stack.clients.prometheus import AlertRule, Series
from stack.rules.selectors import selectors_of

CLOCK = "clock"
VIRTUAL = "virtual: nothing waited, and every time is of a clock that jumps"


@dataclass(frozen=True)
class _Wanted:
    """An expression that a report shows. ``operator`` and ``threshold`` are its rule's, where it is of one."""

    key: str
    title: str
    unit: Unit
    expr: str
    operator: str | None = None
    threshold: float | None = None


def names_shown(drill: Drill) -> frozenset[str]:
    """Return the names of the series that a report on ``drill`` reads beside those of the rules."""
    effects = (catalogue()[step.kind].effect.promql for step in drill.faults)
    exprs = (*(promql for *_, promql in SERVICE), *effects)
    return frozenset(one.metric for expr in exprs for one in selectors_of(expr) if one.metric)


@dataclass(frozen=True)
class Shown:
    """The run that a report shows: the ``phase`` of ``recording`` that it went by as."""

    run: DrillRun
    plan: Plan
    recording: Recording
    phase: Phase


def evidence_of(shown: Shown, ground: Ground, judge: Judge) -> Evidence:
    """Return what is kept of a run."""
    run, plan, recording, phase = shown.run, shown.plan, shown.recording, shown.phase
    start, end = run.queued_at, run.ended_at or recording.ended_at
    step_s = max(ground.pace.interval_s / 2, (end - start) / MOST_POINTS, LEAST_STEP_S)
    step_s = math.ceil(step_s * 1000) / 1000
    reader = _Reader(shown, ground, judge, step_s)
    rules = [(outcome, next(iter(ground.named(outcome.alert)), None)) for outcome in run.outcomes]
    of_alerts = {rule.name: [*_left_sides(rule)] for _, rule in rules if rule is not None}
    effects = {kind: _effect(kind, ground) for kind in dict.fromkeys(one.kind for one in recording.faults)}
    service = [_Wanted(key, title, unit, scaled(promql, ground.pace)) for key, title, unit, promql in SERVICE]
    known = reader.read([*(one for each in of_alerts.values() for one in each), *effects.values(), *service])
    sight = phase.look(end)
    alerts = [
        AlertEvidence(
            alert=outcome.alert,
            expected=outcome.expected,
            rule=None if rule is None else text_of(rule),
            signals=[known[one.key] for one in of_alerts.get(outcome.alert, ())],
            states=[
                span
                for life in sight.lives(outcome.alert, outcome.labels)
                for span in spans_of(life, end)
                if span.end >= start
            ],
        )
        for outcome, rule in rules
    ]
    return Evidence(
        run=run,
        drill_text=plan.drill.text,
        gathered_at=end,
        start=start,
        end=end,
        step_s=step_s,
        planned=[*_planned(plan)],
        faults=[
            FaultEvidence(
                record=one,
                title=catalogue()[one.kind].title,
                effect=catalogue()[one.kind].effect,
                signal=known[effects[one.kind].key],
            )
            for one in recording.faults
        ],
        alerts=alerts,
        signals=[known[one.key] for one in service if known[one.key].lines],
        traces=[one for one in recording.traces if one.start >= (run.fault_at or start)],
        setup=_setup(plan, run, judge),
        notes=[*recording.notes],
    )


def _planned(plan: Plan) -> Iterator[Planned]:
    shown = {"kind", "ttl_s", "ramp_s", "probability", "seed", "parameters"}
    for one in plan.schedule:
        yield Planned(at_s=one.at_s, put_out_at_s=one.put_out_at_s, **one.request.model_dump(include=shown))


def _setup(plan: Plan, run: DrillRun, judge: Judge) -> Setup:
    name, _, version = judge.engine.rpartition(" ")
    shown = configuration(plan, run, 1)
    if plan.drill.traffic is None:
        shown["traffic"] = "the stack's default"
    told = {CLOCK: VIRTUAL, "phases and seeds": str(run.tries), **shown}
    return Setup(
        versions={"Firedrill": firedrill_version(), name or "engine": version}, configuration=told, host=host()
    )


def _left_sides(rule: AlertRule) -> Iterator[_Wanted]:
    parts = comparisons(rule.expr)
    if not parts:
        yield _Wanted(rule.name, rule.name, "1", rule.expr)
        return
    for index, part in enumerate(parts, 1):
        alone = len(parts) == 1
        key = rule.name if alone else f"{rule.name} {index}"
        title = rule.name if alone else f"{rule.name}, condition {index} of {len(parts)}"
        yield _Wanted(key, title, "1", part.left, part.operator, part.right)


def _effect(kind: str, ground: Ground) -> _Wanted:
    effect: Effect = catalogue()[kind].effect
    title = effect.meaning[:1].upper() + effect.meaning[1:]
    return _Wanted(f"effect {kind}", title, effect.unit, scaled(effect.promql, ground.pace))


@dataclass(frozen=True)
class _Reader:
    """Reads expressions in one phase of a recording, through the judge, each every ``step_s`` seconds."""

    shown: Shown
    ground: Ground
    judge: Judge
    step_s: float

    def read(self, wanted: Sequence[_Wanted]) -> dict[str, Signal]:
        """Return the signal of each of ``wanted`` by its key."""
        exprs = [one.expr for one in wanted]
        recording, plan = self.shown.recording, self.shown.plan
        mine = [one for one in recording.scrapes if one.phase_s == self.shown.phase.judged.scrape_phase_s]
        judgement = self.judge.judge(
            replace(recording, scrapes=tuple(mine)),
            with_what_it_reads(signals(exprs, self.step_s), self.ground.files),
            evaluation_phases=1,
            past=past_of(plan.drill.history, recording.started_at, self.ground.pace),
            sides=True,
        )
        found = {
            index: course.sides[0].series if course.sides else ()
            for course in judgement.phases[0].alerts
            if (index := signal_of(course)) is not None
        }
        return {one.key: self._signal(one, found.get(index, ())) for index, one in enumerate(wanted)}

    def _signal(self, one: _Wanted, series: Sequence[Series]) -> Signal:
        return Signal(
            key=one.key,
            title=one.title,
            unit=one.unit,
            expr=one.expr,
            lines=_lines(series, lowest=one.operator in {"<", "<="}),
            operator=one.operator,
            threshold=one.threshold,
        )


def _lines(series: Sequence[Series], *, lowest: bool) -> list[Line]:
    lines = sorted(finite_lines(series), key=lambda one: max(value for _, value in one.points), reverse=True)
    if lowest:
        lines.sort(key=lambda one: min(value for _, value in one.points))
    return lines[:MOST_LINES]
