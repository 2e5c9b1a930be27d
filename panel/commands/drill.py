"""``firedrill drill``: run drills and show what became of each alert."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import RenderableType
from rich.table import Table

from faults.drills.report.batch import Batch
from faults.drills.wire import STAGES, AlertOutcome, DrillRun
from panel.commands.console import OUT, AsJson, CommandError, actor, conductor, seconds
from panel.commands.drill_batch import Performance, Wanted, live_drilling, until_done
from panel.commands.drill_table import COLOURS, draw, standing_line, summary
from panel.commands.report_files import (
    CsvFolder,
    HtmlFile,
    JunitFile,
    MarkdownFile,
    Outputs,
    PngFolder,
    SvgFolder,
)

app = typer.Typer(help="Drills: fault, alarm, all-clear, with proof.", no_args_is_help=True)


@app.command("list")
def list_drills(as_json: AsJson = False) -> None:
    """Show the library."""
    drills = conductor().drills()
    if as_json:
        OUT.print_json(json.dumps([drill.model_dump(mode="json") for drill in drills]))
        return
    table = Table("drill", "fault", "expects", "about", "what it shows")
    for drill in drills:
        table.add_row(
            f"[bold]{drill.name}[/]",
            ", ".join(drill.kinds),
            ", ".join(drill.alerts),
            seconds(drill.estimate_s),
            drill.title,
        )
    OUT.print(table)


@app.command()
def run(
    drills: Annotated[list[str] | None, typer.Argument(help="Drills of the library, or paths of drill files.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every drill of the library, one after another.")] = False,
    kind: Annotated[list[str] | None, typer.Option("--kind", help="Only drills that light this kind of fault.")] = None,
    as_json: AsJson = False,
    seed: Annotated[int | None, typer.Option(min=0, help="Every random choice follows from it; else drawn.")] = None,
    html: HtmlFile = None,
    junit: JunitFile = None,
    md: MarkdownFile = None,
    csv: CsvFolder = None,
    png: PngFolder = None,
    svg: SvgFolder = None,
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="Stop after the first that did not pass.")] = False,
    virtual: Annotated[bool, typer.Option("--virtual", help="On a virtual clock; no stack is needed.")] = False,
    pace: Annotated[str | None, typer.Option(help="Of --virtual: workshop or production; else as `up` has it.")] = None,
    seeds: Annotated[int | None, typer.Option(min=1, max=100, help="Of --virtual: how many seeds to try.")] = None,
) -> None:
    """Run drills; exit status 0 all passed, 1 one failed, 2 one could not run, 130 when interrupted or aborted."""
    outputs = Outputs(html=html, md=md, junit=junit, csv=csv, png=png, svg=svg)
    outputs.check()
    if not drills and not every and not kind:
        raise CommandError("name a drill or a drill file, or ask for `--all`; `firedrill drill list` shows the library")
    if not virtual and (pace is not None or seeds is not None):
        raise CommandError("--pace and --seeds belong to `--virtual`; a live drill runs at the pace of its stack")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    wanted = Wanted(
        drills or [],
        every=every or not drills,
        kinds=kind or [],
        seed=seed,
        quiet=as_json,
        with_evidence=outputs.any,
        fail_fast=fail_fast,
    )
    if virtual:
        from panel.commands import drill_virtual  # noqa: PLC0415 - the service's code, which live drills do without

        drilling: Performance = drill_virtual.drilling(wanted, pace=pace, seeds=seeds or 1)
    else:
        drilling = live_drilling(conductor(), wanted)
    batch = drilling.batch
    alone = len(drilling.chosen) == 1 and not every
    try:
        drilling.perform()
    finally:
        written = outputs.write(batch) if outputs.any else []
    if as_json:
        OUT.print_json(json.dumps(_plain(batch, alone=alone)))
    else:
        for part in _drawn(batch, alone=alone):
            OUT.print(part)
        for path in written:
            OUT.print(f"wrote {path}", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(batch.exit_code())


def _plain(batch: Batch, *, alone: bool) -> dict[str, object]:
    """Return what ``--json`` prints: the run itself where one drill was named, else all of them with their score."""
    runs = [relative(one) for one in batch.runs]
    if alone and runs:
        return runs[0]
    others = [
        {"name": case.name, "standing": case.standing, "reason": case.reason}
        for case in batch.cases
        if case.ran is None
    ]
    score = batch.score().model_dump(mode="json")
    return {"runs": runs, "not_run": others, "interrupted": batch.interrupted, "score": score}


def _drawn(batch: Batch, *, alone: bool) -> Sequence[RenderableType]:
    if not alone:
        return ["", summary(batch, with_reasons=False)]  # each stands above already
    case = batch.cases[0]
    if case.ran is not None:
        return [draw(case.ran, width=OUT.width)]
    if case.refused:
        raise CommandError(case.refused)
    return [standing_line(case.name, case.standing, case.reason, None)]


@app.command()
def show(
    run_id: Annotated[str | None, typer.Argument(help="A run; the latest where none is named.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show a run that ended, or how far one is."""
    client = conductor()
    if run_id is None:
        runs = client.runs(limit=1)
        if not runs:
            raise CommandError("no drill has run here yet; try `firedrill drill run error-burst`")
        found = runs[0]
    else:
        found = client.run(run_id)
    if as_json:
        OUT.print_json(json.dumps(relative(found)))
    else:
        OUT.print(draw(found, width=OUT.width))


@app.command()
def runs(as_json: AsJson = False) -> None:
    """Show the latest runs."""
    found = conductor().runs()
    if as_json:
        OUT.print_json(json.dumps([relative(each) for each in found]))
        return
    table = Table("run", "drill", "when", "verdict", "why")
    for each in found:
        verdict = each.verdict or each.phase
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(each.queued_at))
        table.add_row(each.id, each.name, when, f"[{COLOURS.get(verdict, 'bold')}]{verdict}[/]", each.reason)
    OUT.print(table)


@app.command()
def abort(run_id: Annotated[str, typer.Argument(help="The run to stop.")]) -> None:
    """Stop a running drill and put its faults out."""
    client = conductor()
    ended = until_done(client, client.abort(run_id, actor=actor()))
    OUT.print(draw(ended, width=OUT.width))


def relative(run: DrillRun) -> dict[str, object]:
    """Return a run for ``--json``: as the conductor gives it, with each stage also in seconds since the fault."""
    plain: dict[str, object] = run.model_dump(mode="json")
    plain["outcomes"] = [
        outcome.model_dump(mode="json")
        | {"seconds_since_fault": {stage: since(run, outcome, stage) for stage in STAGES}}
        for outcome in run.outcomes
    ]
    return plain


def since(run: DrillRun, outcome: AlertOutcome, stage: str) -> float | None:
    """Return when an alert reached ``stage``, in seconds since the fault; ``None`` where it did not."""
    at: float | None = getattr(outcome.stages, stage)
    return None if at is None or run.fault_at is None else round(at - run.fault_at, 3)
