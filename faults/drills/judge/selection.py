"""Which series have to be recorded for rules to be judged. Nothing is evaluated."""

from __future__ import annotations

from collections.abc import Sequence

from faults.drills.judge.dependencies import ALERT_SERIES, needed_rules
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
