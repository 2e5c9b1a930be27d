"""Tries many scenarios: workers record them, one judge in this process judges them as they come, results are kept.

It says how far it is and how long the rest will take. What a scenario is, and what its result means, others know.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from faults.drills.check.cache import Cache
from faults.drills.check.errors import CheckError
from faults.drills.check.fingerprint import judgement_key, recording_key
from faults.drills.check.sharing import shared_calms
from faults.drills.check.tried import Tried, tried
from faults.drills.check.workers import Backend, Workers
from faults.drills.judge.judge import Judge
from faults.drills.virtual.recording import Recording
from faults.drills.virtual.scenario import Scenario
from faults.errors import FaultError
from service.errors import ServiceError
from stack.blocks import PastSeries
from stack.provision import find_program
from stack.rules.file import RuleFile

LOOKBACK_S = 300.0
SPIKE = "traffic_spike"
AT_ONCE = 64
"""So many scenarios are recorded before the judge has to have caught up: recordings wait in memory."""


class TryFailed(CheckError):  # noqa: N818 - reads as a fact where it is raised
    """A scenario could not be recorded."""

    def __init__(self, scenario: str, reason: str) -> None:
        self.scenario, self.reason = scenario, reason
        super().__init__(f"{scenario} could not be tried: {reason}")


@dataclass(frozen=True)
class Progress:
    """How far a sweep is."""

    done: int
    total: int
    kept: int
    """How many of ``done`` were known already."""
    elapsed_s: float
    left_s: float | None
    """How long the rest will take, by what the others took; ``None`` until one is done."""
    last: str = ""
    """The scenario that was done last."""


@dataclass(frozen=True)
class _Job:
    """A scenario for a worker."""

    scenario: Scenario
    artifacts: Path
    calm_s: float = 0.0
    """How much of it others share that this worker records; 0: nothing, or it is not for a process of our own."""


@dataclass(frozen=True)
class _Refused:
    """Why a worker could not record its scenario: as text, since errors with facts do not travel."""

    scenario: str
    reason: str


@dataclass(frozen=True)
class _Asked:
    """What is asked of every recording."""

    rules: Sequence[RuleFile]
    evaluation_phases: int
    past: Sequence[PastSeries]
    sides: bool

    def key(self, recording: str) -> str:
        about = (self.rules, self.evaluation_phases, self.past, self.sides, LOOKBACK_S, _engine())
        return judgement_key(recording, *about)

    def judged(self, recording: Recording, judge: Judge) -> Tried:
        judgement = judge.judge(
            recording, self.rules, evaluation_phases=self.evaluation_phases, past=self.past, sides=self.sides
        )
        return tried(recording, judgement)


def sweep(
    scenarios: Sequence[Scenario],
    rules: Sequence[RuleFile],
    *,
    artifacts: Path,
    jobs: int = 0,
    cache: Cache | None = None,
    backend: Backend = "loky",
    scheduler: str = "",
    evaluation_phases: int = 2,
    past: Sequence[PastSeries] = (),
    sides: bool = True,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> Iterator[Tried]:
    """Yield each of ``scenarios`` tried with ``rules``, as they are done; see ``Sweeper`` for several sweeps in a row.

    ``jobs`` are recorded at once (0: one for each core). Raises ``TryFailed``, and the errors of workers and judge.
    """
    with Sweeper.started(artifacts, jobs=jobs, cache=cache, backend=backend, scheduler=scheduler) as sweeper:
        yield from sweeper.sweep(
            scenarios, rules, evaluation_phases=evaluation_phases, past=past, sides=sides, on_progress=on_progress
        )


class Sweeper:
    """Workers and a judge that stay for several sweeps; both start when they are first needed. For one thread."""

    def __init__(
        self, held: ExitStack, artifacts: Path, *, jobs: int, cache: Cache | None, backend: Backend, scheduler: str
    ) -> None:
        """``held`` ends what is started here; see ``started``."""
        self._held, self._artifacts, self._cache = held, artifacts, cache
        self._jobs, self._backend, self._scheduler = jobs, backend, scheduler
        self._workers: Workers | None = None
        self._judge: Judge | None = None

    @classmethod
    @contextmanager
    def started(
        cls,
        artifacts: Path,
        *,
        jobs: int = 0,
        cache: Cache | None = None,
        backend: Backend = "loky",
        scheduler: str = "",
    ) -> Iterator[Sweeper]:
        """Yield one that records with the models in ``artifacts``; nothing that it started is left afterwards."""
        with ExitStack() as held:
            yield cls(held, artifacts, jobs=jobs, cache=cache, backend=backend, scheduler=scheduler)

    @property
    def at_once(self) -> int:
        """How many scenarios are recorded at once: the cores of a cluster, or what was asked for."""
        return self._at_work(2).jobs

    def sweep(
        self,
        scenarios: Sequence[Scenario],
        rules: Sequence[RuleFile],
        *,
        evaluation_phases: int = 2,
        past: Sequence[PastSeries] = (),
        sides: bool = True,
        on_progress: Callable[[Progress], None] = lambda _: None,
    ) -> Iterator[Tried]:
        """Yield each of ``scenarios`` tried with ``rules``, as they are done."""
        asked = _Asked(tuple(rules), evaluation_phases, tuple(past), sides)
        count = _Count(len(scenarios), on_progress)
        on_progress(count.progress())
        unknown: list[Scenario] = []
        for scenario in scenarios:
            known = self._known(scenario, asked)
            if known is None:
                unknown.append(scenario)
            else:
                count.add(scenario, kept=True)
                yield known
        unknown.sort(key=_weight, reverse=True)  # so that no long one is left to a single process at the end
        for start in range(0, len(unknown), AT_ONCE):
            for recording in self._recordings(unknown[start : start + AT_ONCE]):
                one = self._judged(recording, asked)
                count.add(recording.scenario, kept=False)
                yield one

    def _known(self, scenario: Scenario, asked: _Asked) -> Tried | None:
        if self._cache is None:
            return None
        return self._cache.get(asked.key(recording_key(scenario, self._artifacts)), Tried)

    def _recordings(self, scenarios: Sequence[Scenario]) -> Iterator[Recording]:
        """Yield the recordings of ``scenarios``: those that are kept while the others are being made."""
        kept, made = [], []
        for scenario in scenarios:
            key = recording_key(scenario, self._artifacts)
            if self._cache is not None and self._cache.has(key):
                kept.append((key, scenario))
            else:
                made.append(scenario)
        workers = self._at_work(len(made))
        alike = shared_calms(made) if workers.forks else [(one, 0.0) for one in made]
        coming = workers.each(_recorded, [_Job(one, self._artifacts, calm_s) for one, calm_s in alike])
        for key, scenario in kept:
            found = None if self._cache is None else self._cache.get(key, Recording)
            yield found or self._kept(_recorded(_Job(scenario, self._artifacts)))
        for outcome in coming:
            yield self._kept(outcome)

    def _kept(self, outcome: Recording | _Refused) -> Recording:
        """Return a recording that a worker made, and keep it; raise ``TryFailed``."""
        if isinstance(outcome, _Refused):
            raise TryFailed(outcome.scenario, outcome.reason)
        if self._cache is not None:  # its models may have been trained only now, which is another key than before
            self._cache.put(recording_key(outcome.scenario, self._artifacts), outcome)
        return outcome

    def _judged(self, recording: Recording, asked: _Asked) -> Tried:
        if self._judge is None:
            self._judge = self._held.enter_context(Judge.started(lookback_s=LOOKBACK_S))
        one = asked.judged(recording, self._judge)
        if self._cache is not None:
            self._cache.put(asked.key(recording_key(recording.scenario, self._artifacts)), one)
        return one

    def _at_work(self, jobs: int) -> Workers:
        """Return the workers; this process alone where a single job is not worth starting others."""
        if self._workers is None and jobs <= 1 and self._backend == "loky":
            return Workers(1, None)
        if self._workers is None:
            started = Workers.started(self._jobs, backend=self._backend, scheduler=self._scheduler)
            self._workers = self._held.enter_context(started)
        return self._workers


@dataclass
class _Count:
    """Counts what is done, and says so."""

    total: int
    tell: Callable[[Progress], None]
    done: int = 0
    kept: int = 0
    began: float = field(default_factory=time.monotonic)

    def add(self, scenario: Scenario, *, kept: bool) -> None:
        self.done += 1
        self.kept += kept
        self.tell(self.progress(scenario.name))

    def progress(self, last: str = "") -> Progress:
        elapsed_s = time.monotonic() - self.began
        made = self.done - self.kept
        left_s = elapsed_s / made * (self.total - self.done) if made else 0.0 if self.done == self.total else None
        return Progress(self.done, self.total, self.kept, elapsed_s, left_s, last)


def _weight(scenario: Scenario) -> float:
    """Return about how many requests a scenario has, which is what recording it costs."""
    factors = (one.request.parameters.get("factor", 1.0) for one in scenario.schedule if one.request.kind == SPIKE)
    factor = max((float(one) for one in factors if isinstance(one, int | float)), default=1.0)
    return scenario.traffic.rate * (scenario.lasts_s + max(0.0, factor - 1.0) * scenario.burn_s)


def _recorded(job: _Job) -> Recording | _Refused:
    """Record one scenario, in whatever process this is."""
    from faults.drills.virtual.record import record  # noqa: PLC0415 - loads the service, which not all sweeps need
    from faults.drills.virtual.trunk import record_branch  # noqa: PLC0415 - as above

    try:
        if job.calm_s > 0.0:
            return record_branch(job.scenario, job.calm_s, artifacts=job.artifacts)
        return record(job.scenario, artifacts=job.artifacts)
    except (FaultError, ServiceError) as problem:
        return _Refused(job.scenario.name, str(problem))


@functools.cache
def _engine() -> tuple[str, int, int]:
    """Return which Prometheus evaluates: its file, that file's size and its time."""
    program = Path(find_program("prometheus"))
    about = program.stat()
    return str(program), about.st_size, about.st_mtime_ns
