"""The alerts of rule files, each with where it stands, in the words of judge and checks. Nothing is judged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from faults.drills.judge.judgement import RuleRef
from faults.drills.lint.finding import Place
from stack.rules.file import AlertingRule, RuleFile, RuleGroup


@dataclass(frozen=True)
class RulePlace:
    """One alerting rule and where it stands."""

    rule: AlertingRule
    group: RuleGroup
    ref: RuleRef
    place: Place


def alerts_of(files: Sequence[RuleFile]) -> Iterator[RulePlace]:
    """Yield every alerting rule of ``files``, in order."""
    for file in files:
        for group in file.groups:
            for index, rule in enumerate(group.rules):
                if isinstance(rule, AlertingRule):
                    ref = RuleRef(str(file.path), group.name, index, rule.name)
                    place = Place(file=str(file.path), group=group.name, rule=rule.name, line=rule.line)
                    yield RulePlace(rule, group, ref, place)
