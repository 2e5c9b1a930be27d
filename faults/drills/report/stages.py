"""The stages of one alert as rows of a table: measured, next to what was predicted. It predicts nothing itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from faults.drills.report import amounts
from faults.drills.wire import STAGES, AlertOutcome, DrillRun, StageCheck, StageRange

AFTER_ROLLBACK = frozenset({"resolved", "resolution_delivered"})
Tick = Literal["✓", "✗", ""]


@dataclass(frozen=True)
class StageRow:
    """One stage. ``at_s`` counts from the fault; ``measured_s`` and the range from ``since``."""

    number: int
    stage: str
    at_s: float | None
    since: Literal["fault", "put out"]
    measured_s: float | None
    earliest_s: float | None
    latest_s: float | None
    within: bool | None
    cause: str
    over_phases: str = ""
    """Its range over all phases and seeds of a virtual run, as text."""

    @property
    def name(self) -> str:
        """Return the stage as words."""
        return self.stage.replace("_", " ")

    @property
    def predicted(self) -> str:
        """Return the predicted range as text; where it counts from the rollback it says so."""
        text = amounts.reach(self.earliest_s, self.latest_s)
        return f"{text} after put out" if self.since == "put out" and text != amounts.NOTHING else text

    @property
    def tick(self) -> Tick:
        """Return whether it lies where it was predicted; empty where nothing was, or nothing was measured."""
        return "" if self.within is None else "✓" if self.within else "✗"


def _over_phases(one: StageRange) -> str:
    """Return a range as text, with how often it was reached where that is not always."""
    some = "" if one.reached == one.tries else f" ({one.reached} of {one.tries})"
    return f"{amounts.reach(one.least_s, one.most_s)}{some}"


def _causes(range_: str | None, check: StageCheck | None) -> Iterator[str]:
    if range_ is not None:
        yield f"{range_} over all phases"
    if check is not None and check.cause:
        yield check.cause


def stage_rows(run: DrillRun, outcome: AlertOutcome) -> tuple[StageRow, ...]:
    """Return a row for every stage, in order, reached or not."""
    checks = {check.stage: check for check in outcome.checks}
    ranges: dict[str, str] = {one.stage: _over_phases(one) for one in outcome.ranges}
    rows = []
    for number, stage in enumerate(STAGES, 1):
        at: float | None = getattr(outcome.stages, stage)
        since: Literal["fault", "put out"] = "put out" if stage in AFTER_ROLLBACK else "fault"
        zero = run.rollback_at if since == "put out" else run.fault_at
        check = next((one for name, one in checks.items() if name == stage), None)
        measured = None if at is None or zero is None else at - zero
        rows.append(
            StageRow(
                number,
                stage,
                None if at is None or run.fault_at is None else at - run.fault_at,
                since,
                measured if check is None or check.measured_s is None else check.measured_s,
                None if check is None else check.earliest_s,
                None if check is None else check.latest_s,
                None if check is None else check.within,
                "; ".join(_causes(ranges.get(stage), check)),
                ranges.get(stage, ""),
            )
        )
    return tuple(rows)
