"""A report as one HTML file that needs nothing else: no script, no request, readable when the stack is gone."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from itertools import zip_longest

from faults.drills.evidence import AlertEvidence, Evidence, TraceEvidence
from faults.drills.report import amounts
from faults.drills.report.batch import Batch, Case
from faults.drills.report.markup import (
    Cell,
    Html,
    badge,
    code_block,
    figures,
    folded,
    heading,
    link,
    page,
    pairs,
    paragraph,
    scrolling,
    table,
)
from faults.drills.report.signs import SIGNS
from faults.drills.report.stages import stage_rows
from faults.drills.report.svg import svg
from faults.drills.report.timeline import alarm_scene, service_scene
from faults.drills.report.words import CAVEAT, parameters, score_figures, scored_alerts, summary_rows
from faults.drills.wire import STAGES, AlertOutcome, DrillRun

_LEGEND = (
    '<div class="legend"><span>coloured band: a fault burns</span><span><i class="pending"></i>pending</span>'
    '<span><i class="firing"></i>firing</span><span><i class="limit"></i>limit of the rule</span>'
    + "".join(f"<span>{sign.symbol} {sign.word}</span>" for sign in SIGNS.values())
    + "".join(f"<span><b>{number}</b> {stage.replace('_', ' ')}</span>" for number, stage in enumerate(STAGES, 1))
    + "</div>"
)
_STAGE_HEAD = ("no.", "stage", "since the fault", "since put out", "predicted", "holds", "made of; or the cause")
_STAGE_KINDS = ("n", "name", "n", "n", "range", "", "long")


def html(batch: Batch) -> str:
    """Return the report of ``batch`` as one page."""
    return page(batch.title, _body(batch))


def _body(batch: Batch) -> Iterator[str]:
    yield heading(1, batch.title)
    span = amounts.seconds(batch.ended_at - batch.started_at)
    yield paragraph(f"{amounts.moment(batch.started_at)}, {span}: {batch.tally()}.", "soft")
    if batch.interrupted:
        yield paragraph("This report is partial: it was interrupted before all drills had run.", "bad")
    yield figures(score_figures(batch))
    yield paragraph(CAVEAT, "soft")
    rows = [
        (Html(f'<a href="#{_anchor(case)}">{escape(case.name)}</a>') if case.ran else case.name, *rest)
        for case, (_, *rest) in zip(batch.cases, summary_rows(batch), strict=True)
    ]
    marked = [(row[0], badge(str(row[1])), *row[2:]) for row in rows]
    head = ("drill", "verdict", "alert fired after", "resolved after", "took", "why")
    yield table(head, marked, kinds=("name", "", "n", "n", "n", "long"), label="all drills")
    scored = scored_alerts(batch)
    if scored:
        yield heading(2, "Alerts over all drills")
        heads = ("alert", "detected", "missed", "unexpected", "precision", "recall", "detection", "reset")
        yield table(heads, scored, kinds=("name", "n", "n", "n", "n", "n", "n", "n"), label="alerts over all drills")
    for case in batch.cases:
        yield from _case(case)
    yield "<footer>Made by Firedrill. Times of stages are those of Prometheus, Alertmanager and the webhook.</footer>"


def _anchor(case: Case) -> str:
    return f"run-{case.ran.id}" if case.ran is not None else ""


def _case(case: Case) -> Iterator[str]:
    run = case.ran
    if run is None:
        return
    yield '<section class="run">'
    yield heading(2, run.title, anchor=_anchor(case))
    yield paragraph(Html(f"{badge(run.verdict or run.phase).text} {escape(run.reason)}"), "reason")
    yield paragraph(_about(run), "soft")
    for warning in run.warnings:
        yield paragraph(f"Note: {warning}", "warn")
    if case.evidence is None:
        yield paragraph("No evidence of this run is kept; what follows is what its journal says.", "warn")
        yield from _stages(run, ())
    else:
        yield from _evidence(case.evidence)
    yield "</section>"


def _about(run: DrillRun) -> str:
    burned = "no fault was lit"
    if run.fault_at is not None and run.rollback_at is not None:
        burned = f"the fault burned {amounts.seconds(run.rollback_at - run.fault_at)}"
    took = "" if run.ended_at is None else f", took {amounts.seconds(run.ended_at - run.queued_at)}"
    began = amounts.moment(run.queued_at)
    ran = f"{run.pace} pace, seed {run.seed}{amounts.clock(virtual=run.virtual, tries=run.tries)}"
    return f"Drill {run.name}, run {run.id}, {began}, {ran}; {burned}{took}."


def _evidence(evidence: Evidence) -> Iterator[str]:
    for note in evidence.notes:
        yield paragraph(f"Note: {note}.", "warn")
    picture = svg(alarm_scene(evidence))
    if picture:
        yield _LEGEND
        yield scrolling(f"timeline of run {evidence.run.id}", picture)
    yield from _stages(evidence.run, tuple(evidence.alerts))
    yield from _faults(evidence)
    picture = svg(service_scene(evidence)) if evidence.signals or evidence.faults else ""
    if picture:
        yield heading(3, "What it did to the service")
        yield scrolling(f"signals of the service in run {evidence.run.id}", picture)
    yield from _traces(evidence)
    yield from _rules(evidence)
    if evidence.drill_text:
        yield heading(3, "The drill")
        yield folded("the drill file", code_block(evidence.drill_text))
    setup = evidence.setup
    yield heading(3, "On what it ran")
    yield '<div class="side">'
    for name, values in (("versions", setup.versions), ("configuration", setup.configuration), ("host", setup.host)):
        yield pairs(values.items(), f"{name} of run {evidence.run.id}")
    yield "</div>"


def _stages(run: DrillRun, alerts: tuple[AlertEvidence, ...]) -> Iterator[str]:
    if run.outcomes:
        yield heading(3, "Alerts")
    for outcome, _ in zip_longest(run.outcomes, alerts):
        if outcome is not None:
            yield from _outcome(run, outcome)


def _outcome(run: DrillRun, outcome: AlertOutcome) -> Iterator[str]:
    labels = f" {parameters(dict(outcome.labels))}" if outcome.labels else ""
    asked = "expected" if outcome.expected else "not expected"
    verdict = badge(outcome.verdict or "undecided").text
    said = f": {outcome.detail}" if outcome.detail else ""
    yield paragraph(Html(f"<b>{escape(outcome.alert + labels)}</b> ({asked}) {verdict}{escape(said)}"))
    rows: list[tuple[Cell, ...]] = [
        (
            str(row.number),
            row.name,
            amounts.seconds(row.at_s),
            amounts.seconds(row.measured_s) if row.since == "put out" else "",
            row.predicted,
            badge(row.tick) if row.tick else "",
            row.cause,
        )
        for row in stage_rows(run, outcome)
    ]
    yield table(_STAGE_HEAD, rows, kinds=_STAGE_KINDS, label=f"stages of {outcome.alert}{labels} in run {run.id}")


def _faults(evidence: Evidence) -> Iterator[str]:
    if not evidence.faults:
        return
    zero = evidence.run.fault_at or evidence.start
    yield heading(3, "Faults, as they burned")
    rows = []
    for fault in evidence.faults:
        one = fault.record
        burned = None if one.ended_at is None else one.ended_at - one.started_at
        target = (
            ", ".join(f"{name} {value}" for name, value in one.target.model_dump().items() if value) or "everything"
        )
        effect = Html(f"<code>{escape(fault.signal.expr)}</code>") if fault.signal is not None else ""
        rows.append(
            (
                one.kind,
                parameters(one.parameters),
                target,
                f"{one.probability:.0%}",
                amounts.seconds(one.started_at - zero),
                amounts.seconds(burned),
                one.end_reason or one.state,
                str(one.injections),
                effect,
            )
        )
    head = ("kind", "parameters", "target", "share", "lit", "burned", "ended by", "acted", "shows in")
    yield table(
        head, rows, kinds=("name", "", "", "n", "n", "n", "", "n", "long"), label=f"faults of run {evidence.run.id}"
    )


def _traces(evidence: Evidence) -> Iterator[str]:
    if not evidence.traces:
        return
    yield heading(3, "Traces: the slowest and the failed ones while it burned")
    zero = evidence.run.fault_at or evidence.start
    for trace in evidence.traces:
        hit = f", hit by {', '.join(trace.hit_by)}" if trace.hit_by else ""
        title = (
            f"<b>{escape(amounts.short(trace.duration_s))}</b> {escape(trace.operation)} "
            f"<span class='soft'>{escape(' and '.join(trace.why))}{escape(hit)}, "
            f"{escape(amounts.seconds(trace.start - zero))} after the fault</span>"
        )
        where = paragraph(Html(f"Trace {link(trace.url, trace.trace_id).text} (as long as the stack runs)"), "soft")
        yield folded(Html(title), where + _spans(trace, evidence.run.id), is_open=trace is evidence.traces[0])


def _spans(trace: TraceEvidence, run_id: str) -> str:
    whole = max(trace.duration_s, 1e-9)
    rows: list[tuple[Cell, ...]] = []
    for span in trace.spans:
        left = min(max((span.start - trace.start) / whole, 0.0), 1.0) * 100
        width = min(span.duration_s / whole * 100, 100.0 - left)
        kind = " class='err'" if span.error else ""
        track = Html(f"<i{kind} style='left:{left:.2f}%;width:{width:.2f}%'></i>")
        said = "; ".join(
            one for one in ("failed" if span.error else "", f"hit by {span.fault}" if span.fault else "") if one
        )
        indent = Html(f"<span style='padding-left:{span.depth * 14}px'>{escape(span.operation)}</span>")
        rows.append((indent, amounts.short(span.duration_s), track, said))
    told = table(
        ("span", "took", "when", "note"),
        rows,
        kinds=("", "n", "track", ""),
        label=f"spans of {trace.trace_id} in run {run_id}",
    )
    left_out = f"<p class='soft'>{trace.spans_left_out} more spans are left out.</p>" if trace.spans_left_out else ""
    return f'<div class="spans">{told}{left_out}</div>'


def _rules(evidence: Evidence) -> Iterator[str]:
    rules = [alert for alert in evidence.alerts if alert.rule is not None]
    if rules:
        yield heading(3, f"Rules, as Prometheus had them loaded ({evidence.run.pace} pace)")
    for alert in rules:
        if alert.rule is not None:
            yield folded(alert.alert, code_block(alert.rule.yaml), is_open=alert.expected)
