"""A report as Markdown, for a wiki, a ticket or the summary of a CI run: tables, rules and causes, no pictures."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from faults.drills.evidence import Evidence
from faults.drills.report import amounts
from faults.drills.report.batch import Batch, Case
from faults.drills.report.stages import stage_rows
from faults.drills.report.words import CAVEAT, parameters, score_figures, scored_alerts, summary_rows
from faults.drills.wire import AlertOutcome, DrillRun

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~!&])")


def markdown(batch: Batch) -> str:
    """Return the report of ``batch``."""
    return "\n".join(_lines(batch)).rstrip() + "\n"


def plain(words: str) -> str:
    """Return ``words`` on one line, with nothing in them that Markdown or HTML takes for its own."""
    return _SPECIAL.sub(r"\\\1", " ".join(words.split()))


def code(words: str) -> str:
    """Return ``words`` as code within a line, whatever backticks are in them."""
    flat = " ".join(words.split()).replace("|", "\\|")
    fence = _fence(flat, 1)
    edge = " " if flat.startswith("`") or flat.endswith("`") else ""
    return f"{fence}{edge}{flat}{edge}{fence}" if flat else ""


def block(words: str, language: str) -> str:
    """Return ``words`` as a block of code."""
    fence = _fence(words, 3)
    return f"{fence}{language}\n{words.rstrip()}\n{fence}"


def rows(head: Sequence[str], body: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table whose cells are finished Markdown."""
    yield f"| {' | '.join(head)} |"
    yield f"|{'|'.join(' --- ' for _ in head)}|"
    for row in body:
        yield f"| {' | '.join(row)} |"
    yield ""


def _fence(words: str, least: int) -> str:
    longest = max((len(run) for run in re.findall(r"`+", words)), default=0)
    return "`" * max(least, longest + 1 if longest else least)


def _lines(batch: Batch) -> Iterator[str]:
    yield f"# {plain(batch.title)}"
    yield ""
    yield f"{amounts.moment(batch.started_at)}, {amounts.seconds(batch.ended_at - batch.started_at)}: {batch.tally()}."
    yield ""
    if batch.interrupted:
        yield "**This report is partial: it was interrupted before all drills had run.**"
        yield ""
    yield ", ".join(f"{name}: **{value}**" for name, value in score_figures(batch)) + f". {CAVEAT}"
    yield ""
    head = ("drill", "verdict", "alert fired after", "resolved after", "took", "why")
    yield from rows(head, ([plain(cell) for cell in row] for row in summary_rows(batch)))
    scored = scored_alerts(batch)
    if scored:
        heads = ("alert", "detected", "missed", "unexpected", "precision", "recall", "detection", "reset")
        yield from rows(heads, ([plain(cell) for cell in row] for row in scored))
    for case in batch.cases:
        yield from _case(case)


def _case(case: Case) -> Iterator[str]:
    run = case.ran
    if run is None:
        return
    yield f"## {plain(run.title)}: {run.verdict or run.phase}"
    yield ""
    yield plain(run.reason) or "No reason was given."
    yield ""
    burned = "no fault was lit"
    if run.fault_at is not None and run.rollback_at is not None:
        burned = f"the fault burned {amounts.seconds(run.rollback_at - run.fault_at)}"
    began = amounts.moment(run.queued_at)
    ran = f"{run.pace} pace, seed {run.seed}{amounts.clock(virtual=run.virtual, tries=run.tries)}"
    yield f"Drill {code(run.name)}, run {code(run.id)}, {began}, {ran}; {burned}."
    yield ""
    for note in [*run.warnings, *([] if case.evidence is None else case.evidence.notes)]:
        yield f"- Note: {plain(note)}"
    if run.warnings or (case.evidence is not None and case.evidence.notes):
        yield ""
    for outcome in run.outcomes:
        yield from _outcome(run, outcome)
    if case.evidence is not None:
        yield from _evidence(case.evidence)


def _outcome(run: DrillRun, outcome: AlertOutcome) -> Iterator[str]:
    asked = "expected" if outcome.expected else "not expected"
    labels = f" {code(parameters(dict(outcome.labels)))}" if outcome.labels else ""
    said = f": {plain(outcome.detail)}" if outcome.detail else ""
    yield f"**{plain(outcome.alert)}**{labels} ({asked}): **{outcome.verdict or 'undecided'}**{said}"
    yield ""
    body = (
        (
            row.name,
            amounts.seconds(row.at_s),
            amounts.seconds(row.measured_s) if row.since == "put out" else "",
            row.predicted,
            row.tick,
            plain(row.cause),
        )
        for row in stage_rows(run, outcome)
    )
    yield from rows(("stage", "since the fault", "since put out", "predicted", "", "cause"), body)


def _evidence(evidence: Evidence) -> Iterator[str]:
    zero = evidence.run.fault_at or evidence.start
    if evidence.faults:
        body = (
            (
                plain(one.record.kind),
                code(parameters(one.record.parameters)),
                f"{one.record.probability:.0%}",
                amounts.seconds(one.record.started_at - zero),
                one.record.end_reason or one.record.state,
                str(one.record.injections),
            )
            for one in evidence.faults
        )
        yield from rows(("fault", "parameters", "share", "lit", "ended by", "acted"), body)
    if evidence.traces:
        traces = (
            (
                f"[{one.trace_id}](<{one.url}>)" if _safe(one.url) else plain(one.trace_id),
                amounts.short(one.duration_s),
                " and ".join(one.why),
                plain(", ".join(one.hit_by)),
                plain(one.operation),
            )
            for one in evidence.traces
        )
        yield from rows(("trace", "took", "chosen as", "hit by", "operation"), traces)
    for alert in evidence.alerts:
        if alert.rule is not None:
            yield block(alert.rule.yaml, "yaml")
            yield ""
    setup = evidence.setup
    everything = [*setup.versions.items(), *setup.configuration.items(), *setup.host.items()]
    yield from rows(("on what it ran", ""), ((plain(name), plain(value)) for name, value in everything))


def _safe(url: str) -> bool:
    return url.startswith(("http://", "https://")) and not set(url) & set("<> \n")
