"""What every form of the matrix says in the same words and signs. Plain text, not escaped, not coloured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from faults.drills.check.matrix import FIRED, Cell, CellState, Matrix, Row, Wrong
from faults.drills.check.matrix_redundant import Redundant
from faults.drills.check.result import Range
from faults.drills.check.scenarios import STEADY
from faults.drills.report import amounts

SIGNS: Mapping[CellState, str] = MappingProxyType(
    {
        CellState.DETECTED: "●",
        CellState.AT_TIMES: "◐",
        CellState.MISSED: "✗",
        CellState.ALLOWED: "○",
        CellState.ALSO: "+",
        CellState.FALSE: "!",
        CellState.ALREADY: "»",
        CellState.QUIET: "·",
        CellState.NO_HISTORY: "?",
        CellState.NOT_COVERED: "–",
    }
)
MEANINGS: Mapping[CellState, str] = MappingProxyType(
    {
        CellState.DETECTED: "expected, and fired",
        CellState.AT_TIMES: "expected, and fired in some of the tries",
        CellState.MISSED: "expected, and did not fire",
        CellState.ALLOWED: "fired, which is allowed",
        CellState.ALSO: "also fires: nobody said whether it should",
        CellState.FALSE: "fired where it should be silent",
        CellState.ALREADY: "was active before the fault",
        CellState.QUIET: "quiet",
        CellState.NO_HISTORY: "looks back further than what was recorded",
        CellState.NOT_COVERED: "its series are not the testbed's",
    }
)


def clock(seconds: float) -> str:
    """Return seconds as minutes: ``5:45``; hours from two on: ``2 h 05``."""
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02d}" if whole < 7200 else f"{whole // 3600} h {whole % 3600 // 60:02d}"


def span(times: Range | None) -> str:
    """Return a range of times: ``5:45–6:15``; one time where both ends read the same."""
    if times is None:
        return amounts.NOTHING
    least, most = clock(times.least), clock(times.most)
    return least if least == most else f"{least}–{most}"


def cell_words(cell: Cell) -> str:
    """Return what became of one alert in one fault, in a sentence."""
    said = MEANINGS[cell.state]
    if cell.detection_s is not None:
        often = "" if cell.fired == cell.tries else f" in {cell.fired} of {cell.tries} tries"
        after = "the start" if cell.fault == STEADY else "the fault"
        said += f", {span(cell.detection_s)} (min:s) after {after}{often}"
    if cell.reset_s is not None and cell.fault != STEADY:
        said += f", resolved {span(cell.reset_s)} after its end"
    return f"{said}: {cell.why}" if cell.why else said


def about(matrix: Matrix) -> str:
    """Return in a sentence what was tried."""
    seeds = amounts.count(len(matrix.seeds), "seed")
    under = f", dialect {matrix.dialect}" if matrix.dialect else ""
    tries = "1 try" if matrix.tries == 1 else f"{matrix.tries} tries"
    return (
        f"{amounts.count(len(matrix.rows), 'alert')}, {amounts.count(len(matrix.faults), 'fault')}, "
        f"{amounts.seconds(matrix.lasted_s)} of virtual time and {tries} each ({seeds}){under}; "
        f"what is expected: {matrix.expectations}"
    )


def tally(matrix: Matrix) -> str:
    """Return the figures of the matrix in a line."""
    return (
        f"{matrix.count(CellState.DETECTED)} detected, {matrix.count(CellState.MISSED)} missed, "
        f"{matrix.count(CellState.AT_TIMES)} at times, {matrix.count(CellState.FALSE)} false, "
        f"{len(matrix.uncovered)} uncovered, {len(matrix.redundant)} redundant"
    )


def detectors(matrix: Matrix, fault: str) -> Iterator[tuple[Row, Cell]]:
    """Yield the alerts that fire for ``fault``, the soonest first."""
    cells = [(row, matrix.cell(row, fault)) for row in matrix.rows]
    fired = [(row, cell) for row, cell in cells if cell.state in FIRED and cell.detection_s is not None]
    yield from sorted(fired, key=lambda one: one[1].detection_s.least if one[1].detection_s else 0.0)


def wrong_words(wrong: Wrong) -> str:
    """Return what is wrong, in a line."""
    if wrong.state is CellState.FALSE:
        where = "without any fault" if wrong.fault == STEADY else f"for {wrong.fault}, where it should be silent"
        return f"{wrong.alert} fires {where}"
    missed = "does not fire" if wrong.state is CellState.MISSED else "does not always fire"
    return f"{wrong.alert} {missed} for {wrong.fault}{f': {wrong.why}' if wrong.why else ''}"


def redundant_words(one: Redundant) -> str:
    """Return which alert could go, in a line."""
    when = "at the same moment" if one.same_time else "and never earlier"
    return f"{one.alert} fires for what {one.beside} fires for ({', '.join(one.faults)}), {when}"


def legend(matrix: Matrix) -> list[tuple[str, str]]:
    """Return the signs that occur, with what they mean."""
    found = {cell.state for row in matrix.rows for cell in row.cells}
    return [(SIGNS[state], MEANINGS[state]) for state in CellState if state in found]
