"""The matrix of alerts and faults: which fires for which, as expected or not. Pure functions over what was tried."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum

from pydantic import BaseModel, Field

from faults.drills.check.matrix_expected import Expectations, Wish
from faults.drills.check.matrix_redundant import Redundant, redundant_alerts
from faults.drills.check.result import AlertResult, CheckResult, Range, Response, Verdict
from faults.drills.check.scenarios import STEADY
from faults.drills.check.tried import Tried
from faults.drills.lint.finding import Place


class CellState(StrEnum):
    """What became of one alert in one fault. An alert that nobody said anything of is never wrong."""

    DETECTED = "detected"
    """Expected, and fired in every try."""
    AT_TIMES = "fires at times"
    """Expected, and fired in some tries."""
    MISSED = "missed"
    """Expected, and never fired."""
    ALLOWED = "allowed"
    """It fired, which was said to be all right."""
    ALSO = "also fires"
    """It fired, of which nobody said anything."""
    FALSE = "false alarm"
    """It fired where it was declared to be silent, or without any fault."""
    ALREADY = "already active"
    """It was active before the fault: its firing proves nothing."""
    QUIET = "quiet"
    NO_HISTORY = "insufficient history"
    """It did not fire, and looks back further than what was recorded."""
    NOT_COVERED = "not covered"
    """Its series are not among those of the testbed."""


FIRED = frozenset({CellState.DETECTED, CellState.AT_TIMES, CellState.ALLOWED, CellState.ALSO, CellState.FALSE})
WRONG = frozenset({CellState.AT_TIMES, CellState.MISSED, CellState.FALSE})


class Cell(BaseModel):
    """One alert in one fault, or in the steady state."""

    fault: str
    state: CellState
    expected: bool = False
    fired: int = Field(default=0, description="In how many of the tries it fired.")
    tries: int = 0
    detection_s: Range | None = None
    reset_s: Range | None = None
    why: str = Field(default="", description="Why it did not fire, where it was expected to.")


class Row(BaseModel):
    """One alert."""

    name: str = Field(description="The alert's name; with its group where several have that name.")
    place: Place
    severity: str = ""
    verdict: Verdict
    cells: list[Cell] = Field(description="In the order of the matrix's scenarios.")


class Wrong(BaseModel):
    """An alert that did not do what was wished of it."""

    alert: str
    fault: str
    state: CellState
    why: str = ""


class Matrix(BaseModel):
    """All alerts in all faults."""

    format: int = 1
    files: list[str]
    dialect: str = ""
    scenarios: list[str] = Field(description="The steady state, then each fault.")
    rows: list[Row]
    expectations: str = Field(description="Where it stands what is expected.")
    wrong: list[Wrong] = Field(description="Expectations that were missed, and false alarms.")
    uncovered: list[str] = Field(description="Faults for which no alert fires.")
    redundant: list[Redundant]
    lasted_s: float = 0.0
    seeds: list[int] = Field(default_factory=list)
    tries: int = Field(default=0, description="Phases and seeds that each fault was tried with.")
    engine: str = ""
    notes: list[str] = Field(default_factory=list)
    took_s: float = 0.0

    @property
    def faults(self) -> list[str]:
        """Return the scenarios but for the steady state."""
        return [name for name in self.scenarios if name != STEADY]

    def cell(self, row: Row, scenario: str) -> Cell:
        """Return the cell of ``row`` for ``scenario``."""
        return row.cells[self.scenarios.index(scenario)]

    def count(self, *states: CellState) -> int:
        """Return how many cells are in one of ``states``."""
        return sum(cell.state in states for row in self.rows for cell in row.cells)


def matrix_of(result: CheckResult, tries: Sequence[Tried], expectations: Expectations) -> Matrix:
    """Return the matrix of what a check found, which has tried each of its scenarios as ``tries`` say."""
    names = _names(result.alerts)
    rows = [
        Row(
            name=names[alert.place],
            place=alert.place,
            severity=alert.severity,
            verdict=alert.verdict,
            cells=list(_cells(alert, result.scenarios, expectations)),
        )
        for alert in result.alerts
    ]
    faults = [name for name in result.scenarios if name != STEADY]
    covered = {cell.fault for row in rows for cell in row.cells if cell.state in FIRED}
    return Matrix(
        files=result.files,
        dialect=result.dialect,
        scenarios=result.scenarios,
        rows=rows,
        expectations=expectations.source,
        wrong=[
            Wrong(alert=row.name, fault=cell.fault, state=cell.state, why=cell.why)
            for row in rows
            for cell in row.cells
            if cell.state in WRONG
        ],
        uncovered=[name for name in faults if name not in covered],
        redundant=list(redundant_alerts(tries, names)),
        lasted_s=result.lasted_s,
        seeds=result.seeds,
        tries=max((cell.tries for row in rows for cell in row.cells), default=0),
        engine=result.engine,
        notes=result.notes,
        took_s=result.took_s,
    )


def _names(alerts: Sequence[AlertResult]) -> Mapping[Place, str]:
    """Return what each alert is called: no two the same."""
    by_name = Counter(alert.place.rule for alert in alerts)
    by_group = Counter((alert.place.rule, alert.place.group) for alert in alerts)
    names = {}
    for alert in alerts:
        place = alert.place
        name = place.rule
        if by_name[place.rule] > 1:
            alone = by_group[place.rule, place.group] == 1
            name = f"{place.rule} ({place.group}{'' if alone else f', line {place.line}'})"
        names[place] = name
    return names


def _cells(alert: AlertResult, scenarios: Sequence[str], expectations: Expectations) -> Iterator[Cell]:
    responses = {one.scenario: one for one in alert.responses}
    for scenario in scenarios:
        wish = expectations.of(alert.place.rule, scenario)
        response = responses.get(scenario)
        if response is None:
            yield Cell(fault=scenario, state=CellState.NOT_COVERED, expected=wish is Wish.EXPECTED)
            continue
        state = _state(response, wish, alert.verdict)
        yield Cell(
            fault=scenario,
            state=state,
            expected=wish is Wish.EXPECTED,
            fired=response.fired,
            tries=response.tries,
            detection_s=response.detection_s,
            reset_s=response.reset_s,
            why=response.why if state in WRONG or state is CellState.ALREADY else "",
        )


def _state(response: Response, wish: Wish, verdict: Verdict) -> CellState:
    if response.scenario == STEADY:
        return CellState.FALSE if response.fired else CellState.QUIET
    if response.fired:
        every = CellState.DETECTED if response.fired == response.tries else CellState.AT_TIMES
        fired = {Wish.EXPECTED: every, Wish.ALLOWED: CellState.ALLOWED, Wish.SILENT: CellState.FALSE}
        return fired.get(wish, CellState.ALSO)
    if response.already:
        return CellState.ALREADY
    if verdict is Verdict.INSUFFICIENT_HISTORY:
        return CellState.NO_HISTORY
    return CellState.MISSED if wish is Wish.EXPECTED else CellState.QUIET
