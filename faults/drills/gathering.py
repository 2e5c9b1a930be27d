"""Gathers the evidence of a run when it ends: asks Prometheus, the places of faults and the trace store.

It judges nothing, changes nothing and raises nothing: what cannot be had in time is a note in the evidence, and the
run's verdict stays what it is.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from faults.base import Effect, FaultRecord
from faults.drills.condition import comparisons
from faults.drills.episodes import Episode
from faults.drills.evidence import (
    AlertEvidence,
    Evidence,
    FaultEvidence,
    Line,
    Planned,
    RuleText,
    Setup,
    Signal,
    StateSpan,
    Unit,
)
from faults.drills.exhibits import exhibits
from faults.drills.places import Places
from faults.drills.plan import Plan
from faults.drills.setting import configuration, host, versions
from faults.drills.shelf import Shelf
from faults.drills.watch import Sight, Watcher
from faults.drills.wire import AlertOutcome, DrillRun
from faults.errors import FaultError
from stack.clients.jaeger import JaegerClient
from stack.clients.prometheus import AlertRule, Series
from stack.errors import StackError
from stack.pace import Pace
from stack.rules.file import AlertingRule, RuleFile, RuleGroup
from stack.rules.scale import scale_expr
from stack.rules.write import write_rules
from stack.selectors import PREDICTION_ENDPOINTS

MOST_POINTS = 600
"""Of a series; a long run is asked for in longer steps."""
MOST_LINES = 12
"""Of an expression, those that come nearest to its limit, or the largest."""
LEAST_STEP_S = 0.1
_HTTP = f'job="firedrill",{PREDICTION_ENDPOINTS}'
_RATE = f"sum(rate(http_requests_total{{{_HTTP}}}[1m]))"
SERVICE: tuple[tuple[str, str, Unit, str], ...] = (
    ("request_rate", "Request rate", "1/s", _RATE),
    (
        "error_share",
        "Error share",
        "ratio",
        f'(sum(rate(http_requests_total{{{_HTTP},status=~"5.."}}[1m])) or vector(0)) / {_RATE}',
    ),
    (
        "latency_p95",
        "Latency, 95th percentile",
        "s",
        f"histogram_quantile(0.95, sum by (le) (rate(http_request_duration_seconds_bucket{{{_HTTP}}}[1m])))",
    ),
)
"""What every report shows of the service: key, title, unit, expression in production time."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sources:
    """Whom to ask, and where to put the evidence."""

    watcher: Watcher
    control: Places
    traces: JaegerClient
    shelf: Shelf
    workers: int = 1


async def keep_evidence(sources: Sources, plan: Plan, run: DrillRun, *, within_s: float) -> None:
    """Gather the evidence of ``run`` for about ``within_s`` seconds and put it on the shelf. Raises nothing."""
    try:
        gatherer = Gatherer(sources, plan, run)
        await gatherer.gather(within_s)
        await asyncio.to_thread(sources.shelf.put, gatherer.found)
    except Exception:  # noqa: BLE001 - a report that cannot be kept changes no verdict
        _log.exception("the evidence of run %s could not be kept", run.id)


@dataclass
class Gatherer:
    """Gathers the evidence of one run."""

    sources: Sources
    plan: Plan
    run: DrillRun
    found: Evidence = field(init=False)

    def __post_init__(self) -> None:
        """Begin with what is known without asking anyone."""
        now = self.sources.watcher.now()
        end = self.run.ended_at or now
        start = min(self.run.queued_at, end - 1.0)
        sight = self.sources.watcher.last
        intervals = [] if sight is None else [rule.interval_s for rule in sight.rules]
        step_s = max(min(intervals, default=self.plan.pace.interval_s) / 2, (end - start) / MOST_POINTS, LEAST_STEP_S)
        self.found = Evidence(
            run=self.run.model_copy(update={"phase": "done", "progress": "", "coming": ""}),
            drill_text=self.plan.drill.text,
            gathered_at=now,
            start=start,
            end=end,
            step_s=math.ceil(step_s * 1000) / 1000,
            planned=[
                Planned(
                    at_s=one.at_s,
                    put_out_at_s=one.put_out_at_s,
                    **one.request.model_dump(include={"kind", "ttl_s", "ramp_s", "probability", "seed", "parameters"}),
                )
                for one in self.plan.schedule
            ],
            setup=Setup(configuration=configuration(self.plan, self.run, self.sources.workers), host=host()),
        )

    async def gather(self, within_s: float) -> None:
        """Gather for at most about ``within_s`` seconds; what is missing then is a note."""
        pieces: Sequence[tuple[str, Callable[[], Awaitable[None]]]] = (
            ("the alerts", self._alerts),
            ("the faults", self._faults),
            ("the service's signals", self._signals),
            ("the traces", self._traces),
            ("the versions", self._versions),
        )
        ends = asyncio.get_running_loop().time() + within_s
        for name, piece in pieces:
            left_s = ends - asyncio.get_running_loop().time()
            if left_s <= 0:
                self._note(name, "there was no time left")
                continue
            try:
                await asyncio.wait_for(piece(), left_s)
            except TimeoutError:
                self._note(name, f"no answer within {left_s:.0f} s")
            except (FaultError, StackError) as error:
                self._note(name, str(error))
            except Exception as error:  # noqa: BLE001 - as above
                _log.exception("gathering %s of run %s failed on a defect", name, self.run.id)
                self._note(name, f"a defect in Firedrill: {type(error).__name__}: {error}")

    def _note(self, what: str, why: str) -> None:
        self.found.notes.append(f"{what} could not be gathered in full: {why}")

    # -- pieces --------------------------------------------------------------------------------------------------

    async def _alerts(self) -> None:
        sight = self.sources.watcher.last
        for outcome in self.run.outcomes:
            loaded = () if sight is None else sight.named(outcome.alert)
            rule = self.plan.rules.get(outcome.alert) or next(iter(loaded), None)
            evidence = AlertEvidence(alert=outcome.alert, expected=outcome.expected)
            self.found.alerts.append(evidence)
            evidence.states = self._states(outcome, sight)
            if rule is not None:
                evidence.rule = text_of(rule)
                evidence.signals = await self._left_sides(rule)

    def _states(self, outcome: AlertOutcome, sight: Sight | None) -> list[StateSpan]:
        lives = () if sight is None else sight.lives(outcome.alert, outcome.labels)
        spans = (span for one in lives for span in spans_of(one, self.found.end))
        return [one for one in spans if one.end >= self.found.start and one.start <= self.found.end]

    async def _left_sides(self, rule: AlertRule) -> list[Signal]:
        """Return the left side of every comparison; the whole expression where none can be taken out of it."""
        parts = comparisons(rule.expr)
        if not parts:
            lines = await self._lines(rule.expr)
            return [Signal(key=rule.name, title=rule.name, unit="1", expr=rule.expr, lines=lines)]
        return [
            Signal(
                key=rule.name if len(parts) == 1 else f"{rule.name} {index}",
                title=rule.name if len(parts) == 1 else f"{rule.name}, condition {index} of {len(parts)}",
                unit="1",
                expr=part.left,
                lines=await self._lines(part.left, lowest=part.operator in {"<", "<="}),
                operator=part.operator,
                threshold=part.right,
            )
            for index, part in enumerate(parts, 1)
        ]

    async def _faults(self) -> None:
        records = {one.id: one for one in await self.sources.control.faults() if one.id in self.run.fault_ids}
        kinds = {one.kind: one for one in await self.sources.control.kinds()}
        for fault_id in self.run.fault_ids:
            record = records.get(fault_id)
            if record is None:
                self._note(f"fault {fault_id}", "where it burned nobody knows of it any more")
                continue
            kind = kinds.get(record.kind)
            effect = None if kind is None else kind.effect
            self.found.faults.append(
                FaultEvidence(
                    record=record,
                    title="" if kind is None else kind.title,
                    effect=effect,
                    signal=None if effect is None else await self._effect(record, effect),
                )
            )

    async def _effect(self, record: FaultRecord, effect: Effect) -> Signal:
        if known := next((one.signal for one in self.found.faults if one.record.kind == record.kind), None):
            return known
        expr = scaled(effect.promql, self.plan.pace)
        title = effect.meaning[:1].upper() + effect.meaning[1:]
        return Signal(
            key=f"effect {record.kind}", title=title, unit=effect.unit, expr=expr, lines=await self._lines(expr)
        )

    async def _signals(self) -> None:
        for key, title, unit, promql in SERVICE:
            expr = scaled(promql, self.plan.pace)
            lines = await self._lines(expr)
            if lines:
                self.found.signals.append(Signal(key=key, title=title, unit=unit, expr=expr, lines=lines))

    async def _traces(self) -> None:
        since = self.run.fault_at
        if since is not None:
            until = self.run.rollback_at or self.found.end
            self.found.traces = await asyncio.to_thread(exhibits, self.sources.traces, since, until)

    async def _versions(self) -> None:
        self.found.setup.versions = await asyncio.to_thread(versions, self.sources.watcher.prometheus)

    async def _lines(self, expr: str, *, lowest: bool = False) -> list[Line]:
        """Return ``expr`` over the time of the run: the lines that reach highest, or lowest."""
        start, end, step_s = self.found.start, self.found.end, self.found.step_s
        answer = await asyncio.to_thread(self.sources.watcher.prometheus.query_range, expr, start, end, step_s)
        lines = sorted(finite_lines(answer), key=lambda one: max(value for _, value in one.points), reverse=True)
        if lowest:
            lines.sort(key=lambda one: min(value for _, value in one.points))
        if len(lines) > MOST_LINES:
            self.found.notes.append(f"{len(lines) - MOST_LINES} of {len(lines)} series are left out of {expr}")
        return lines[:MOST_LINES]


def scaled(promql: str, pace: Pace) -> str:
    """Return a production-time expression as it reads at ``pace``. Raises ``UnscalableExpression``."""
    return promql if pace.factor == 1.0 else scale_expr(promql, pace.factor)


def finite_lines(answer: Iterable[Series]) -> list[Line]:
    """Return the series of ``answer`` without what is not finite; those of which nothing is left are left out."""
    lines = (
        Line(
            labels={name: text for name, text in one.labels.items() if name != "__name__"},
            points=[(round(at, 3), value) for at, value in one.points if math.isfinite(value)],
        )
        for one in answer
    )
    return [line for line in lines if line.points]


def spans_of(life: Episode, end: float) -> Iterable[StateSpan]:
    """Yield when ``life`` was pending and when it fired, until ``end`` where it lasts."""
    labels: Mapping[str, str] = dict(sorted(life.labels))
    over = life.resolved if life.resolved is not None else end
    if life.pending is not None:
        yield StateSpan(state="pending", start=life.pending, end=life.firing or over, labels=dict(labels))
    if life.firing is not None:
        yield StateSpan(state="firing", start=life.firing, end=over, labels=dict(labels))


def text_of(rule: AlertRule) -> RuleText:
    """Return ``rule`` as it was loaded, as data and as text."""
    alerting = AlertingRule(
        name=rule.name,
        expr=rule.expr,
        for_s=rule.for_s,
        keep_firing_for_s=rule.keep_firing_for_s,
        labels=rule.labels,
        annotations=rule.annotations,
    )
    group = RuleGroup(name=rule.group, interval_s=rule.interval_s, rules=(alerting,))
    text = write_rules(RuleFile(Path(rule.group), (group,)), "what Prometheus had loaded")
    return RuleText(
        group=rule.group,
        interval_s=rule.interval_s,
        expr=rule.expr,
        for_s=rule.for_s,
        keep_firing_for_s=rule.keep_firing_for_s,
        labels=dict(rule.labels),
        annotations=dict(rule.annotations),
        yaml=text.partition("\n")[2],
    )
