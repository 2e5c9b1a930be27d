"""The course of a drill on a virtual clock, as one scraper and one rhythm of evaluations see it. No stack runs.

It burns as long as the drill's own bounds allow, at production pace, for the rules are taken as they are written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from faults.drills.errors import BadDrill
from faults.drills.export.course import Course, course_of
from faults.drills.export.errors import NotExportable
from faults.drills.judge.judge import Judge
from faults.drills.judge.selection import series_names
from faults.drills.rehearsal.ground import Ground, shipped_ground
from faults.drills.rehearsal.objections import objections
from faults.drills.rehearsal.scenario import longest_burn_s, longest_recovery_s, scenario_of
from faults.drills.spec import Drill
from faults.drills.virtual.record import record
from stack.pace import PRODUCTION
from stack.rules.file import RuleFile

SEED = 1
"""Of a drill that names none, where nobody gives one: the same command makes the same file."""


@dataclass(frozen=True)
class Rehearsed:
    """A drill that went by on a virtual clock, and the rules that watched it."""

    course: Course
    rules: tuple[RuleFile, ...]


def rehearsed(
    drill: Drill,
    *,
    artifacts: Path,
    rules: Sequence[RuleFile] = (),
    seed: int | None = None,
    dialect: str = "",
    on_progress: Callable[[float], None] = lambda _done_s: None,
) -> Rehearsed:
    """Return the course of ``drill`` under ``rules``, by default those that are shipped.

    ``on_progress`` gets the virtual seconds done. Raises ``BadDrill``, ``NotExportable``, ``VirtualError``,
    ``JudgeError``, and ``ProgramMissing`` without a Prometheus.
    """
    shipped = shipped_ground(PRODUCTION)
    ground = replace(shipped, files=tuple(rules)) if rules else shipped
    if drill.history is not None:
        raise NotExportable(f"drill {drill.name}", "it brings more history than promtool loads at once")
    problems = [] if rules else objections(drill, ground)
    if problems:
        raise BadDrill(f"drill {drill.name!r}", problems)
    given = drill.seed if seed is None else seed
    chosen = SEED if given is None else given
    scenario = scenario_of(
        drill,
        ground,
        chosen,
        burn_s=longest_burn_s(drill, ground, chosen),
        recovery_s=longest_recovery_s(drill, ground) if drill.expect else PRODUCTION.interval_s,
        metrics=series_names(ground.files),
        scrape_phases=1,
        traces=False,
    )
    scenario = replace(scenario, dialect=dialect)
    recording = record(scenario, artifacts=artifacts, on_progress=on_progress)
    with Judge.started(lookback_s=ground.look_back_s) as judge:
        judgement = judge.judge(recording, ground.files, evaluation_phases=1, sides=False)
        course = course_of(recording, judgement, judge.engine)
    _as_expected(drill, ground, course)
    return Rehearsed(course, ground.files)


def _as_expected(drill: Drill, ground: Ground, course: Course) -> None:
    """Raise ``NotExportable`` where an alert that the drill expects, and the rules have, never fired."""
    silent = [
        one.alert
        for one in drill.expect
        if ground.named(one.alert) and not any(life.fired_at is not None for life in course.lives.get(one.alert, ()))
    ]
    if silent:
        reason = f"{', '.join(dict.fromkeys(silent))} did not fire, as the drill expects"
        raise NotExportable(course.title, f"{reason}; `firedrill drill run {drill.name} --virtual` says why")
