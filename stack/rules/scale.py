"""Rules at another pace: every duration divided by one factor, every constant that carries time with it.

What ``stack.rules.measures`` cannot do exactly is refused. A scaled text is parsed again and must be the same tree but
for what was meant to change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from stack.pace import PRODUCTION_INTERVAL_S
from stack.rules.durations import format_duration
from stack.rules.errors import UnscalableExpression
from stack.rules.file import AlertingRule, RecordingRule, RuleFile, RuleGroup
from stack.rules.measures import AMOUNT, Inexact, Measurement, counts_a_window
from stack.rules.tokens import Place, edited, locate
from stack.rules.tree import Kind, Node, read_tree

LEAST_SAMPLES = 2
"""A range that holds fewer scrapes than this has no rate."""


def scale_expr(expr: str, factor: float, *, interval_s: float = PRODUCTION_INTERVAL_S) -> str:
    """Return ``expr`` with its ranges, steps and offsets divided by ``factor`` (> 0), to the millisecond.

    Constants that carry time are converted where that is exact. ``interval_s`` is the scrape interval in production
    time. Raises ``UnscalableExpression`` where the expression has no exact counterpart, or a range holds less than two
    scrapes. A factor of 1 returns any expression that parses as it is.
    """
    root = read_tree(expr)
    if factor == 1.0:
        return expr
    try:
        constants = Measurement(root).constants
    except Inexact as reason:
        raise UnscalableExpression(expr, str(reason)) from None
    for node in root.walk():
        if node.kind is Kind.MATRIX and node.range_ms < LEAST_SAMPLES * interval_s * 1000:
            short, scrape = format_duration(node.range_ms / 1000), format_duration(interval_s)
            raise UnscalableExpression(expr, f"the range [{short}] holds less than two scrapes, one every {scrape}")
    places = locate(expr)
    changes: dict[Place, str] = {}
    for place in places.spans:
        changes[place] = _divided_span(expr, place, factor)
    divisors = {index: factor**degree for index, degree in constants.items()}
    for index, place in enumerate(places.numbers):
        if index in divisors:
            changes[place] = repr(_number(expr, place) / divisors[index]).removesuffix(".0")
    scaled = edited(expr, changes)
    _verify(expr, scaled, _scaled_tree(root, factor, divisors))
    return scaled


def scale_rules(rules: RuleFile, factor: float, *, interval_s: float = PRODUCTION_INTERVAL_S) -> RuleFile:
    """Return ``rules`` at ``factor`` times the speed: expressions, ``for``, ``keep_firing_for``, intervals, offsets.

    Raises ``UnscalableExpression`` with the rule's name; also for a recording whose value depends on the pace, unless
    it is a count whose name says so: whatever reads the recorded series would not know.
    """
    if factor == 1.0:
        return rules
    return replace(rules, groups=tuple(_scaled_group(group, factor, interval_s) for group in rules.groups))


def _scaled_group(group: RuleGroup, factor: float, interval_s: float) -> RuleGroup:
    offset_s, every_s = group.query_offset_s, group.interval_s
    return replace(
        group,
        interval_s=None if every_s is None else every_s / factor,
        query_offset_s=None if offset_s is None else offset_s / factor,
        rules=tuple(_scaled_rule(rule, factor, interval_s) for rule in group.rules),
    )


def _scaled_rule(rule: AlertingRule | RecordingRule, factor: float, interval_s: float) -> AlertingRule | RecordingRule:
    try:
        expr = scale_expr(rule.expr, factor, interval_s=interval_s)
    except UnscalableExpression as error:
        raise UnscalableExpression(error.expr, error.reason, rule.name) from None
    if isinstance(rule, AlertingRule):
        return replace(rule, expr=expr, for_s=rule.for_s / factor, keep_firing_for_s=rule.keep_firing_for_s / factor)
    recorded, counted = Measurement(read_tree(rule.expr)).result, counts_a_window(rule.name)
    if counted and recorded != AMOUNT:
        reason = "its name says that it counts what happens in a window, and the value does not depend on one"
        raise UnscalableExpression(rule.expr, reason, rule.name)
    if not counted and not recorded.plain:
        reason = "it records a value that depends on the pace; record a rate or a ratio, or call it …:increase5m"
        raise UnscalableExpression(rule.expr, reason, rule.name)
    return replace(rule, expr=expr)


def _divided_span(expr: str, place: Place, factor: float) -> str:
    scaled_ms = _divided(round(_number(expr, place) * 1000), factor)
    if scaled_ms < 1:
        raise UnscalableExpression(expr, f"{expr[place.start : place.end]} becomes shorter than a millisecond")
    return format_duration(scaled_ms / 1000)


def _number(expr: str, place: Place) -> float:
    """Return the value of the literal at ``place``, which may be a duration (then in seconds) or hexadecimal."""
    return read_tree(expr[place.start : place.end]).value


def _divided(span_ms: int, factor: float) -> int:
    return round(span_ms / factor)


def _scaled_tree(node: Node, factor: float, divisors: Mapping[int, float]) -> Node:
    """Return the tree that the scaled text has to have."""
    value = node.value / divisors.get(node.index, 1.0)
    return replace(
        node,
        children=tuple(_scaled_tree(child, factor, divisors) for child in node.children),
        range_ms=_divided(node.range_ms, factor),
        step_ms=_divided(node.step_ms, factor),
        offset_ms=_divided(node.offset_ms, factor),
        name=repr(value) if node.kind is Kind.NUMBER else node.name,
        value=value,
    )


def _verify(expr: str, scaled: str, expected: Node) -> None:
    if read_tree(scaled) != expected:
        raise UnscalableExpression(expr, f"its durations could not be told from its numbers with certainty ({scaled})")
