"""What of a drill becomes a unit test: its samples, and when each alert was pending and fired. Plain values.

Times are Unix seconds of the drill's own clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from faults.drills.export.errors import NothingToExport
from faults.drills.judge.judgement import AlertLife, Judgement, PhaseJudgement
from faults.drills.virtual.recording import RecordedSeries, Recording, Scrapes


@dataclass(frozen=True)
class Course:
    """One drill from its first scrape to its last."""

    title: str
    """What it was, such as ``the virtual drill error-burst, seed 1``."""
    started_at: float
    """About when the first scrape was; every time of the test is counted from there."""
    ended_at: float
    interval_s: float
    """From one scrape to the next, and from one evaluation to the next of groups without an interval of their own."""
    fault_at: float | None
    rollback_at: float | None
    series: tuple[RecordedSeries, ...]
    lives: Mapping[str, tuple[AlertLife, ...]]
    """By name of the alert, those of all rules of that name together."""
    engine: str
    """What evaluated the rules in the drill."""
    looked_from: float = 0.0
    """Nothing is known of the alerts before, though there may be samples."""
    slack_s: float = 0.0
    """How far a time of ``lives`` may be off the grid of the test, since scrapes and evaluations had other phases."""
    notes: tuple[str, ...] = ()
    untested: Mapping[str, str] = field(default_factory=dict)
    """Alerts that cannot be tested with these samples, and why."""

    def noticed(self, expected: Iterable[str]) -> tuple[str, ...]:
        """Return the alerts that were ``expected``, or rang or were about to, as far as there are such rules."""
        every = [*expected, *(alert for alert, lives in self.lives.items() if lives)]
        return tuple(dict.fromkeys(alert for alert in every if alert in self.lives))


def course_of(recording: Recording, judgement: Judgement, engine: str) -> Course:
    """Return the course of a virtual drill as the scraper at phase 0 and evaluations at phase 0 saw it.

    Raises ``NothingToExport`` where there is no such pair.
    """
    scenario = recording.scenario
    title = f"the virtual drill {scenario.name}, seed {scenario.seed}"
    scrapes, phase = _aligned(title, recording, judgement)
    failed = [f"{one.ref.alert}: {one.error}" for one in phase.alerts if one.error]
    if failed:
        raise NothingToExport(title, f"rules that could not be evaluated: {'; '.join(failed)}")
    return Course(
        title,
        recording.started_at,
        recording.ended_at,
        scenario.pace.interval_s,
        recording.fault_at,
        recording.rollback_at,
        scrapes.series,
        gathered((one.ref.alert, one.lives) for one in phase.alerts),
        engine,
        notes=(*recording.notes, *judgement.notes),
    )


def gathered(alerts: Iterable[tuple[str, Iterable[AlertLife]]]) -> Mapping[str, tuple[AlertLife, ...]]:
    """Return the lives of all rules of one name together, by when they began."""
    found: dict[str, list[AlertLife]] = {}
    for alert, lives in alerts:
        found.setdefault(alert, []).extend(lives)
    return {alert: tuple(sorted(lives, key=lambda one: one.active_at)) for alert, lives in found.items()}


def _aligned(title: str, recording: Recording, judgement: Judgement) -> tuple[Scrapes, PhaseJudgement]:
    for phase in judgement.phases:
        for scrapes in recording.scrapes:
            if phase.evaluation_phase_s == 0.0 == phase.scrape_phase_s == scrapes.phase_s:
                return scrapes, phase
    raise NothingToExport(title, "it was not scraped and judged at phase 0, on which promtool's grid lies")
