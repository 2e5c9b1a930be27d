"""What one report is of: drills that ran one after another, those that were skipped, those that could not run."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from faults.drills.evidence import Evidence
from faults.drills.score import score
from faults.drills.wire import DrillRun, Score

Standing = Literal["passed", "failed", "aborted", "error", "skipped", "not run"]
WORDS: dict[Standing, str] = {
    "passed": "passed",
    "failed": "failed",
    "aborted": "aborted",
    "error": "in error",
    "skipped": "skipped",
    "not run": "not run",
}


class Case(BaseModel):
    """One drill of a batch. Exactly one of ``evidence``, ``run``, ``skipped``, ``refused``, ``left`` says how it went.

    ``run``: it ran, and its evidence could not be had.
    """

    name: str
    title: str = ""
    evidence: Evidence | None = None
    run: DrillRun | None = None
    skipped: str = Field(default="", description="Why it cannot run here.")
    refused: str = Field(default="", description="Why it could not be started.")
    left: str = Field(default="", description="Why it was not reached.")

    @property
    def ran(self) -> DrillRun | None:
        """The run, if there was one."""
        return self.run if self.evidence is None else self.evidence.run

    @property
    def standing(self) -> Standing:
        """How it went, in a word."""
        run = self.ran
        if run is not None:
            return run.verdict or "aborted"
        return "skipped" if self.skipped else "error" if self.refused else "not run"

    @property
    def reason(self) -> str:
        """Why it went so."""
        run = self.ran
        return run.reason if run is not None else self.skipped or self.refused or self.left


class Batch(BaseModel):
    """The drills of one report, in the order in which they ran."""

    title: str
    started_at: float
    ended_at: float
    interrupted: bool = False
    cases: list[Case] = Field(default_factory=list)

    @property
    def runs(self) -> tuple[DrillRun, ...]:
        """The runs that there were."""
        return tuple(run for case in self.cases if (run := case.ran) is not None)

    @property
    def evidences(self) -> tuple[Evidence, ...]:
        """The evidence of those runs that left some."""
        return tuple(case.evidence for case in self.cases if case.evidence is not None)

    def score(self) -> Score:
        """Return precision and recall over the runs."""
        return score(self.runs)

    def tally(self) -> str:
        """Return how many went how: ``3 passed, 1 failed``."""
        counts: dict[Standing, int] = {}
        for case in self.cases:
            counts[case.standing] = counts.get(case.standing, 0) + 1
        return ", ".join(f"{counts[one]} {word}" for one, word in WORDS.items() if one in counts) or "no drill"

    def exit_code(self) -> int:
        """Return 130 interrupted, 1 one failed, 2 one could not run or none did, 0 all of those that ran passed."""
        standings = {case.standing for case in self.cases}
        if self.interrupted:
            return 130
        if "failed" in standings:
            return 1
        if "error" in standings or not self.runs:
            return 2
        return 130 if "aborted" in standings else 0


def batch_of(evidences: list[Evidence], title: str) -> Batch:
    """Return the batch of runs that are over, oldest first."""
    ordered = sorted(evidences, key=lambda one: one.run.queued_at)
    return Batch(
        title=title,
        started_at=min((one.run.queued_at for one in ordered), default=0.0),
        ended_at=max((one.run.ended_at or one.end for one in ordered), default=0.0),
        cases=[Case(name=one.run.name, title=one.run.title, evidence=one) for one in ordered],
    )
