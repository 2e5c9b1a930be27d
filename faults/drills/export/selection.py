"""Which recorded series the rules of a test select: their names and their label matchers. Nothing is evaluated."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from faults.drills.judge.dependencies import needed_rules, plan_of
from faults.drills.virtual.recording import RecordedSeries
from stack.rules.file import AlertingRule, RecordingRule, RuleFile, RuleGroup
from stack.rules.selectors import Selector

_MATCHER = re.compile(r"(?P<name>[A-Za-z_]\w*)(?P<operator>=~|!~|!=|=)(?P<value>\".*\")", re.DOTALL)
_QUERY = re.compile(r"\{\{.*\bquery\b", re.DOTALL)
_WORD = re.compile(r"[A-Za-z_:][\w:]*")
_UNLIKE_PYTHON = re.compile(r"\[\[:|\\[pPCQ]|\(\?[a-zA-Z]*-?[a-zA-Z]*U")
"""What RE2 knows and Python does not, or otherwise."""


@dataclass(frozen=True)
class _Taker:
    """One selector, ready to be asked."""

    selector: Selector
    matchers: tuple[tuple[str, str, str], ...]

    def takes(self, labels: Mapping[str, str]) -> bool:
        if not self.selector.takes(labels["__name__"]):
            return False
        return all(_holds(operator, value, labels.get(name, "")) for name, operator, value in self.matchers)


def narrowed(files: Sequence[RuleFile], alerts: Iterable[str]) -> tuple[RuleFile, ...]:
    """Return of ``files`` the rules that ``alerts`` need, the recordings that they read among them; nothing empty."""
    wanted = frozenset(alerts)
    chosen = tuple(
        _without(file, lambda rule: isinstance(rule, AlertingRule) and rule.name not in wanted) for file in files
    )
    needed = {id(one.rule) for one in needed_rules((*chosen, _asked_in_templates(chosen)))}
    left = (_without(file, lambda rule: id(rule) not in needed) for file in chosen)
    return tuple(file for file in left if file.groups)


def _without(file: RuleFile, unwanted: Callable[[AlertingRule | RecordingRule], bool]) -> RuleFile:
    groups = (replace(group, rules=tuple(rule for rule in group.rules if not unwanted(rule))) for group in file.groups)
    return replace(file, groups=tuple(group for group in groups if group.rules))


def _asked_in_templates(files: Sequence[RuleFile]) -> RuleFile:
    """Return what templates of ``files`` may ask for with ``query``, as rules in groups of the same names.

    Every word of such a template is taken for a series; those that are none select nothing.
    """
    groups = []
    for group in (group for file in files for group in file.groups):
        alerts = [rule for rule in group.rules if isinstance(rule, AlertingRule)]
        texts = (text for rule in alerts for text in (*rule.labels.values(), *rule.annotations.values()))
        words = dict.fromkeys(word for text in texts if _QUERY.search(text) for word in _WORD.findall(text))
        groups.append(RuleGroup(group.name, tuple(AlertingRule(word, word) for word in words)))
    return RuleFile(Path("templates"), tuple(groups))


def selectors_in(files: Sequence[RuleFile]) -> tuple[Selector, ...]:
    """Return what the alerts of ``files``, their templates and the recordings that they read select, once each."""
    rules = needed_rules((*files, _asked_in_templates(files)))
    return tuple({one.text: one for rule in rules for one in rule.selectors}.values())


def selected(series: Iterable[RecordedSeries], files: Sequence[RuleFile]) -> tuple[RecordedSeries, ...]:
    """Return those of ``series`` that ``selectors_in(files)`` may select."""
    takers = [_Taker(one, tuple(_read(each) for each in one.matchers)) for one in selectors_in(files)]
    return tuple(one for one in series if any(taker.takes(dict(one.labels)) for taker in takers))


def group_order(files: Sequence[RuleFile]) -> tuple[str, ...]:
    """Return the names of all groups, each after those that record what it reads; else in the order of the files.

    promtool evaluates groups in any order where a test does not say one.
    """
    plan = plan_of((*files, _asked_in_templates(files)))
    groups = {one.position: one.group.name for one in plan.rules}
    waiting = list(dict.fromkeys(group.name for file in files for group in file.groups))
    reads: dict[str, set[str]] = {name: set() for name in waiting}
    for reader, sources in plan.sources.items():
        reads[groups[reader]] |= {groups[source] for source in sources} - {groups[reader]}
    order: list[str] = []
    while waiting:
        ready = next((name for name in waiting if not reads[name] & {*waiting} - {name}), waiting[0])
        order.append(ready)
        waiting.remove(ready)
    return tuple(order)


def _read(matcher: str) -> tuple[str, str, str]:
    found = _MATCHER.fullmatch(matcher)
    if found is None:
        return ("", "=", "")  # takes everything
    return (found["name"], found["operator"], json.loads(found["value"]))


def _holds(operator: str, value: str, text: str) -> bool:
    """Return whether a matcher takes ``text``; one whose pattern Python may read otherwise takes everything."""
    if operator in {"=", "!="}:
        return (value == text) == (operator == "=")
    if _UNLIKE_PYTHON.search(value):
        return True
    try:
        matches = re.fullmatch(value, text) is not None
    except re.error:
        return True
    return matches == (operator == "=~")
