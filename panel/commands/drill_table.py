"""How runs of drills look in a terminal of 80 columns: what became of each alert, stage by stage. It asks nobody."""

from __future__ import annotations

import time
from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from faults.drills.report import amounts
from faults.drills.report.batch import Batch, Standing
from faults.drills.report.stages import StageRow, stage_rows
from faults.drills.report.words import score_figures, summary_rows
from faults.drills.wire import STAGES, AlertOutcome, DrillRun
from panel.commands.console import seconds

COLOURS = {
    "passed": "bold green",
    "failed": "bold red",
    "aborted": "bold yellow",
    "error": "bold red",
    "skipped": "yellow",
    "not run": "yellow",
}
WIDE = 118
"""From so many columns on, the cause of each predicted range is shown beside it."""
_QUIET = frozenset({"as expected", "already firing", "insufficient history"})


def draw(run: DrillRun, *, width: int = 80) -> Group:
    """Draw a run: a block for each alert that was expected or unexpected, a line for any other, and the verdict."""
    verdict = run.verdict or run.phase
    parts: list[RenderableType] = [Text(run.title, "bold"), Text(_about(run), "dim")]
    parts += [Text(f"note: {warning}", "yellow") for warning in run.warnings]
    for outcome in run.outcomes:
        if outcome.expected or outcome.verdict not in _QUIET:
            parts += [Text(), *_block(run, outcome, width)]
    others = [one for one in run.outcomes if not one.expected and one.verdict in _QUIET]
    if others:
        parts.append(Text())
    parts += [Text(f"beside it: {one.alert}: {one.detail or one.verdict}", "dim") for one in others]
    parts += [
        Text(),
        Text.assemble((verdict.upper(), COLOURS.get(verdict, "bold")), f"  {run.reason}" if run.reason else ""),
    ]
    return Group(*parts)


def _about(run: DrillRun) -> str:
    clock = amounts.clock(virtual=run.virtual, tries=run.tries)
    told = [f"{run.name}, run {run.id}, {run.pace} pace, seed {run.seed}{clock}"]
    if run.fault_at is not None and run.rollback_at is not None:
        told.append(f"put out after {seconds(run.rollback_at - run.fault_at)}")
    if run.ended_at is not None:
        told.append(f"took {seconds(run.ended_at - run.queued_at)}")
    return ", ".join(told)


def _block(run: DrillRun, outcome: AlertOutcome, width: int) -> Iterator[RenderableType]:
    good = outcome.verdict == "as expected"
    labels = ", ".join(f'{name}="{value}"' for name, value in outcome.labels.items())
    yield Text.assemble(
        (outcome.alert, "bold"),
        f"{{{labels}}}" if labels else "",
        " " if outcome.expected else " (not expected) ",
        (outcome.verdict or "…", "green" if good else "yellow" if outcome.verdict is None else "red"),
    )
    if outcome.detail:
        yield Padding(Text(outcome.detail, "dim"), (0, 0, 0, 2))
    rows = stage_rows(run, outcome)
    table = Table(box=None, padding=(0, 1), pad_edge=False, header_style="dim")
    table.add_column("  stage", no_wrap=True)
    table.add_column("since fault", justify="right", no_wrap=True)
    table.add_column("since put out", justify="right", no_wrap=True)
    phases = run.virtual and width < WIDE  # where there is room it stands in the last column, beside the prediction
    table.add_column("over all phases" if phases else "predicted", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    if width >= WIDE:
        table.add_column("made of", overflow="fold")
    for row in rows:
        table.add_row(*_cells(row, phases=phases), *([Text(row.cause, "dim")] if width >= WIDE else []))
    yield table
    if width < WIDE:
        for row in rows:
            if row.within is False and row.cause:
                yield Padding(Text(f"{row.name}: {row.cause}", "yellow"), (0, 0, 0, 2))


def _cells(row: StageRow, *, phases: bool) -> tuple[str, str, str, str, Text]:
    late = amounts.seconds(row.measured_s) if row.since == "put out" and row.measured_s is not None else ""
    predicted = row.over_phases if phases else amounts.reach(row.earliest_s, row.latest_s)
    tick = Text(row.tick, "green" if row.within else "bold red")
    return f"  {row.name}", amounts.seconds(row.at_s), late, predicted, tick


def progress(run: DrillRun, *, place: str = "", now: float | None = None) -> Group:
    """Draw a run that is under way: its phase, what it waits for, what comes next, how far each alert is."""
    elapsed_s = max(0.0, (time.time() if now is None else now) - run.queued_at)
    of = f" of about {seconds(run.estimate_s)}" if run.estimate_s else ""
    head = Text.assemble(
        (run.name, "bold"), place, "  ", (run.phase.replace("_", " "), "cyan"), f"  {seconds(elapsed_s)}{of}"
    )
    parts: list[RenderableType] = [Spinner("dots", text=head)]
    if run.progress:
        parts.append(Padding(Text(run.progress), (0, 0, 0, 2)))
    if run.coming:
        parts.append(Padding(Text(f"next: the schedule {run.coming}", "dim"), (0, 0, 0, 2)))
    for outcome in run.outcomes:
        reached = _furthest(run, outcome)
        if reached:
            parts.append(Padding(Text.assemble((outcome.alert, "bold"), f"  {reached}"), (0, 0, 0, 2)))
    return Group(*parts)


def _furthest(run: DrillRun, outcome: AlertOutcome) -> str:
    reached = [
        (getattr(outcome.stages, stage), stage) for stage in STAGES if getattr(outcome.stages, stage) is not None
    ]
    if not reached or run.fault_at is None:
        return ""
    at, stage = reached[-1]
    return f"{stage.replace('_', ' ')} {amounts.seconds(at - run.fault_at)} after the fault"


def summary(batch: Batch, *, with_reasons: bool = True) -> Group:
    """Draw what became of several drills, with precision and recall, and why those that did not pass did not."""
    table = Table("drill", "verdict", "fired", "resolved", "took", box=None, padding=(0, 1), header_style="dim")
    for column in table.columns[2:]:
        column.justify = "right"
        column.no_wrap = True
    reasons: list[Text] = []
    for case, (name, standing, fired, resolved, took, why) in zip(batch.cases, summary_rows(batch), strict=True):
        table.add_row(f"[bold]{name}[/]", Text(standing, COLOURS[case.standing]), fired, resolved, took)
        if with_reasons and case.standing != "passed":
            reasons.append(Text.assemble((f"{name}: ", COLOURS[case.standing]), why))
    figures = ", ".join(f"{name} {value}" for name, value in score_figures(batch))
    style = {0: "bold green", 1: "bold red"}.get(batch.exit_code(), "bold yellow")
    return Group(table, *reasons, Text(), Text(figures), Text(batch.tally().upper(), style))


def standing_line(name: str, standing: Standing, reason: str, took_s: float | None) -> Text:
    """Return one line on a drill that is over, for a log."""
    took = "" if took_s is None else f" ({seconds(took_s)})"
    why = f"  {reason}" if standing != "passed" else ""
    return Text.assemble((f"{standing:<8}", COLOURS[standing]), (name, "bold"), took, why)
