"""Why an alert has not fired, at any moment: its rule, its series, its value and the threshold, its way to somebody.

Prometheus evaluates, Alertmanager routes; here it is only asked, from the beginning of an alert's life to its end, and
the first thing that holds it back is the answer.
"""

from __future__ import annotations

import asyncio
import difflib
import math
import statistics
from collections.abc import Sequence

from faults.drills.alerts import AlertBoard, rule_state
from faults.drills.condition import Comparison, comparisons, some_comparisons
from faults.drills.reasons import Reason, SelectorFinding, Trend, Why
from faults.drills.watch import Sight, Watcher
from faults.drills.windows import windows_of
from faults.drills.wire import AlertStatus
from stack.clients.prometheus import AlertRule, PrometheusClient, Series
from stack.errors import SourceError, StackError
from stack.rules.errors import RuleError
from stack.rules.selectors import Selector, selectors_of

TREND_POINTS = 60
SLOPE_POINTS = 20
STILL_PER_S = 1e-9
"""A slope below which a value stands still."""
_STATES = ("inactive", "pending", "firing")
_EVER = "1h"
_SIMILAR = 3


async def why(board: AlertBoard, alert: str) -> Why:
    """Return why ``alert`` has not fired, or not reached the webhook. That a source is gone is an answer, too."""
    watcher = board.watcher
    at = watcher.now()
    try:
        sight = await watcher.look()
        rules = sight.named(alert)
        if not rules:
            return _not_loaded(alert, sight, at)
        rule = max(rules, key=lambda one: _STATES.index(one.state))
        return await _explained(board, rule, sight, namesakes=len(rules) - 1)
    except SourceError as error:
        return Why(alert=alert, at=at, reason="unreachable", sentence=str(error))


def _not_loaded(alert: str, sight: Sight, at: float) -> Why:
    names = sorted({rule.name for rule in sight.rules})
    folded = {name.casefold(): name for name in names}
    similar = [folded[name] for name in difflib.get_close_matches(alert.casefold(), folded, n=_SIMILAR)]
    meant = f"; did you mean {' or '.join(similar)}?" if similar else ""
    return Why(
        alert=alert,
        at=at,
        reason="not loaded",
        sentence=f"Prometheus has no alert named {alert!r} among its {len(names)}{meant}",
        details=[f"loaded: {', '.join(names)}"] if names and not similar else [],
        similar=similar,
    )


async def _explained(board: AlertBoard, rule: AlertRule, sight: Sight, *, namesakes: int) -> Why:
    prometheus = board.watcher.prometheus
    state = rule_state(rule)
    trends: list[Trend] = []
    findings: list[SelectorFinding] = []
    if state != "unknown":
        trends = await asyncio.to_thread(_trends, prometheus, rule, board.watcher.now())
    if state == "inactive" and (not trends or any(one.value is None for one in trends)):
        findings = await asyncio.to_thread(_findings, prometheus, rule.expr)
    status, standing = await board.told(rule, sight)
    reason = standing.reason if standing is not None else _reason(rule, status)
    details = [*(standing.details if standing is not None else ())]
    details += [f"`{one.selector}` selects nothing: {one.finding}" for one in findings if one.series == 0]
    if reason == "no series" and all(one.series for one in findings):
        details.append(
            "each of its selectors has series; either a window holds fewer than two samples, "
            "or the labels of its two sides do not match"
        )
    if state == "inactive" and any(one.value is None for one in trends):
        details += await _too_young(board.watcher, rule)
    details += [_towards(one) for one in trends if not one.holds and one.value is not None]
    if namesakes:
        details.append(f"{namesakes} more rules have this name; this is the one that is furthest")
    at = board.watcher.now()
    return Why(
        alert=rule.name,
        at=at,
        reason=reason,
        sentence=status.waits_for,
        details=details,
        group=rule.group,
        expr=rule.expr,
        for_s=rule.for_s,
        pending_for_s=None if state != "pending" or status.active_since is None else max(0.0, at - status.active_since),
        due_at=status.due_at,
        trends=trends,
        selectors=findings,
    )


def _reason(rule: AlertRule, status: AlertStatus) -> Reason:
    state = rule_state(rule)
    if state == "unknown":
        return "not evaluated"
    if state == "pending":
        return "pending"
    if status.stages.resolved is not None and status.waits_for.startswith("resolved"):
        return "resolved"
    if status.waits_for.startswith("no series"):
        return "no series"
    return "true" if status.waits_for.startswith("condition is true") else "not true"


async def _too_young(watcher: Watcher, rule: AlertRule) -> list[str]:
    """Return that ``rule`` looks back to before anything was scraped, if it does."""
    try:
        recordings = await asyncio.to_thread(watcher.prometheus.recordings)
        reach_s = windows_of(rule.expr, recordings).reach_s
    except RuleError:
        return []
    known_s = await watcher.history_s(reach_s, rule.interval_s)
    if known_s >= reach_s:
        return []
    return [f"it looks back {reach_s:g} s in all, and the service has been scraped without a gap for {known_s:.0f} s"]


def _trends(prometheus: PrometheusClient, rule: AlertRule, at: float) -> list[Trend]:
    """Return each comparison of ``rule`` over the last evaluations; raises ``SourceError``."""
    step_s = max(rule.interval_s, 0.25)
    found = []
    for comparison in comparisons(rule.expr) or some_comparisons(rule.expr):
        series = prometheus.query_range(comparison.left, at - TREND_POINTS * step_s, at, step_s)
        found.append(trend(comparison, series, at, step_s))
    return found


def trend(comparison: Comparison, series: Sequence[Series], at: float, step_s: float) -> Trend:
    """Return where ``comparison`` is going, by the one of ``series`` that is nearest to making it true at ``at``.

    Series without a point in the last two steps have no value now.
    """
    said = Trend(expression=" ".join(comparison.left.split()), operator=comparison.operator, threshold=comparison.right)
    now = [(one, one.points[-1][1]) for one in series if one.points and one.points[-1][0] > at - 2 * step_s]
    nearest = comparison.nearest([value for _, value in now])
    if nearest is None or not math.isfinite(nearest):
        return said
    chosen = next(one for one, value in now if value == nearest)
    points = [(time, value) for time, value in chosen.points if math.isfinite(value)]
    slope = slope_per_s(points[-SLOPE_POINTS:])
    holds = comparison.holds(nearest)
    return said.model_copy(
        update={
            "labels": dict(chosen.labels),
            "value": nearest,
            "holds": holds,
            "slope_per_s": slope,
            "crosses_in_s": None if holds or slope is None else crosses_in_s(comparison, nearest, slope),
            "points": points,
        }
    )


def slope_per_s(points: Sequence[tuple[float, float]]) -> float | None:
    """Return the slope of the straight line of least squares through ``points``; ``None`` for fewer than three."""
    if len(points) < 3 or points[0][0] == points[-1][0]:
        return None
    times = [time - points[0][0] for time, _ in points]
    return statistics.linear_regression(times, [value for _, value in points]).slope


def crosses_in_s(comparison: Comparison, value: float, slope: float) -> float | None:
    """Return in how many seconds ``value`` gets to the threshold at ``slope`` per second; ``None`` where it never does.

    Beyond a day nothing is said.
    """
    gap = comparison.right - value
    if comparison.operator not in {">", ">=", "<", "<="} or slope == 0.0 or gap * slope < 0:
        return None
    after_s = gap / slope
    return after_s if after_s <= 86_400.0 else None


def _towards(one: Trend) -> str:
    said = f"{one.value:.4g} is not {one.operator} {one.threshold:g}"
    if one.slope_per_s is None:
        return f"{said}; too few points for a trend"
    if abs(one.slope_per_s) < STILL_PER_S:
        return f"{said}, and it does not move"
    if one.crosses_in_s is None:
        return f"{said}; at its rate of {one.slope_per_s:+.3g} per second it does not get there within a day"
    return f"{said}; at its rate of {one.slope_per_s:+.3g} per second it gets there in {one.crosses_in_s:.0f} s"


def _findings(prometheus: PrometheusClient, expr: str) -> list[SelectorFinding]:
    """Return what each selector of ``expr`` selects now, and what is to blame where that is nothing."""
    try:
        selectors = selectors_of(expr)
    except StackError:
        return []
    found = []
    for selector in selectors:
        series = _count(prometheus, selector.text)
        finding = "" if series else _blame(prometheus, selector)
        found.append(SelectorFinding(selector=selector.text, series=series, finding=finding))
    return found


def _blame(prometheus: PrometheusClient, selector: Selector) -> str:
    """Return why ``selector`` selects nothing: its metric is not there, or one of its labels rules everything out."""
    metric = selector.metric
    if not metric:
        return "no series has these labels"
    if not _count(prometheus, metric):
        return _gone(prometheus, metric)
    guilty = [
        one
        for one in selector.matchers
        if _count(prometheus, f"{metric}{{{','.join(each for each in selector.matchers if each is not one)}}}")
    ]
    if guilty:
        return f"{metric} has series, but none with {' or '.join(guilty) if len(guilty) > 1 else guilty[0]}"
    return f"{metric} has series, but none with these labels together, and no single one of them is to blame"


def _gone(prometheus: PrometheusClient, metric: str) -> str:
    """Return what is known of ``metric``, which has no series now."""
    if _count(prometheus, f"last_over_time({metric}[{_EVER}])"):
        return f"{metric} had samples within the last hour and has none now: not exposed any more, or scrapes fail"
    similar = difflib.get_close_matches(metric, prometheus.metrics(), n=_SIMILAR)
    like = f"; similar names: {', '.join(similar)}" if similar else ""
    return f"there is no metric {metric}{like}"


def _count(prometheus: PrometheusClient, what: str) -> int:
    return int(sum(sample.value for sample in prometheus.query(f"count({what})")))
