"""The options that ``matrix`` and ``curve`` share. It loads nothing that takes long."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class BackendName(StrEnum):
    """Where scenarios are recorded."""

    LOKY = "loky"
    DASK = "dask"


Rules = Annotated[list[str], typer.Argument(help="Rule files, folders, patterns; PrometheusRule resources too.")]
Dialect = Annotated[str, typer.Option(help="Under which names the testbed is scraped: a dialect, or its file.")]
For = Annotated[
    str | None, typer.Option("--for", help="Virtual time for each scenario, in place of what the rules need.")
]
Seed = Annotated[int, typer.Option(min=0, help="Every random choice follows from it.")]
Seeds = Annotated[int, typer.Option(min=1, max=100, help="How many seeds to try, from --seed on.")]
Jobs = Annotated[int, typer.Option(min=0, help="Scenarios at once; 0: one for each core.")]
Backend = Annotated[
    BackendName, typer.Option(help="Where scenarios are recorded: processes of this machine, or a Dask cluster.")
]
Scheduler = Annotated[str, typer.Option(help="Address of the cluster's scheduler, such as tcp://127.0.0.1:8786.")]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Try everything anew, and keep nothing.")]
CsvFile = Annotated[Path | None, typer.Option("--csv", help="Write one line for each result.")]
PngFile = Annotated[Path | None, typer.Option("--png", help="Write the picture.")]
SvgFile = Annotated[Path | None, typer.Option("--svg", help="Write the picture as SVG.")]
