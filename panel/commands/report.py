"""``firedrill report``: reports of runs that are over, from what was kept of them, with or without a running stack."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from typer.core import TyperGroup

from faults.client import ConductorClient, ConductorRefused, ConductorUnreachable
from faults.drills.evidence import Evidence
from faults.drills.report.batch import batch_of
from faults.drills.report.compare import Comparison, compare
from faults.drills.report.compare_pages import compare_html, compare_markdown
from faults.drills.shelf import Shelf
from panel.commands.console import OUT, AsJson, CommandError, conductor
from panel.commands.drill_table import draw, summary
from panel.commands.report_files import (
    CsvFolder,
    HtmlFile,
    JunitFile,
    MarkdownFile,
    Outputs,
    PngFolder,
    SvgFolder,
    put,
)
from stack.home import Home

_WRITE = "write"


class _WriteByDefault(TyperGroup):
    """A group whose ``write`` may be left out: ``report --html x`` and ``report RUN`` mean it."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put ``write`` in front where no command of the group is named."""
        if not args or (args[0] not in self.commands and args[0] not in {"--help", "-h"}):
            args = [_WRITE, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(cls=_WriteByDefault, help="Reports of runs: HTML, Markdown, JUnit, JSON, CSV, pictures; comparisons.")


@app.command(_WRITE)
def write(
    runs: Annotated[list[str] | None, typer.Argument(help="Runs, by id; the latest where none is named.")] = None,
    last: Annotated[int, typer.Option("--last", min=1, max=200, help="The latest so many runs.")] = 1,
    html: HtmlFile = None,
    md: MarkdownFile = None,
    as_json: AsJson = False,
    junit: JunitFile = None,
    csv: CsvFolder = None,
    png: PngFolder = None,
    svg: SvgFolder = None,
) -> None:
    """Write reports of runs, or show them; exit status 2 where nothing is kept of a run."""
    outputs = Outputs(html=html, md=md, junit=junit, csv=csv, png=png, svg=svg)
    outputs.check()
    kept = _Kept()
    ids = runs or kept.newest(last)
    evidences = [kept.get(run_id) for run_id in ids]
    batch = batch_of(evidences, evidences[0].run.title if len(evidences) == 1 else f"{len(evidences)} runs of drills")
    written = outputs.write(batch)
    if as_json:
        told = batch.model_dump_json()
        score = batch.score().model_dump_json()
        OUT.print_json(f'{told[:-1]},"score":{score}}}')
        return
    if not written:
        for one in batch.runs:
            OUT.print(draw(one, width=OUT.width))
        if len(batch.runs) > 1:
            OUT.print("", summary(batch), sep="\n")
    for path in written:
        OUT.print(f"wrote {path}", markup=False, highlight=False, soft_wrap=True)


@app.command("compare")
def compare_runs(
    first: Annotated[str, typer.Argument(help="A run, by id.")],
    second: Annotated[str, typer.Argument(help="Another one.")],
    html: HtmlFile = None,
    md: MarkdownFile = None,
) -> None:
    """Show two runs side by side: verdicts, stages, and what changed in rules, settings and versions."""
    Outputs(html=html, md=md).check()
    kept = _Kept()
    pair = kept.get(first), kept.get(second)
    if html is not None:
        _say(put("html", html, compare_html(*pair).encode()))
    if md is not None:
        _say(put("md", md, compare_markdown(*pair).encode()))
    if html is None and md is None:
        OUT.print(_drawn(compare(*pair)))


def _say(path: Path) -> None:
    OUT.print(f"wrote {path}", markup=False, highlight=False, soft_wrap=True)


def _drawn(comparison: Comparison) -> Group:
    """Draw a comparison; what is the same in both stands once."""
    parts: list[RenderableType] = [Text(comparison.title, "bold")]
    parts += [Text(f"first: {comparison.first}"), Text(f"second: {comparison.second}")]
    for part in comparison.parts:
        parts += [Text(), Text(part.title, "bold")]
        for line in part.lines:
            parts.append(Text(line, "green" if line.startswith("+") else "red" if line.startswith("-") else "dim"))
        if part.pairs:
            table = Table("", "first", "second", "", box=None, padding=(0, 1), header_style="dim")
            table.columns[3].justify = "right"
            for pair in part.pairs:
                style = "bold" if pair.differs else "dim"
                table.add_row(Text(pair.name), Text(pair.first, style), Text(pair.second, style), Text(pair.difference))
            parts.append(table)
    return Group(*parts)


class _Kept:
    """What is kept of runs: asked of the conductor where one runs, else read from its folder."""

    def __init__(self) -> None:
        self._shelf = Shelf(Home.from_environment().data / "runs")
        self._client: ConductorClient | None = None
        try:
            self._client = conductor()
        except CommandError:
            self._client = None

    def newest(self, count: int) -> list[str]:
        """Return the ids of the newest runs that are over and of which something is kept."""
        ids = self._shelf.newest(count)
        if not ids and self._client is not None:
            ids = [one.id for one in self._client.runs(count) if one.phase == "done"]
        if not ids:
            raise CommandError("no drill has run here yet; try `firedrill drill run error-burst`")
        return ids

    def get(self, run_id: str) -> Evidence:
        """Return what is kept of a run; raise ``NoEvidence``."""
        if self._client is not None:
            try:
                return self._client.evidence(run_id)
            except ConductorUnreachable:
                self._client = None
            except ConductorRefused:
                pass  # the folder may have it still, and says what is wrong if not
        return self._shelf.get(run_id)
