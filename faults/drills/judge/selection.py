"""Which series have to be recorded for rules to be judged. Nothing is evaluated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from faults.drills.judge.dependencies import ALERT_SERIES, Plan, alerts_are_read, needed_rules
from stack.rules.file import RecordingRule, RuleFile


def series_names(rules: Sequence[RuleFile]) -> frozenset[str] | None:
    """Return the names of the series that the alerts of ``rules`` select, through the recordings that they read.

    Names that the rules record themselves are not among them. ``None`` where a selector names none exactly.
    """
    needed = needed_rules(rules)
    recorded = {name for one in needed if isinstance(one.rule, RecordingRule) for name in one.records}
    selectors = [selector for one in needed for selector in one.selectors]
    if not all(selector.metric for selector in selectors):
        return None
    return frozenset({selector.metric for selector in selectors} - recorded - {*ALERT_SERIES})


def names_beside_recordings(plan: Plan) -> frozenset[str] | None:
    """Return the names of what is selected by those rules of ``plan`` that read what others record, or themselves.

    ``None`` where that cannot be told.
    """
    bound = [one for one in plan.rules if not plan.reads_scrapes_alone(one)]
    selectors = [selector for one in bound for selector in one.selectors]
    told = all(one.parses for one in bound) and all(one.metric for one in selectors)
    return frozenset(one.metric for one in selectors) if told else None


def with_what_it_reads(asked: RuleFile, rules: Sequence[RuleFile]) -> tuple[RuleFile, ...]:
    """Return ``asked`` after what its alerts may read of ``rules``: other alerts only where alerts are read at all."""
    recording = (*map(_recordings, rules), asked)
    return (*rules, asked) if alerts_are_read(needed_rules(recording)) else recording


def _recordings(file: RuleFile) -> RuleFile:
    """Return ``file`` without its alerts."""
    groups = (
        replace(group, rules=tuple(rule for rule in group.rules if isinstance(rule, RecordingRule)))
        for group in file.groups
    )
    return replace(file, groups=tuple(groups))
