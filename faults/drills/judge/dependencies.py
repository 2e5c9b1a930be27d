"""Which rules the alerts need, and in which order they have to be evaluated. From their text alone; nothing is run.

Within a group Prometheus evaluates from top to bottom: a rule that reads what a later one records sees the value of
the evaluation before. Such rules, and those that read themselves, can only be evaluated one time after the other; all
others over their whole range at once, each after those that it reads. Of groups that run at the same time, the one that
reads runs after the one that records.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from stack.rules.errors import UnscalableExpression
from stack.rules.file import AlertingRule, RecordingRule, RuleFile, RuleGroup
from stack.rules.selectors import Selector, selectors_of

ALERT_SERIES = ("ALERTS", "ALERTS_FOR_STATE")
"""What Prometheus records of alerts."""


@dataclass(frozen=True, eq=False)
class PlannedRule:
    """One rule where it stands. ``position`` is that of its file, of its group there, and of it in that."""

    position: tuple[int, int, int]
    file: RuleFile
    group: RuleGroup
    rule: AlertingRule | RecordingRule
    selectors: tuple[Selector, ...]
    """Empty where the expression does not parse, too."""
    parses: bool = True

    @property
    def records(self) -> tuple[str, ...]:
        """Return the names of the series that come of it."""
        return (self.rule.name,) if isinstance(self.rule, RecordingRule) else ALERT_SERIES


@dataclass(frozen=True, eq=False)
class Step:
    """Rules to evaluate together. ``circular``: one time after the other, in this order; else each on its own."""

    rules: tuple[PlannedRule, ...]
    circular: bool


def needed_rules(files: Sequence[RuleFile]) -> tuple[PlannedRule, ...]:
    """Return the alerting rules of ``files`` and the recordings that they read, in the order of the files."""
    every = [
        PlannedRule((file_index, group_index, index), file, group, rule, *_selectors(rule.expr))
        for file_index, file in enumerate(files)
        for group_index, group in enumerate(file.groups)
        for index, rule in enumerate(group.rules)
    ]
    read = _read_by(every)
    wanted = [index for index, one in enumerate(every) if isinstance(one.rule, AlertingRule)]
    return tuple(every[index] for index in sorted({*wanted, *_reachable(wanted, read)}))


def ordered(rules: Sequence[PlannedRule]) -> tuple[tuple[Step, ...], ...]:
    """Return ``rules`` in layers: all steps of one may be evaluated at once, each layer after the one before it."""
    read = _read_by(rules)
    after = [set(sources) for sources in read]
    for index, sources in enumerate(read):
        for other in sources:
            if rules[index].position[:2] == rules[other].position[:2] and index < other:
                after[other].add(index)  # it sees the value of before, so that both go step by step
    layers: list[list[Step]] = []
    layer_of: dict[int, int] = {}
    for together in _strongly_connected(after):
        below = {layer_of[other] for index in together for other in after[index] if other not in together}
        layer = max(below, default=-1) + 1
        layer_of.update(dict.fromkeys(together, layer))
        circular = len(together) > 1 or any(index in after[index] for index in together)
        if layer == len(layers):
            layers.append([])
        layers[layer].append(Step(tuple(rules[index] for index in sorted(together)), circular))
    return tuple(tuple(layer) for layer in layers)


def alerts_are_read(rules: Iterable[PlannedRule]) -> bool:
    """Return whether any of ``rules`` selects what Prometheus records of alerts."""
    return any(_names_alerts(one) for rule in rules for one in rule.selectors)


def _read_by(rules: Sequence[PlannedRule]) -> list[set[int]]:
    """Return, for each of ``rules``, those whose series it selects or may select."""
    recordings: dict[str, list[int]] = defaultdict(list)
    alerts: list[int] = []
    for index, one in enumerate(rules):
        if isinstance(one.rule, RecordingRule):
            recordings[one.rule.name].append(index)
        else:
            alerts.append(index)
    read: list[set[int]] = []
    for one in rules:
        sources: set[int] = set()
        for selector in one.selectors:
            names = [selector.metric] if selector.metric else recordings
            sources.update(index for name in names if selector.takes(name) for index in recordings.get(name, ()))
            if _names_alerts(selector):
                sources.update(index for index in alerts if _of_alert(selector, rules[index].rule.name))
        read.append(sources)
    return read


def _reachable(start: Iterable[int], edges: Sequence[set[int]]) -> set[int]:
    seen: set[int] = set()
    rest = [other for index in start for other in edges[index]]
    while rest:
        index = rest.pop()
        if index not in seen:
            seen.add(index)
            rest += edges[index]
    return seen


def _selectors(expr: str) -> tuple[tuple[Selector, ...], bool]:
    """Return what ``expr`` selects, and whether it was understood."""
    try:
        return selectors_of(expr), True
    except UnscalableExpression:
        return (), False


def _names_alerts(selector: Selector) -> bool:
    """Return whether ``selector`` asks for alerts; one without any name is not taken to."""
    return bool(selector.names or selector.metric) and any(selector.takes(name) for name in ALERT_SERIES)


def _of_alert(selector: Selector, alert: str) -> bool:
    """Return whether ``selector``, which asks for alerts, may select the series of ``alert``."""
    asked = [one.removeprefix("alertname=") for one in selector.matchers if one.startswith('alertname="')]
    return all(one == f'"{alert}"' for one in asked)


def _strongly_connected(edges: Sequence[set[int]]) -> list[set[int]]:
    """Return the strongly connected components of a graph, each after those that its edges lead to.

    Source: R. Tarjan, Depth-first search and linear graph algorithms, 1972; without recursion.
    """
    found: list[set[int]] = []
    number: dict[int, int] = {}
    low: dict[int, int] = {}
    open_nodes: list[int] = []
    for root in range(len(edges)):
        if root in number:
            continue
        number[root] = low[root] = len(number)
        open_nodes.append(root)
        path = [(root, iter(sorted(edges[root])))]
        while path:
            node, rest = path[-1]
            following = next(rest, None)
            if following is None:
                path.pop()
                if path:
                    low[path[-1][0]] = min(low[path[-1][0]], low[node])
                if low[node] == number[node]:
                    cut = open_nodes.index(node)
                    found.append(set(open_nodes[cut:]))
                    del open_nodes[cut:]
            elif following not in number:
                number[following] = low[following] = len(number)
                open_nodes.append(following)
                path.append((following, iter(sorted(edges[following]))))
            elif following in open_nodes:
                low[node] = min(low[node], number[following])
    return found


@dataclass(frozen=True, eq=False)
class Plan:
    """What has to be evaluated for the alerts of some files, and in which order."""

    rules: tuple[PlannedRule, ...]
    layers: tuple[tuple[Step, ...], ...]
    sources: Mapping[tuple[int, int, int], frozenset[tuple[int, int, int]]]
    """Of each rule: those that it reads, through others too."""
    keeps_alerts: bool
    """Whether what Prometheus records of alerts is read by a rule."""
    bound: frozenset[tuple[int, int, int]]
    """Which rules read what is recorded in the same phase of the evaluations, are evaluated beside such a one, or were
    not understood."""

    @property
    def writes(self) -> bool:
        """Return whether anything that an evaluation finds is read by another one."""
        return self.keeps_alerts or any(isinstance(one.rule, RecordingRule) for one in self.rules)

    def reads_scrapes_alone(self, planned: PlannedRule) -> bool:
        """Return whether ``planned`` reads nothing that is evaluated: then it finds the same in whatever phase."""
        return planned.position not in self.bound


def plan_of(files: Sequence[RuleFile]) -> Plan:
    """Return the plan of ``files``."""
    rules = needed_rules(files)
    read = _read_by(rules)
    sources = {
        one.position: frozenset(rules[source].position for source in _reachable((index,), read))
        for index, one in enumerate(rules)
    }
    layers = ordered(rules)
    circular = {one.position for layer in layers for step in layer if step.circular for one in step.rules}
    reading = {one.position for one in rules if sources[one.position] or not one.parses}
    return Plan(rules, layers, sources, alerts_are_read(rules), frozenset(reading | circular))
