"""``firedrill agree``: live runs of drills next to virtual ones, stage by stage."""

from __future__ import annotations

from typing import Annotated

import typer

from panel.commands.console import AsJson


def agree(
    drills: Annotated[
        list[str] | None,
        typer.Argument(help="Drills to run live now; none: what has run here, each drill's latest run."),
    ] = None,
    runs: Annotated[list[str] | None, typer.Option("--run", help="A live run that ended, by its id.")] = None,
    seeds: Annotated[int, typer.Option(min=1, max=1000, help="How many seeds the virtual ones have.")] = 10,
    jobs: Annotated[int, typer.Option(min=0, help="So many are recorded at once; 0: one for each core.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Hold live runs against virtual ones; exit status 1 where a stage lies outside, 2 where one cannot be compared."""
    from panel.commands import agreeing  # noqa: PLC0415 - the service's code, for which other commands need not wait

    agreeing.perform(drills or [], runs or [], seeds=seeds, jobs=jobs, as_json=as_json)
