"""The matrix as a picture, painted by matplotlib without a screen or a browser. It is loaded on first use only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from faults.drills.check import matrix_words as words
from faults.drills.check.matrix import Cell, CellState, Matrix
from faults.drills.check.paint import painted
from faults.drills.report import amounts
from faults.drills.report.pictures import FIRING, GREEN, INK, PENDING, RULE, SOFT, Format

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {
    CellState.DETECTED: GREEN,
    CellState.AT_TIMES: PENDING,
    CellState.MISSED: FIRING,
    CellState.FALSE: "#d55e00",
    CellState.ALLOWED: "#bfe3d6",
    CellState.ALSO: "#cfe2f0",
    CellState.ALREADY: "#f4dca6",
    CellState.NO_HISTORY: "#eef1f3",
    CellState.NOT_COVERED: "#e2e6e9",
}
_PALE = frozenset(COLOURS) - {CellState.DETECTED, CellState.MISSED, CellState.FALSE}
_CELL_IN, _ROW_IN, _LEFT_IN, _RIGHT_IN, _TOP_IN, _FOOT_IN = 0.62, 0.34, 2.1, 1.1, 1.75, 0.75
_LEAST_IN = 9.0


def matrix_picture(matrix: Matrix, kind: Format) -> bytes:
    """Return the matrix as a PNG or SVG file."""
    return painted("Which alert fires for which fault", kind, lambda figure: _paint(figure, matrix))


def _paint(figure: Figure, matrix: Matrix) -> None:
    columns, rows = len(matrix.scenarios), len(matrix.rows)
    width = max(_LEFT_IN + columns * _CELL_IN + _RIGHT_IN, _LEAST_IN)
    height = _TOP_IN + rows * _ROW_IN + _FOOT_IN
    figure.set_size_inches(width, height)
    box = (_LEFT_IN / width, _FOOT_IN / height, columns * _CELL_IN / width, rows * _ROW_IN / height)
    ax = figure.add_axes(box)
    ax.set_xlim(0, columns)
    ax.set_ylim(rows, 0)
    ax.set_xticks([column + 0.5 for column in range(columns)], [_short(name, 30) for name in matrix.scenarios])
    ax.xaxis.tick_top()
    ax.tick_params(length=0, colors=INK)
    for label in ax.get_xticklabels():
        label.set(rotation=45, ha="left", rotation_mode="anchor")
    ax.set_yticks([row + 0.5 for row in range(rows)], [_short(row.name, 30) for row in matrix.rows])
    for side in ax.spines.values():
        side.set_visible(False)
    for number, row in enumerate(matrix.rows):
        for column, cell in enumerate(row.cells):
            _cell(ax, column, number, cell)
    _legend(figure, matrix, width, height)


def _cell(ax: Axes, column: int, row: int, cell: Cell) -> None:
    from matplotlib.patches import Rectangle  # noqa: PLC0415 - heavy, and few commands paint

    colour = COLOURS.get(cell.state, "white")
    ax.add_patch(Rectangle((column + 0.03, row + 0.05), 0.94, 0.9, facecolor=colour, edgecolor=RULE, linewidth=0.6))
    if cell.state is CellState.QUIET:
        return
    said = words.clock(cell.detection_s.most) if cell.detection_s is not None else words.SIGNS[cell.state]
    ink = INK if cell.state in _PALE else "white"
    ax.text(column + 0.5, row + 0.52, said, ha="center", va="center", fontsize=7.5, color=ink)


def _legend(figure: Figure, matrix: Matrix, width: float, height: float) -> None:
    found = [state for state in CellState if any(cell.state is state for row in matrix.rows for cell in row.cells)]
    x, y = 0.15, 0.5
    for state in (one for one in found if one is not CellState.QUIET):
        said = words.MEANINGS[state].partition(":")[0]
        step = 0.35 + 0.062 * len(said)
        if x + step > width:
            x, y = 0.15, y - 0.2
        figure.text(x / width, y / height, "■", color=COLOURS[state], fontsize=11, va="center")
        figure.text((x + 0.16) / width, y / height, said, color=SOFT, fontsize=7.5, va="center")
        x += step
    told = f"Longest time from the fault to firing, minutes:seconds, over {matrix.tries} tries. {words.tally(matrix)}."
    figure.text(0.15 / width, 0.1 / height, amounts.printable(told), color=SOFT, fontsize=7.5, va="bottom")


def _short(name: str, most: int) -> str:
    name = amounts.printable(name)
    return name if len(name) <= most else f"{name[: most - 1]}…"
