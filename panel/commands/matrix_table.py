"""How the matrix looks in a terminal: signs in a grid, then each fault with what detects it, then what is wrong."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from faults.drills.check import matrix_words as words
from faults.drills.check.matrix import CellState, Matrix
from faults.drills.check.scenarios import STEADY

_STYLES = {
    CellState.DETECTED: "bold green",
    CellState.AT_TIMES: "bold yellow",
    CellState.MISSED: "bold red",
    CellState.FALSE: "bold red",
    CellState.ALLOWED: "green",
    CellState.ALSO: "cyan",
    CellState.ALREADY: "yellow",
}
_NAMED = 3
"""So many alerts are named for a fault, the soonest first."""


def draw_matrix(matrix: Matrix, *, width: int = 80) -> Group:
    """Draw the matrix for a terminal of ``width`` columns."""
    parts: list[RenderableType] = [
        Text("Which alert fires for which fault", "bold"),
        Text(words.about(matrix), "dim"),
        Text(),
        *_grids(matrix, width),
        Text(),
        Text("   ".join(f"{sign} {said}" for sign, said in words.legend(matrix)), "dim"),
        Text(),
        _faults(matrix),
    ]
    parts += _listed("not as wished", [words.wrong_words(one) for one in matrix.wrong], "red")
    parts += _listed("no alert fires for", matrix.uncovered, "yellow")
    parts += _listed("redundant", [words.redundant_words(one) for one in matrix.redundant], "yellow")
    parts += [Text(f"note: {note}", "dim") for note in matrix.notes]
    style = "bold red" if matrix.wrong else "bold green"
    parts += [Text(), Text(words.tally(matrix), style)]
    return Group(*parts)


def _grids(matrix: Matrix, width: int) -> Iterator[RenderableType]:
    """Yield the grid, in several parts where it is too wide."""
    names = max((len(row.name) for row in matrix.rows), default=0)
    across = max(1, (width - names - 2) // 3)
    columns = range(len(matrix.scenarios))
    for start in range(0, len(columns), across):
        table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim")
        table.add_column("", no_wrap=True)
        for column in columns[start : start + across]:
            table.add_column(_number(matrix, column), justify="right", no_wrap=True, min_width=2)
        for row in matrix.rows:
            cells = row.cells[start : start + across]
            signs = [Text(words.SIGNS[cell.state], _STYLES.get(cell.state, "dim")) for cell in cells]
            table.add_row(row.name, *signs)
        yield table


def _number(matrix: Matrix, column: int) -> str:
    """Return what a column is called: 0 is the steady state."""
    return str(column) if matrix.scenarios[0] == STEADY else str(column + 1)


def _faults(matrix: Matrix) -> Table:
    table = Table("", "fault", "alerts, the soonest first, and after how many minutes", box=None, padding=(0, 1, 0, 0))
    table.columns[0].justify = "right"
    table.columns[0].style = "dim"
    table.columns[1].no_wrap = True
    table.show_header = False
    for column, name in enumerate(matrix.scenarios):
        table.add_row(_number(matrix, column), Text(name, "bold"), _detected(matrix, name))
    return table


def _detected(matrix: Matrix, name: str) -> Text:
    found = list(words.detectors(matrix, name))
    if not found:
        return Text("quiet", "dim") if name == STEADY else Text("no alert fires", "yellow")
    told = Text()
    for number, (row, cell) in enumerate(found[:_NAMED]):
        told.append(", " if number else "")
        told.append(row.name, _STYLES.get(cell.state, ""))
        told.append(f" {words.span(cell.detection_s)}", "dim")
    if len(found) > _NAMED:
        told.append(f" and {len(found) - _NAMED} more", "dim")
    return told


def _listed(title: str, lines: list[str], style: str) -> Iterator[RenderableType]:
    if lines:
        yield Text()
        yield Text(f"{title}:", f"bold {style}")
        for line in lines:
            yield Padding(Text(line), (0, 0, 0, 2))
