"""The matrix as one HTML file that needs nothing else, and as a table of comma-separated values."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from html import escape

from faults.drills.check import matrix_words as words
from faults.drills.check.matrix import Cell, CellState, Matrix
from faults.drills.report import amounts
from faults.drills.report.markup import Html, figures, heading, page, paragraph, table

TITLE = "Which alert fires for which fault"
_KIND = {
    CellState.DETECTED: "good",
    CellState.AT_TIMES: "warn",
    CellState.MISSED: "bad",
    CellState.FALSE: "bad",
    CellState.ALREADY: "warn",
}
_COLUMNS = ("alert", "group", "severity", "verdict", "fault", "state", "fired", "tries")
_TIMES = ("detection_least_s", "detection_most_s", "reset_least_s", "reset_most_s")


def matrix_html(matrix: Matrix) -> str:
    """Return the matrix as one page."""
    return page(TITLE, _body(matrix))


def _body(matrix: Matrix) -> Iterator[str]:
    yield heading(1, TITLE)
    yield paragraph(f"{words.about(matrix)}.", "soft")
    yield figures(
        (
            ("expected, and fired", str(matrix.count(CellState.DETECTED))),
            ("missed", str(matrix.count(CellState.MISSED) + matrix.count(CellState.AT_TIMES))),
            ("false alarms", str(matrix.count(CellState.FALSE))),
            ("faults without an alert", str(len(matrix.uncovered))),
            ("redundant alerts", str(len(matrix.redundant))),
        )
    )
    yield from grid(matrix)
    said = " ".join(f"<span><b>{escape(sign)}</b> {escape(meaning)}</span>" for sign, meaning in words.legend(matrix))
    yield f'<div class="legend">{said}</div>'
    yield paragraph("Times are minutes:seconds from the fault to firing, over all phases and seeds.", "soft")
    yield from _listed("Not as wished", [words.wrong_words(one) for one in matrix.wrong])
    yield from _listed("Faults for which no alert fires", matrix.uncovered)
    yield from _listed("Redundant alerts", [words.redundant_words(one) for one in matrix.redundant])
    yield heading(2, "Fault by fault")
    rows = [(fault, _detected(matrix, fault)) for fault in matrix.faults]
    yield table(("fault", "alerts that fire, and after how long"), rows, kinds=("name", "long"), label="fault by fault")
    for note in matrix.notes:
        yield paragraph(f"Note: {note}.", "soft")
    engine = f" Evaluated by {matrix.engine}." if matrix.engine else ""
    rules = escape(", ".join(matrix.files))
    yield f"<footer>Made by Firedrill on a virtual clock.{escape(engine)} Rules: {rules}.</footer>"


def grid(matrix: Matrix) -> Iterator[str]:
    """Yield the HTML of the table of alerts and faults; its look is that of the page it stands in."""
    head = "".join(f'<th scope="col"><span>{escape(name)}</span></th>' for name in matrix.scenarios)
    yield '<div class="wide" tabindex="0" role="region" aria-label="alerts and faults"><table class="matrix">'
    yield f'<thead><tr><th scope="col">alert</th>{head}</tr></thead><tbody>'
    for row in matrix.rows:
        cells = "".join(map(_cell, row.cells))
        severity = f' <span class="soft">{escape(row.severity)}</span>' if row.severity else ""
        yield f'<tr><th scope="row">{escape(row.name)}{severity}</th>{cells}</tr>'
    yield "</tbody></table></div>"


def _cell(cell: Cell) -> str:
    when = "" if cell.detection_s is None else f"<small>{escape(words.span(cell.detection_s))}</small>"
    kind = _KIND.get(cell.state, "soft")
    hint = escape(f"{cell.fault}: {words.cell_words(cell)}")
    return (
        f'<td class="{kind}" title="{hint}"><b aria-hidden="true">{words.SIGNS[cell.state]}</b>'
        f'<span class="unseen">{escape(cell.state.value)}</span>{when}</td>'
    )


def _listed(title: str, lines: list[str]) -> Iterator[str]:
    yield heading(2, title)
    if not lines:
        yield paragraph("None.", "soft")
        return
    yield "<ul>" + "".join(f"<li>{escape(amounts.printable(line))}</li>" for line in lines) + "</ul>"


def _detected(matrix: Matrix, fault: str) -> Html:
    told = [
        f"{escape(row.name)} <span class='soft'>{escape(words.span(cell.detection_s))}</span>"
        for row, cell in words.detectors(matrix, fault)
    ]
    return Html(", ".join(told) or "<span class='warn'>none</span>")


def matrix_csv(matrix: Matrix) -> str:
    """Return one line for each alert and scenario; times in seconds, empty where there is none."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow((*_COLUMNS, *_TIMES))
    for row in matrix.rows:
        for cell in row.cells:
            times = [one for each in (cell.detection_s, cell.reset_s) for one in _ends(each)]
            about = (row.name, row.place.group, row.severity, row.verdict.value)
            writer.writerow((*about, cell.fault, cell.state.value, cell.fired, cell.tries, *times))
    return stream.getvalue()


def _ends(times: object) -> tuple[str, str]:
    least, most = getattr(times, "least", None), getattr(times, "most", None)
    return ("" if least is None else f"{least:g}", "" if most is None else f"{most:g}")
