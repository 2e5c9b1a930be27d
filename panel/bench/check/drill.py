"""How long one virtual drill of half an hour takes: recorded, judged and reported, in this process and warm."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faults.drills.judge.judge import Judge
from faults.drills.judge.judgement import Judgement
from faults.drills.rehearsal.ground import shipped_ground
from faults.drills.rehearsal.run import Rehearsal
from faults.drills.report.batch import batch_of
from faults.drills.report.html import html
from panel.bench.check.half_hour import burn_s, half_hour
from panel.bench.figures import Figure
from panel.commands.console import CommandError
from stack.pace import PRODUCTION

ROUNDS = 5
MOST_S, AIM_S = 4.0, 2.0


@dataclass(frozen=True)
class Round:
    """One drill; all in seconds."""

    record_s: float
    judge_s: float
    report_s: float

    @property
    def whole_s(self) -> float:
        """Return how long all of it took."""
        return self.record_s + self.judge_s + self.report_s


class _WatchedJudge(Judge):
    """A judge that notes when it was asked, and for how long, in the clock of ``time.perf_counter``."""

    def __init__(self, *, lookback_s: float, query_timeout_s: float) -> None:
        super().__init__(lookback_s=lookback_s, query_timeout_s=query_timeout_s)
        self.asked: list[tuple[float, float]] = []

    def judge(self, *given: Any, **options: Any) -> Judgement:
        """Judge as ever."""
        began = time.perf_counter()
        judgement = super().judge(*given, **options)
        self.asked.append((began, time.perf_counter()))
        return judgement


def measure_drill(say: Callable[[str], None], artifacts: Path, *, rounds: int = ROUNDS) -> list[Figure]:
    """Return the time of a drill and of its parts: medians of ``rounds``, after one that is not counted."""
    ground = shipped_ground(PRODUCTION)
    with _WatchedJudge.started(lookback_s=ground.look_back_s) as judge:
        if not isinstance(judge, _WatchedJudge):
            raise CommandError("the benchmark's judge is not the one that it watches")
        done = []
        for index in range(rounds + 1):
            say("a virtual drill of half an hour" + (f", {index} of {rounds}" if index else ", to warm up"))
            done.append(_round(Rehearsal(ground, judge, artifacts), judge))
    return _figures(done[1:])


def _round(rehearsal: Rehearsal, judge: _WatchedJudge) -> Round:
    drill = half_hour()
    judge.asked.clear()
    began = time.perf_counter()
    done = rehearsal.perform(drill, burn_s=burn_s(drill, rehearsal.ground), with_evidence=True)
    if done.evidence is None or done.run.verdict != "passed":
        raise CommandError(f"the benchmark's drill ended {done.run.verdict}: {done.run.reason}")
    html(batch_of([done.evidence], drill.title))
    ended = time.perf_counter()
    asked_at, answered_at = judge.asked[0]
    return Round(asked_at - began, answered_at - asked_at, ended - answered_at)


def _figures(rounds: Sequence[Round]) -> list[Figure]:
    def median(of: Callable[[Round], float]) -> float:
        return round(statistics.median(map(of, rounds)), 2)

    name = "a virtual drill of 30 minutes, 2 requests/s, all shipped rules"
    return [
        Figure(f"{name}: recorded, judged, reported", median(lambda one: one.whole_s), "s", MOST_S),
        Figure("of it: recording what 3 scrapers see", median(lambda one: one.record_s), "s"),
        Figure("of it: judging 6 phases", median(lambda one: one.judge_s), "s"),
        Figure("of it: the verdict, the evidence and a page of HTML", median(lambda one: one.report_s), "s"),
    ]
