"""Recordings of several scenarios, in this process or in workers beside it. What they mean others know."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from faults.drills.check.workers import Workers
from faults.drills.errors import DrillError
from faults.drills.virtual.record import record
from faults.drills.virtual.recording import Recording
from faults.drills.virtual.scenario import Scenario
from faults.errors import FaultError
from service.errors import ServiceError

Told = Callable[[Scenario, float], None]


class NotRecorded(DrillError):  # noqa: N818 - reads as a fact where it is raised
    """A worker could not record a scenario."""

    def __init__(self, scenario: str, seed: int, reason: str) -> None:
        self.scenario, self.seed, self.reason = scenario, seed, reason
        super().__init__(f"{scenario}, seed {seed}: it could not be recorded: {reason}")


@dataclass(frozen=True)
class _Job:
    index: int
    scenario: Scenario
    artifacts: Path


@dataclass(frozen=True)
class _Refused:
    """Why a worker could not: as text, since errors with facts do not travel between processes."""

    scenario: Scenario
    reason: str


def recordings(
    scenarios: Sequence[Scenario], artifacts: Path, workers: Workers | None, told: Told
) -> Iterator[tuple[int, Recording]]:
    """Yield the recording of each of ``scenarios`` with its index, as they are done.

    ``told`` gets the scenario and how many virtual seconds of it are done. Raises ``VirtualError``, ``NotRecorded``.
    """
    if workers is None or workers.jobs == 1 or len(scenarios) == 1:
        for index, scenario in enumerate(scenarios):
            yield index, record(scenario, artifacts=artifacts, on_progress=_telling(told, scenario))
        return
    jobs = [_Job(index, scenario, artifacts) for index, scenario in enumerate(scenarios)]
    for done in workers.each(_recorded, jobs):
        index, found = done
        if isinstance(found, _Refused):
            raise NotRecorded(found.scenario.name, found.scenario.seed, found.reason)
        told(found.scenario, found.scenario.lasts_s)
        yield index, found


def _telling(told: Told, scenario: Scenario) -> Callable[[float], None]:
    return lambda done_s: told(scenario, done_s)


def _recorded(item: _Job, /) -> tuple[int, Recording | _Refused]:
    try:
        return item.index, record(item.scenario, artifacts=item.artifacts)
    except (FaultError, ServiceError) as error:
        return item.index, _Refused(item.scenario, str(error))
