"""How a virtual world is scraped: under which names, job and labels, which series are kept, how long a scrape may take.

The same as ``stack.configuration`` and ``stack.own.configuration`` render it for a live stack.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from faults.drills.virtual.columns import Columns, Job
from faults.drills.virtual.errors import UnknownNames
from faults.drills.virtual.life import Life
from faults.drills.virtual.readings import Readings, TranslatedReadings, Wanted
from faults.drills.virtual.scenario import Scenario
from faults.drills.virtual.scrapes import UP, Source
from service.errors import BadDialects
from service.telemetry.dialects import Dialect, read_dialect
from stack.configuration import JOBS, SCRAPE_TIMEOUT_S
from stack.endpoints import Endpoints
from stack.own.configuration import CANONICAL_JOB
from stack.own.dialects import find_dialect
from stack.own.errors import OwnError


@dataclass(frozen=True)
class Surroundings:
    """The scrape job of one scenario."""

    job: Job
    dialect: Dialect | None
    metrics: frozenset[str] | None
    timeout_s: float
    others: Mapping[str, str]
    """The stack's other jobs and their instances, which are up all the time; none under a dialect."""

    def wanted(self, name: str) -> bool:
        """Say whether the series of ``name`` are kept."""
        return self.metrics is None or name == UP or name in self.metrics

    def readings(self, life: Life, wanted: Wanted, *, columns: Columns) -> Source:
        """Return what reads the numbers of ``life``."""
        if self.dialect is None:
            return Readings(life.registry, wanted, columns.of)
        return TranslatedReadings(life.registry, self.dialect, wanted, columns.of)


def surroundings_of(scenario: Scenario) -> Surroundings:
    """Return how ``scenario`` is scraped; raise ``UnknownNames`` for a dialect that cannot be used."""
    endpoints = Endpoints()
    instance = endpoints.address("service")
    timeout_s = min(SCRAPE_TIMEOUT_S, scenario.pace.interval_s)
    if not scenario.dialect:
        others = {job: endpoints.address(name) for job, name in JOBS.items() if job != CANONICAL_JOB}
        return Surroundings(Job(CANONICAL_JOB, instance), None, scenario.metrics, timeout_s, others)
    try:
        found = find_dialect(scenario.dialect)
        dialect = read_dialect(str(found.file), found.file.read_text(encoding="utf-8"))
    except (OwnError, BadDialects, OSError) as error:
        raise UnknownNames(scenario.name, f"the dialect {scenario.dialect!r} cannot be used: {error}") from error
    return Surroundings(Job(dialect.job, instance, dialect.target_labels), dialect, scenario.metrics, timeout_s, {})
