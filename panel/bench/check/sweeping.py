"""How long the matrix takes of all shipped rules and every fault of the service, on two cores and warm."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from faults.drills.check.check import Options, check
from faults.drills.check.engine import engine_name
from faults.drills.check.matrix import matrix_of
from faults.drills.check.matrix_expected import library_expectations
from faults.drills.check.matrix_page import matrix_html
from faults.drills.check.rulefiles import load_rule_files
from faults.drills.check.scenarios import ready_faults
from faults.drills.check.sweep import Sweeper
from faults.drills.check.tried import Tried
from faults.drills.virtual.scenario import Scenario
from panel.bench.figures import Figure
from stack.configuration import RULES_DIR
from stack.rules.file import RuleFile

ROUNDS = 3
JOBS = 2
MOST_S, AIM_S = 60.0, 20.0
CONTAINERS = ("container_pause", "container_kill", "network_cut")
"""Faults that are not the service's."""


def measure_matrix(say: Callable[[str], None], artifacts: Path, *, rounds: int = ROUNDS) -> list[Figure]:
    """Return the time of the matrix, its page included: the median of ``rounds``; workers and engine run already."""
    rules = load_rule_files([str(RULES_DIR / "*.yml")])
    faults = [one.name for one in ready_faults() if one.kind not in CONTAINERS]
    with Sweeper.started(artifacts, jobs=JOBS) as sweeper:
        say("the matrix, to warm up with one fault")
        _matrix(sweeper, rules, faults[:1])
        times: list[float] = []
        for index in range(rounds):
            say(f"the matrix of {len(faults)} faults, {index + 1} of {rounds}")
            times.append(_matrix(sweeper, rules, faults))
    alerts = sum(len(file.alerts) for file in rules)
    name = f"the matrix of {alerts} shipped alerts and {len(faults)} faults of the service, on {JOBS} cores"
    return [Figure(name, round(statistics.median(times), 1), "s", MOST_S)]


def _matrix(sweeper: Sweeper, rules: Sequence[RuleFile], faults: Sequence[str]) -> float:
    """Return how long a matrix of ``faults`` took, in seconds."""
    tries: list[Tried] = []

    def attempt(scenarios: Sequence[Scenario], some: Sequence[RuleFile]) -> Iterator[Tried]:
        for one in sweeper.sweep(scenarios, some):
            tries.append(one)
            yield one

    began = time.perf_counter()
    result = check(rules, Options(faults=tuple(faults)), attempt, engine=engine_name())
    matrix_html(matrix_of(result, tries, library_expectations()))
    return time.perf_counter() - began
