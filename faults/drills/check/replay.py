"""Replays what an existing Prometheus has recorded through rules, to tell when each alert would have fired.

That Prometheus evaluates, by its own range queries, and is only asked; the state machine of alerts is the judge's. What
comes of it has the form of a scenario that was tried, without a fault.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from prometheus_client import Metric

from faults.drills.check.errors import NothingRecorded
from faults.drills.check.horizon import recordings_of
from faults.drills.check.places import RulePlace, alerts_of
from faults.drills.check.tried import Tried
from faults.drills.condition import comparisons
from faults.drills.judge.alert_state import AlertStates
from faults.drills.judge.judgement import AlertCourse, AlertLife, Judgement, PhaseJudgement, Side
from faults.drills.judge.selection import series_names
from faults.drills.lint.inventory import Inventory, inventory_of
from faults.drills.virtual.scenario import Scenario
from stack.clients.prometheus import PrometheusClient
from stack.clients.series import Series
from stack.errors import QueryRefused
from stack.rules.durations import format_duration
from stack.rules.file import RuleFile

RECORDED = "what was recorded"
MOST_POINTS = 10_000
"""Of one series in one query; Prometheus refuses more than 11,000."""
EVERY_S = 15.0
"""How often a rule is evaluated whose group does not say."""
MOST_NAMES = 400
"""Of so many metrics the labels are asked for; of more, nobody's rules speak."""
_SUFFIXES = ("_bucket", "_sum", "_count", "_total", "_info")


@dataclass(frozen=True)
class Past:
    """What a Prometheus has, as far as rules are about it."""

    url: str
    version: str
    start: float
    end: float
    inventory: Inventory
    recorded_since: float
    """Since when it has anything, at most a while before ``start``; Unix seconds."""


def past_of(
    client: PrometheusClient,
    files: Sequence[RuleFile],
    *,
    since_s: float,
    end: float,
    look_back_s: float = 0.0,
    complete: bool = False,
) -> Past:
    """Return what ``client`` has of the ``since_s`` seconds before ``end`` that ``files`` may be about.

    ``look_back_s`` is the longest window of the rules. Raises ``NothingRecorded`` and ``SourceError``.
    """
    start = end - since_s
    step_s = max(1.0, (since_s + look_back_s) / 500)
    present = client.query_range('count({__name__!=""})', start - look_back_s, end, step_s)
    if not present or not any(at >= start for at, _ in present[0].points):
        raise NothingRecorded(client.url, format_duration(since_s))
    names = client.metrics()
    recorded = {name for name, _ in recordings_of(files)}
    wanted = series_names(files)
    asked = sorted((set(names) if wanted is None else wanted | recorded) & set(names))[:MOST_NAMES]
    inventory = _inventory(client, asked, names, client.types(), since_s=since_s, end=end, complete=complete)
    return Past(client.url, client.build_version(), start, end, inventory, present[0].points[0][0])


def _inventory(
    client: PrometheusClient,
    asked: Sequence[str],
    names: Sequence[str],
    types: Mapping[str, str],
    *,
    since_s: float,
    end: float,
    complete: bool,
) -> Inventory:
    """Return the metrics ``names``, those ``asked`` for with their labels and values."""
    families: dict[str, Metric] = {}
    for name in names:
        family, kind = _family(name, types)
        families.setdefault(family, Metric(family, "", kind))
    span = format_duration(since_s)
    for name in asked:
        family, _ = _family(name, types)
        for sample in client.query(f'last_over_time({{__name__="{name}"}}[{span}])', at=end):
            families[family].add_sample(name, dict(sample.labels), sample.value)
    found = inventory_of(families.values(), client.url)
    listed = {name: one for name, one in found.series.items() if name in set(names)}
    return Inventory(MappingProxyType(listed), client.url, complete, whole_families=True, histograms=found.histograms)


def _family(name: str, types: Mapping[str, str]) -> tuple[str, str]:
    """Return the metric that a series called ``name`` belongs to, with its type, as its Prometheus has it."""
    if name in types:
        kind = types[name]
        return (name.removesuffix("_total"), kind) if kind == "counter" else (name, kind)
    for suffix in _SUFFIXES:
        base = name.removesuffix(suffix)
        if base != name and types.get(base) in {"histogram", "summary", "counter", "info"}:
            return base, types[base]
    return name, "unknown"


def replay(
    client: PrometheusClient, files: Sequence[RuleFile], past: Past, *, on_progress: Callable[[int, int], None]
) -> Tried:
    """Return what would have become of every alert of ``files`` in ``past``; raise ``SourceError``.

    ``on_progress`` is given how many alerts are done, of how many. What the Prometheus refuses to evaluate, such as a
    query that is too expensive for it, becomes the alert's error.
    """
    places = list(alerts_of(files))
    courses = []
    for done, place in enumerate(places):
        on_progress(done, len(places))
        courses.append(_course(client, place, past))
    on_progress(len(places), len(places))
    scenario = Scenario(RECORDED, 0, past.end - past.start)
    judgement = Judgement(RECORDED, (PhaseJudgement(0.0, 0.0, tuple(courses)),))
    names = frozenset(past.inventory.series)
    return Tried(scenario, past.start, past.end, None, None, None, (), names, judgement)


def _course(client: PrometheusClient, place: RulePlace, past: Past) -> AlertCourse:
    rule, interval_s = place.rule, place.group.interval_s or EVERY_S
    try:
        results = _over(client, rule.expr, past, interval_s)
        sides = tuple(Side(one, _over(client, one.left, past, interval_s)) for one in comparisons(rule.expr))
    except QueryRefused as refused:
        return AlertCourse(place.ref, rule, interval_s, (), error=refused.reason)
    states = AlertStates(for_ms=_ms(rule.for_s), keep_firing_ms=_ms(rule.keep_firing_for_s), limit=place.group.limit)
    found: dict[int, list[tuple[tuple[str, str], ...]]] = {}
    for series in results:
        labels = {name: value for name, value in series.labels.items() if name != "__name__"}
        labels |= {**place.group.labels, **rule.labels}
        for at, _ in series.points:
            found.setdefault(_ms(at), []).append(tuple(sorted(labels.items())))
    error = ""
    for at_ms in _times(past, interval_s):
        error = error or states.advance(at_ms, found.get(at_ms, ()))
    lives = tuple(
        AlertLife(
            life.labels,
            life.active_ms / 1000,
            None if life.fired_ms is None else life.fired_ms / 1000,
            None if life.ended_ms is None else life.ended_ms / 1000,
        )
        for life in states.lives()
    )
    return AlertCourse(place.ref, rule, interval_s, lives, sides, error)


def _times(past: Past, interval_s: float) -> range:
    """Return the times of evaluations in milliseconds: whole multiples of the interval within ``past``."""
    step = _ms(interval_s)
    first = -(-_ms(past.start) // step) * step
    return range(first, _ms(past.end) + 1, step)


def _over(client: PrometheusClient, expr: str, past: Past, interval_s: float) -> tuple[Series, ...]:
    """Return ``expr`` at every evaluation, in as many queries as that takes."""
    found: dict[tuple[tuple[str, str], ...], list[tuple[float, float]]] = {}
    for times in _portions(_times(past, interval_s)):
        for series in client.query_range(expr, times[0] / 1000, times[-1] / 1000, interval_s):
            found.setdefault(tuple(sorted(series.labels.items())), []).extend(series.points)
    return tuple(Series(dict(labels), tuple(points)) for labels, points in found.items())


def _portions(times: range) -> Iterator[range]:
    for begin in range(0, len(times), MOST_POINTS):
        yield times[begin : begin + MOST_POINTS]


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
