"""``firedrill matrix``: which of one's alerts fires for which fault, on a virtual clock. No stack runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from panel.commands import sweep_options as option
from panel.commands.console import AsJson
from panel.commands.report_files import HtmlFile


def matrix(
    rules: option.Rules,
    faults: Annotated[
        str | None, typer.Option(help="Faults to try, divided by commas, by scenario or kind, in place of all.")
    ] = None,
    expect: Annotated[
        Path | None, typer.Option(help="What each alert shall fire for (YAML), in place of the library's drills.")
    ] = None,
    dialect: option.Dialect = "",
    for_: option.For = None,
    seed: option.Seed = 1,
    seeds: option.Seeds = 1,
    jobs: option.Jobs = 0,
    backend: option.Backend = option.BackendName.LOKY,
    scheduler: option.Scheduler = "",
    no_cache: option.NoCache = False,
    as_json: AsJson = False,
    html: HtmlFile = None,
    csv: option.CsvFile = None,
    png: option.PngFile = None,
    svg: option.SvgFile = None,
) -> None:
    """Show which alert fires for which fault; exit status 1 where one is missed, or fires where it should not."""
    from panel.commands import sweeps  # noqa: PLC0415 - the service's code, for which other commands need not wait

    asked = sweeps.Asked(
        dialect=dialect,
        for_=for_,
        seed=seed,
        seeds=seeds,
        jobs=jobs,
        backend=backend.value,
        scheduler=scheduler,
        cached=not no_cache,
        as_json=as_json,
    )
    files = {"html": html, "csv": csv, "png": png, "svg": svg}
    sweeps.perform_matrix(rules, asked, faults=faults, expect=expect, files=files)
