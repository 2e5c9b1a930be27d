"""One scenario that was recorded and judged: what sweeps yield and verdicts are read from. Plain values."""

from __future__ import annotations

from dataclasses import dataclass

from faults.base import FaultRecord
from faults.drills.judge.judgement import Judgement
from faults.drills.virtual.recording import Recording
from faults.drills.virtual.scenario import Scenario


@dataclass(frozen=True)
class Tried:
    """What is kept of a recording once it is judged: its course without its samples. Times are Unix seconds."""

    scenario: Scenario
    started_at: float
    ended_at: float
    fault_at: float | None
    rollback_at: float | None
    back_at: float | None
    faults: tuple[FaultRecord, ...]
    names: frozenset[str]
    """Names of the series that were recorded."""
    judgement: Judgement
    notes: tuple[str, ...] = ()


def tried(recording: Recording, judgement: Judgement) -> Tried:
    """Return what is kept of ``recording``, with what was made of it."""
    series = (one for scrapes in recording.scrapes for one in scrapes.series)
    return Tried(
        recording.scenario,
        recording.started_at,
        recording.ended_at,
        recording.fault_at,
        recording.rollback_at,
        recording.back_at,
        recording.faults,
        frozenset(dict(one.labels)["__name__"] for one in series),
        judgement,
        (*recording.notes, *judgement.notes),
    )
