"""``firedrill drill schema`` and ``drill validate``: drill files on their way into an editor and out of it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from faults.client import ConductorClient, ConductorRefused, ConductorUnreachable
from faults.drills.errors import BadDrill
from faults.drills.schema import drill_schema
from faults.drills.spec import load_drill
from faults.drills.wire import DrillCheck, DrillStart
from panel.commands.console import ERRORS, OUT, CommandError, conductor
from panel.commands.drill import app
from panel.commands.export import export

__all__ = ["app"]

BAD = 2
app.command()(export)


@app.command()
def schema() -> None:
    """Print the JSON schema of drill files, for an editor."""
    sys.stdout.write(drill_schema())


@app.command()
def validate(
    files: Annotated[list[Path], typer.Argument(help="Drill files (.yaml).")],
    offline: Annotated[bool, typer.Option("--offline", help="The files alone, even if a stack runs.")] = False,
) -> None:
    """Check drill files against the running stack, or by themselves where none runs; exit status 2 where one is bad."""
    client = None if offline else _stack()
    bad = 0
    for path in files:
        try:
            load_drill(path)
            checked = None if client is None else _against(client, path)
        except ConductorUnreachable:
            client, checked = None, None
        except (BadDrill, ConductorRefused) as problem:
            bad += 1
            ERRORS.print(f"[bold red]{path}[/]", highlight=False)
            ERRORS.print(str(problem), markup=False, highlight=False, soft_wrap=True)
            continue
        OUT.print(f"[green]{path}[/] {_praise(checked)}", highlight=False, soft_wrap=True)
        for warning in checked.warnings if checked is not None else ():
            OUT.print(f"  warning: {warning}", markup=False, highlight=False, soft_wrap=True)
    if bad:
        raise typer.Exit(BAD)


def _stack() -> ConductorClient | None:
    """Return the conductor of the stack that runs here; ``None`` where none does."""
    try:
        return conductor()
    except CommandError:
        return None


def _against(client: ConductorClient, path: Path) -> DrillCheck:
    return client.check_drill(DrillStart(text=path.read_text(encoding="utf-8")))


def _praise(checked: DrillCheck | None) -> str:
    if checked is None:
        return "is a drill; whether it can run was not looked at, for no stack was asked"
    faults = "1 fault" if checked.lightings == 1 else f"{checked.lightings} faults"
    return f"can run here: {faults}"
