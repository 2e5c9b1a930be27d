"""``firedrill drill``: run drills and show what became of each alert."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from faults.client import ConductorClient
from faults.drills.wire import STAGES, AlertOutcome, DrillRun, DrillStart
from panel.commands.console import OUT, AsJson, CommandError, actor, conductor, seconds

app = typer.Typer(help="Drills: fault, alarm, all-clear, with proof.", no_args_is_help=True)

POLL_S = 0.3
COLOURS = {"passed": "bold green", "failed": "bold red", "aborted": "bold yellow", "error": "bold red"}


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
    drill: Annotated[str, typer.Argument(help="A drill of the library, or the path of a drill file (.yaml).")],
    as_json: AsJson = False,
) -> None:
    """Run a drill; exit status 0 when it passed, 1 when it did not, 2 when it could not run, 130 when aborted."""
    client = conductor()
    started = client.start_drill(_start(drill), actor=actor())
    try:
        ended = _wait(client, started) if as_json else _watch(client, started)
    except KeyboardInterrupt:
        client.abort(started.id, actor=actor())
        ended = _wait(client, started)
        if not as_json:
            OUT.print(draw(ended))
        raise typer.Exit(130) from None
    if as_json:
        OUT.print_json(json.dumps(relative(ended)))
    else:
        OUT.print(draw(ended))
    raise typer.Exit({"passed": 0, "failed": 1, "aborted": 130}.get(ended.verdict or "error", 2))


def _start(drill: str) -> DrillStart:
    """Return what to ask the conductor for: a file's text where the argument is a path, else a name."""
    path = Path(drill)
    if path.suffix not in {".yaml", ".yml"} and not path.is_file():
        return DrillStart(name=drill)
    try:
        return DrillStart(text=path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as problem:
        raise CommandError(f"cannot read the drill file {path}: {problem}") from None


def _wait(client: ConductorClient, started: DrillRun) -> DrillRun:
    """Return the run once it is done."""
    current = started
    while current.phase != "done":
        time.sleep(POLL_S)
        current = client.run(started.id)
    return current


def _watch(client: ConductorClient, started: DrillRun) -> DrillRun:
    """Show the run as it goes and return it once it is done."""
    current = started
    with Live(console=OUT, transient=True, refresh_per_second=8) as live:
        spinner = Spinner("dots")
        while current.phase != "done":
            spinner.update(text=Text.assemble((current.phase.replace("_", " "), "bold"), f"  {current.progress}"))
            live.update(Group(spinner, _stages(current)))
            time.sleep(POLL_S)
            current = client.run(started.id)
    return current


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
        OUT.print(draw(found))


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
    OUT.print(draw(_wait(client, client.abort(run_id, actor=actor()))))


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


def _stages(run: DrillRun) -> Table:
    """Draw the stages of each alert, in time since the fault."""
    table = Table("alert", "expected", *(stage.replace("_", " ") for stage in STAGES), "verdict")
    for outcome in run.outcomes:
        times = (since(run, outcome, stage) for stage in STAGES)
        verdict = outcome.verdict or "…"
        good = outcome.verdict == "as expected"
        table.add_row(
            f"[bold]{outcome.alert}[/]",
            "yes" if outcome.expected else "no",
            *("–" if at is None else f"{at:.1f} s" for at in times),
            f"[{'green' if good else 'yellow' if outcome.verdict is None else 'red'}]{verdict}[/]",
        )
    return table


def draw(run: DrillRun) -> Group:
    """Draw a run that ended: the table of stages, what was odd, the verdict."""
    rollback = (
        ""
        if run.fault_at is None or run.rollback_at is None
        else f"; put out after {run.rollback_at - run.fault_at:.1f} s"
    )
    took = "" if run.ended_at is None else f"; took {seconds(run.ended_at - run.queued_at)}"
    lines = [Text(f"{outcome.alert}: {outcome.detail}", style="dim") for outcome in run.outcomes if outcome.detail]
    verdict = run.verdict or run.phase
    return Group(
        Text.assemble((run.title, "bold"), f"  run {run.id}, {run.pace} pace, times since the fault{rollback}{took}"),
        _stages(run),
        *lines,
        Text.assemble((verdict.upper(), COLOURS.get(verdict, "bold")), f"  {run.reason}" if run.reason else ""),
    )
