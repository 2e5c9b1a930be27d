"""``firedrill curve``: detection and reset time against how strong a fault is, and the weakest that fires."""

from __future__ import annotations

from typing import Annotated

import typer

from panel.commands import sweep_options as option
from panel.commands.console import AsJson
from panel.commands.report_files import HtmlFile


def curve(
    rules: option.Rules,
    fault: Annotated[str, typer.Option(help="The fault, by scenario or kind: `error`, `latency (inference)`.")],
    alert: Annotated[
        list[str] | None, typer.Option(help="An alert, by name; again for more. All that are there where none is.")
    ] = None,
    parameter: Annotated[
        str, typer.Option(help="What is varied: `probability` or a parameter of the fault; else the fault's own.")
    ] = "",
    from_: Annotated[float | None, typer.Option("--from", help="The weakest that is tried.")] = None,
    to: Annotated[float | None, typer.Option("--to", help="The strongest that is tried.")] = None,
    points: Annotated[int, typer.Option(min=2, max=50, help="Intensities that are tried before bisection.")] = 6,
    resolution: Annotated[
        float, typer.Option(min=0.001, max=1.0, help="Bisect until silent and firing differ by this share at most.")
    ] = 0.1,
    dialect: option.Dialect = "",
    for_: option.For = None,
    seed: option.Seed = 1,
    seeds: option.Seeds = 2,
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
    """Show how long an alert takes by how strong a fault is; exit status 1 where none of the alerts fires at all."""
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
    varied = sweeps.Varied(fault=fault, parameter=parameter, least=from_, most=to, points=points, resolution=resolution)
    files = {"html": html, "csv": csv, "png": png, "svg": svg}
    sweeps.perform_curve(rules, asked, varied, alerts=alert or [], files=files)
