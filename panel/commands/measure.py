"""``firedrill bench``: measure what is promised, on this machine."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Annotated

import typer
from rich.table import Table

from panel.bench.figures import Figure
from panel.commands.console import ERRORS, OUT, AsJson, CommandError

BENCHES: Mapping[str, str] = MappingProxyType(
    {
        "startup": "panel.bench.startup",
        "reaction": "panel.bench.reaction",
        "drills": "panel.bench.drills",
        "service": "panel.bench.service.suite",
        "stack": "panel.bench.stack.suite",
    }
)
"""Each benchmark's module, loaded when it is run: some need what only tests and benchmarks install."""


def bench(
    name: Annotated[str | None, typer.Argument(help=f"One of: {', '.join(BENCHES)}. All where none is named.")] = None,
    as_json: AsJson = False,
) -> None:
    """Measure figures against their targets; exit status 1 where one falls short."""
    if name is not None and name not in BENCHES:
        raise CommandError(f"no benchmark {name!r}; there are: {', '.join(BENCHES)}")
    figures = [figure for each in BENCHES if name in {None, each} for figure in _measure(each)]
    if as_json:
        OUT.print_json(json.dumps([figure.plain() for figure in figures]))
    else:
        OUT.print(_table(figures))
        for figure in figures:
            if figure.value is None:
                OUT.print(f"not measured: {figure.figure}: {figure.note}", highlight=False)
    raise typer.Exit(1 if any(figure.holds is False for figure in figures) else 0)


def _measure(name: str) -> list[Figure]:
    """Run one benchmark and return its figures."""
    measure: Callable[[Callable[[str], None]], list[Figure]] = importlib.import_module(BENCHES[name]).measure
    return measure(lambda text: ERRORS.print(f"  {text}", style="dim"))


def _table(figures: Sequence[Figure]) -> Table:
    table = Table("figure", "value", "unit", "target", "holds")
    words = {True: "[green]yes[/]", False: "[bold red]no[/]", None: ""}
    for figure in figures:
        value = "–" if figure.value is None else f"{figure.value:g}"
        table.add_row(figure.figure, value, figure.unit, figure.promise, words[figure.holds])
    return table
