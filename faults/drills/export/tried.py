"""The course of a scenario that a check tries, as one scraper and one rhythm of evaluations see it.

What a sweep has recorded and kept is not recorded again. No stack runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from faults.drills.check.cache import Cache
from faults.drills.check.fingerprint import recording_key
from faults.drills.export.course import Course, course_of
from faults.drills.export.errors import NotExportable
from faults.drills.judge.judge import Judge
from faults.drills.virtual.record import record
from faults.drills.virtual.recording import Recording
from faults.drills.virtual.scenario import Scenario
from service.errors import ServiceError
from stack.rules.file import RuleFile


def tried_course(
    scenario: Scenario, rules: Sequence[RuleFile], judge: Judge, *, artifacts: Path, cache: Cache | None = None
) -> Course:
    """Return the course of ``scenario`` under ``rules``.

    Raises ``NothingToExport``, ``NotExportable`` where it cannot be recorded, ``VirtualError`` and ``JudgeError``.
    """
    kept = None if cache is None else cache.get(recording_key(scenario, artifacts), Recording)
    try:
        recording = kept or record(scenario, artifacts=artifacts)
    except ServiceError as problem:
        raise NotExportable(scenario.name, str(problem)) from None
    recording = replace(recording, scrapes=recording.scrapes[:1])
    judgement = judge.judge(recording, rules, evaluation_phases=1, sides=False)
    return course_of(recording, judgement, judge.engine)
