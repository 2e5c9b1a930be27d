"""``firedrill bench``: measure what is promised, on this machine."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
        "stages": "panel.bench.stages",
        "service": "panel.bench.service.suite",
        "stack": "panel.bench.stack.suite",
        "faults": "panel.bench.faults.suite",
        "chaos": "panel.bench.chaos.suite",
        "check": "panel.bench.check.suite",
        "panel": "panel.bench.panel.suite",
    }
)
"""Each benchmark's module, loaded when it is run: some need what only tests and benchmarks install."""
CHAOS = "chaos"
STAGES = "stages"
PANEL = "panel"
NOTHING: Mapping[str, object] = MappingProxyType({})


def bench(
    name: Annotated[str | None, typer.Argument(help=f"One of: {', '.join(BENCHES)}. All where none is named.")] = None,
    kills: Annotated[int | None, typer.Option(min=1, help="How many kills `chaos` makes, by default 100.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="What the random choices of `chaos` follow from.")] = None,
    drill: Annotated[list[str] | None, typer.Option(help="Of `stages`: only this drill; may be given again.")] = None,
    here: Annotated[bool, typer.Option("--here", help="`stages` on the stack that runs here, at its pace.")] = False,
    long: Annotated[bool, typer.Option("--long", help="`panel` watches the browser's memory for 30 min.")] = False,
    as_json: AsJson = False,
) -> None:
    """Measure figures against their targets; exit status 1 where one falls short."""
    if name is not None and name not in BENCHES:
        raise CommandError(f"no benchmark {name!r}; there are: {', '.join(BENCHES)}")
    chosen = {"kills": kills, "seed": seed}
    if name != CHAOS and any(value is not None for value in chosen.values()):
        raise CommandError(f"--kills and --seed belong to `firedrill bench {CHAOS}`")
    if name != STAGES and (drill or here):
        raise CommandError(f"--drill and --here belong to `firedrill bench {STAGES}`")
    if name != PANEL and long:
        raise CommandError(f"--long belongs to `firedrill bench {PANEL}`")
    given: dict[str, Mapping[str, object]] = {
        CHAOS: chosen,
        STAGES: {"drills": drill or (), "here": here},
        PANEL: {"long": long},
    }
    figures = [
        figure for each in BENCHES if name in {None, each} for figure in _measure(each, given.get(each, NOTHING))
    ]
    if as_json:
        OUT.print_json(json.dumps([figure.plain() for figure in figures]))
    else:
        OUT.print(_table(figures))
        for figure in figures:
            if figure.value is None:
                OUT.print(f"not measured: {figure.figure}: {figure.note}", highlight=False)
    raise typer.Exit(1 if any(figure.holds is False for figure in figures) else 0)


def _measure(name: str, options: Mapping[str, object]) -> Iterator[Figure]:
    """Run one benchmark, with options of its own; say each of its figures as it comes, long before the last."""
    measure: Callable[..., Iterable[Figure]] = importlib.import_module(BENCHES[name]).measure
    for figure in measure(lambda text: ERRORS.print(f"  {text}", style="dim"), **options):
        if figure.value is not None:
            told = f"{figure.figure}: {figure.value:g} {figure.unit} {figure.promise}"
            ERRORS.print(f"    {told}".rstrip(), style="red" if figure.holds is False else "", highlight=False)
        yield figure


def _table(figures: Sequence[Figure]) -> Table:
    table = Table("figure", "value", "unit", "target", "holds")
    words = {True: "[green]yes[/]", False: "[bold red]no[/]", None: ""}
    for figure in figures:
        value = "–" if figure.value is None else f"{figure.value:g}"
        table.add_row(figure.figure, value, figure.unit, figure.promise, words[figure.holds])
    return table
