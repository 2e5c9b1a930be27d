"""The judge next to ``promtool test rules``: the same samples, the same rules, the same evaluations.

promtool gets the test that ``firedrill drill export --all`` writes, one group with many times, which is its fastest.
The judge evaluates one phase, as promtool does, with its engine running, as it does between the drills of a sweep;
promtool is a program that starts each time.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from faults.drills.export.course import course_of
from faults.drills.export.export import export
from faults.drills.judge.judge import Judge
from faults.drills.judge.selection import series_names
from faults.drills.rehearsal.ground import shipped_ground
from faults.drills.rehearsal.scenario import longest_recovery_s, scenario_of
from faults.drills.virtual.record import record
from panel.bench.check.half_hour import burn_s, half_hour
from panel.bench.figures import Figure
from stack.pace import PRODUCTION
from stack.rules import promtool

ROUNDS = 5
MOST_RATIO = 1.0


def measure_judges(say: Callable[[str], None], artifacts: Path, *, rounds: int = ROUNDS) -> list[Figure]:
    """Return how long both take, and the ratio: medians over rounds in which they take turns."""
    say("the judge next to promtool")
    ground, drill = shipped_ground(PRODUCTION), half_hour()
    scenario = scenario_of(
        drill,
        ground,
        1,
        burn_s=burn_s(drill, ground),
        recovery_s=longest_recovery_s(drill, ground),
        metrics=series_names(ground.files),
        scrape_phases=1,
        traces=False,
    )
    recording = record(scenario, artifacts=artifacts)
    ours, theirs = [], []
    with tempfile.TemporaryDirectory(prefix="firedrill-bench-") as folder, Judge.started() as judge:
        judgement = judge.judge(recording, ground.files, evaluation_phases=1)
        test = Path(folder) / "half-hour.test.yml"
        test.write_text(
            export(course_of(recording, judgement, judge.engine), ground.files, test).text, encoding="utf-8"
        )
        for _ in range(rounds):
            began = time.perf_counter()
            judge.judge(recording, ground.files, evaluation_phases=1)
            between = time.perf_counter()
            promtool.test(test)
            theirs.append(time.perf_counter() - between)
            ours.append(between - began)
    ratio = statistics.median(one / other for one, other in zip(ours, theirs, strict=True))
    return [
        Figure("judging, of `promtool test rules` on the same series and rules", round(ratio, 2), "ratio", MOST_RATIO),
        Figure("judging one phase of half an hour, with values", round(statistics.median(ours), 2), "s"),
        Figure("`promtool test rules` on the same", round(statistics.median(theirs), 2), "s"),
    ]
