"""Rules that are evaluated beside the real ones, for what a live drill asks Prometheus itself. They alert nobody.

Since when a condition holds, to a tenth of an evaluation; whether an abort condition of a drill does; what a report
shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from faults.drills.judge.judgement import AlertCourse
from faults.drills.parts import AbortCondition
from faults.drills.rehearsal.ground import Ground
from faults.drills.spec import Drill
from stack.pace import Pace
from stack.rules.file import AlertingRule, RuleFile, RuleGroup
from stack.rules.scale import scale_expr

FILE = Path("what a virtual drill asks beside the rules")
RESOLUTION = 10.0
"""Times in an evaluation interval that a condition is looked at, as a live drill does."""
FINEST_S = 0.05
_CONDITION, _ABORT, _SIGNAL = "condition", "abort", "signal"


def probes(drill: Drill, ground: Ground) -> RuleFile:
    """Return what has to be asked for ``drill`` to be judged; raise ``UnscalableExpression``."""
    return RuleFile(FILE, (*_conditions(drill, ground), *_aborts(drill.abort_if, ground.pace)))


def signals(exprs: Iterable[str], interval_s: float) -> RuleFile:
    """Return what has to be asked so that each of ``exprs`` is read every ``interval_s`` seconds."""
    rules = tuple(AlertingRule(f"{index}", f"({expr}) > -Inf") for index, expr in enumerate(exprs))
    return RuleFile(FILE, (RuleGroup(_SIGNAL, rules, interval_s),) if rules else ())


def condition_of(course: AlertCourse) -> bool:
    """Say whether ``course`` tells since when a condition holds."""
    return is_probe(course) and course.ref.group.startswith(_CONDITION)


def signal_of(course: AlertCourse) -> int | None:
    """Return which expression ``course`` is of; ``None`` where it is something else."""
    return int(course.ref.alert) if is_probe(course) and course.ref.group == _SIGNAL else None


def abort_of(course: AlertCourse, conditions: Sequence[AbortCondition]) -> AbortCondition | None:
    """Return the condition that ``course`` is of."""
    return conditions[int(course.ref.alert)] if is_probe(course) and course.ref.group == _ABORT else None


def is_probe(course: AlertCourse) -> bool:
    """Say whether ``course`` is of no real rule."""
    return course.ref.file == str(FILE)


def _conditions(drill: Drill, ground: Ground) -> Iterator[RuleGroup]:
    wanted = dict.fromkeys(one.alert for one in drill.expect)
    rules = [rule for alert in wanted for rule in ground.named(alert)]
    for index, rule in enumerate(rules):
        fine = AlertingRule(rule.name, rule.expr, labels=rule.labels)
        yield RuleGroup(f"{_CONDITION} {index}", (fine,), max(rule.interval_s / RESOLUTION, FINEST_S))


def _aborts(conditions: Sequence[AbortCondition], pace: Pace) -> Iterator[RuleGroup]:
    if conditions:
        scaled = [scale_expr(one.promql, pace.factor) for one in conditions]
        rules = tuple(AlertingRule(str(index), expr) for index, expr in enumerate(scaled))
        yield RuleGroup(_ABORT, rules, look_every_s(pace.interval_s))


def look_every_s(interval_s: float) -> float:
    """Return how often a live drill looks, in seconds, where rules are evaluated every ``interval_s``."""
    return min(max(interval_s / 2, 0.2), 2.0)
