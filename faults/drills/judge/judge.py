"""Judges recordings: a real Prometheus of its own evaluates unmodified rules over their samples.

Rules are taken as they are, at the pace of the recording: whoever records at another pace scales them before. No PromQL
is redone here; what Prometheus is not asked for is the life of an alert, which stands in ``alert_state``.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import numpy as np

from faults.drills.judge.dependencies import Plan, plan_of
from faults.drills.judge.engine import Engine
from faults.drills.judge.errors import JudgeError, TimeUp
from faults.drills.judge.evaluation import Evaluator, Written
from faults.drills.judge.hearing import Hearing
from faults.drills.judge.judgement import Judgement, PhaseJudgement
from faults.drills.judge.remote_write import samples_of
from faults.drills.judge.selection import names_beside_recordings, series_names
from faults.drills.judge.worlds import FIRST_MS, World, gap_ms, laid_out
from faults.drills.virtual.recording import Recording, Scrapes
from stack.blocks import PastSeries
from stack.rules.file import RecordingRule, RuleFile

MOST_SAMPLES = 30_000_000
"""What one engine takes before another one is started in its place."""
_WORKERS = 4
_HOUR_MS = 3_600_000


class Judge:
    """A judge with its engine. ``started`` gives one. Threads may share it; it takes one recording at a time."""

    def __init__(self, *, lookback_s: float, query_timeout_s: float) -> None:
        """``query_timeout_s`` is what one expression may take for all evaluations of a recording."""
        self._lookback_s, self._timeout_s = lookback_s, query_timeout_s
        self._lock = threading.Lock()
        self._engine = Engine(lookback_s=lookback_s, query_timeout_s=query_timeout_s)
        self._cursor_ms, self._held = FIRST_MS, 0
        self._given_up: dict[str, str] = {}
        self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="judge")
        self._single = ThreadPoolExecutor(1, thread_name_prefix="judge-alone")
        self._known: tuple[tuple[RuleFile, ...], Plan, frozenset[str] | None, int] | None = None

    @classmethod
    @contextmanager
    def started(cls, *, lookback_s: float = 300.0, query_timeout_s: float = 10.0) -> Iterator[Judge]:
        """Yield a judge whose engine runs; it is gone afterwards, however this process ends.

        ``lookback_s`` is how old the latest sample of a series may be. Raises ``EngineFailed`` and ``ProgramMissing``.
        """
        judge = cls(lookback_s=lookback_s, query_timeout_s=query_timeout_s)
        try:
            yield judge
        finally:
            judge.close()

    @property
    def engine(self) -> str:
        """Return what evaluates the rules, such as ``Prometheus 2.42.0``."""
        return f"Prometheus {self._engine.version.partition('+')[0]}"

    def close(self) -> None:
        """End the engine."""
        self._engine.close()
        self._pool.shutdown(cancel_futures=True)
        self._single.shutdown(cancel_futures=True)

    def judge(
        self,
        recording: Recording,
        rules: Sequence[RuleFile],
        *,
        evaluation_phases: int = 2,
        past: Sequence[PastSeries] = (),
        sides: bool = True,
    ) -> Judgement:
        """Return what becomes of every alert of ``rules`` in ``recording``, for each scraper and evaluation phase.

        ``past``: samples of before the recording, in its own time; later ones are left out. ``sides``: the values of
        comparisons as well. Raises ``EngineDied`` where the engine is lost; another call starts a new one.
        """
        with self._lock:
            alone = False
            while True:
                hear = partial(self._judged, recording, tuple(rules), evaluation_phases, tuple(past), sides=sides)
                try:
                    return hear(alone=alone)
                except TimeUp:  # the engine may go on with it: everything once more, with another one, and one by one
                    self._engine.close()
                    alone = True
                except JudgeError:
                    self._engine.close()
                    raise

    def _judged(
        self,
        recording: Recording,
        rules: tuple[RuleFile, ...],
        phases: int,
        past: tuple[PastSeries, ...],
        *,
        sides: bool,
        alone: bool,
    ) -> Judgement:
        plan, names, distance_ms = self._plan(rules)
        own = {one.rule.name for one in plan.rules if isinstance(one.rule, RecordingRule)}
        before = [_written(one, round(recording.started_at * 1000)) for one in past]
        beside = names_beside_recordings(plan)
        worlds = self._placed(recording, plan, phases, before, distance_ms)
        questions = self._engine.questions
        interval_s = recording.scenario.pace.interval_s
        self._engine.set_interval(interval_s)
        for world in worlds:
            if world.index == world.home or world.shift_ms != worlds[world.home].shift_ms:
                known = names if world.index == world.home else beside
                samples = samples_of([*before, *_scraped(world.scrapes, known, own)])
                self._held += samples.count
                questions.write(samples.requests(world.shift_ms))
        pool = self._single if alone else self._pool
        evaluator = Evaluator(questions, timeout_s=self._timeout_s, given_up=self._given_up, alone=alone)
        hearing = Hearing(plan, worlds, interval_s=interval_s, evaluator=evaluator, questions=questions, pool=pool)
        hearing.run(sides=sides)
        judged = tuple(
            PhaseJudgement(
                world.scrapes.phase_s, world.fraction * interval_s, tuple(hearing.courses(world, sides=sides))
            )
            for world in worlds
        )
        return Judgement(recording.scenario.name, judged, hearing.notes())

    def _plan(self, rules: tuple[RuleFile, ...]) -> tuple[Plan, frozenset[str] | None, int]:
        """Return the plan of ``rules``, which series they read, and how far apart worlds lie; kept for next time."""
        if self._known is None or self._known[0] != rules:
            plan = plan_of(rules)
            self._known = rules, plan, series_names(rules), gap_ms(plan.rules, round(self._lookback_s * 1000))
        return self._known[1:]

    def _placed(
        self, recording: Recording, plan: Plan, phases: int, before: Sequence[Written], distance_ms: int
    ) -> tuple[World, ...]:
        """Return the worlds of ``recording``, in the storage of another engine where this one's is used up."""
        start_ms, end_ms = round(recording.started_at * 1000), round(recording.ended_at * 1000)
        firsts = [int(one.times_ms[0]) for scrapes in recording.scrapes for one in scrapes.series if len(one.times_ms)]
        earliest_ms = min([start_ms, *firsts, *(int(times[0]) for _, times, _ in before if len(times))])
        lay = partial(
            laid_out,
            recording.scrapes,
            evaluation_phases=phases,
            shared=not plan.writes,
            earliest_ms=earliest_ms,
            start_ms=start_ms,
            end_ms=end_ms,
            gap_ms=distance_ms,
        )
        worlds, cursor_ms = lay(cursor_ms=self._cursor_ms)
        used_up = cursor_ms > time.time() * 1000 - _HOUR_MS or self._held > MOST_SAMPLES
        if used_up or not self._engine.alive():
            self._engine.close()
            self._engine = Engine(lookback_s=self._lookback_s, query_timeout_s=self._timeout_s)
            self._held = 0
            worlds, cursor_ms = lay(cursor_ms=FIRST_MS)
        self._cursor_ms = cursor_ms
        return worlds


def _scraped(scrapes: Scrapes, names: frozenset[str] | None, own: set[str]) -> Iterator[Written]:
    """Yield the series that rules read, without those that they record themselves."""
    for one in scrapes.series:
        name = dict(one.labels)["__name__"]
        if name not in own and (names is None or name in names):
            yield one.labels, one.times_ms, one.values


def _written(past: PastSeries, before_ms: int) -> Written:
    """Return the samples of ``past`` that lie before ``before_ms``."""
    times = np.array([round(at * 1000) for at, _ in past.points], np.int64)
    values = np.array([value for _, value in past.points], np.float64)
    kept = times < before_ms
    return tuple(sorted(past.labels.items())), times[kept], values[kept]
