"""What stands against a drill on a stack: kinds, models, alerts and metrics that are not there, times that cannot be.

Each objection is a sentence with the line and the key of the drill file. It asks, and changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from faults.base import FaultKind
from faults.drills.abort import AbortConditions
from faults.drills.history import Historian, labels_of
from faults.drills.parameters import parameter_problems
from faults.drills.spec import Drill
from faults.drills.watch import Sight
from stack.clients.prometheus import PrometheusClient
from stack.errors import QueryRefused
from stack.pace import Pace
from stack.rules.durations import format_duration
from stack.rules.errors import RuleError
from stack.rules.selectors import Selector, selectors_of

_KNOWN_MODELS = "group by (model_name) (model_loaded)"


@dataclass(frozen=True)
class Stack:
    """What a drill is held against."""

    kinds: Sequence[FaultKind]
    sight: Sight
    windows_s: Mapping[str, float]
    """How far back each loaded alert looks, in seconds at ``pace``."""
    pace: Pace
    prometheus: PrometheusClient
    historian: Historian | None


async def objections(drill: Drill, stack: Stack) -> tuple[str, ...]:
    """Return every reason why ``drill`` cannot run on ``stack``; raise ``SourceError``."""
    found = [*_about_faults(drill, stack.kinds), *_about_alerts(drill, stack.sight), *_about_times(drill, stack)]
    found += await asyncio.to_thread(lambda: [*_about_models(drill, stack.prometheus)])
    found += await _about_aborting(drill, stack)
    found += await asyncio.to_thread(lambda: [*_about_history(drill, stack)])
    return tuple(found)


def _about_faults(drill: Drill, kinds: Sequence[FaultKind]) -> Iterator[str]:
    known = {kind.kind: kind for kind in kinds}
    for index, step in enumerate(drill.faults):
        kind = known.get(step.kind)
        where = drill.where("faults", index, "kind")
        if kind is None:
            yield f"{where}unknown fault kind {step.kind!r}; known kinds: {', '.join(sorted(known))}"
            continue
        if not kind.available:
            yield f"{where}{step.kind} is unavailable here: {kind.unavailable_because or 'no reason given'}"
        for problem in parameter_problems(kind.schema_, step.parameters):
            yield f"{drill.where('faults', index, 'parameters')}{problem}"


def _about_alerts(drill: Drill, sight: Sight) -> Iterator[str]:
    names = sorted({rule.name for rule in sight.rules})
    for index, expectation in enumerate(drill.expect):
        where = drill.where("expect", index, "alert")
        rules = sight.named(expectation.alert)
        if not rules:
            yield f"{where}Prometheus has no alert {expectation.alert!r}; loaded are: {', '.join(names) or 'none'}"
        for rule in rules:
            if rule.health == "err":
                yield f"{where}Prometheus cannot evaluate {expectation.alert}: {rule.last_error}"
    for index, alert in enumerate(drill.allow):
        if alert not in names:
            yield f"{drill.where('allow', index)}Prometheus has no alert {alert!r}"


def _about_times(drill: Drill, stack: Stack) -> Iterator[str]:
    """Object to alerts that cannot ring in time, however well everything goes."""
    schedule = drill.schedule(0, stack.pace)
    burns_s = max(one.ends_at_s for one in schedule) - min(one.at_s for one in schedule)
    for index, expectation in enumerate(drill.expect):
        for rule in stack.sight.named(expectation.alert)[:1]:
            factor, for_text = stack.pace.factor, format_duration(rule.for_s * stack.pace.factor)
            if stack.pace.scale(expectation.firing_within) < rule.for_s:
                where = drill.where("expect", index, "firing_within")
                given = format_duration(expectation.firing_within)
                yield f"{where}{expectation.alert} cannot fire within {given}, for its rule has `for: {for_text}`"
            seen_s = burns_s + stack.windows_s.get(rule.name, 0.0)
            if seen_s < rule.for_s:
                where = drill.where("faults", len(drill.faults) - 1, "ttl")
                burns, seen = format_duration(burns_s * factor), format_duration(seen_s * factor)
                text = f"the faults burn for {burns} and {expectation.alert} sees them for {seen} at most"
                yield f"{where}{text}, less than the `for: {for_text}` of its rule: it cannot fire"


def _about_models(drill: Drill, prometheus: PrometheusClient) -> Iterator[str]:
    known = sorted({sample.labels.get("model_name", "") for sample in prometheus.query(_KNOWN_MODELS)})
    if not known:
        return  # an app without models: its control endpoint has the last word
    named = [(("faults", index, "target", "model"), step.target.model) for index, step in enumerate(drill.faults)] + [
        (("traffic", "models", name), name) for name in (drill.traffic.models if drill.traffic is not None else ())
    ]
    for loc, model in named:
        if model is not None and model not in known:
            yield f"{drill.where(*loc)}no model is named {model!r}; the service has: {', '.join(known)}"


async def _about_aborting(drill: Drill, stack: Stack) -> list[str]:
    found = []
    for index, condition in enumerate(drill.abort_if):
        where = drill.where("abort_if", index, "promql")
        try:
            scaled = AbortConditions([condition], stack.pace)
            met = await scaled.met(stack.prometheus)
            unknown = await asyncio.to_thread(_unknown_metrics, condition.promql, stack.prometheus)
        except QueryRefused as error:
            found.append(f"{where}Prometheus cannot evaluate it: {error.reason}")
            continue
        except RuleError as error:
            found.append(f"{where}{error}")
            continue
        found += [f"{where}Prometheus has no metric {name!r}, so that it would never hold" for name in unknown]
        if met is not None:
            found.append(f"{where}it holds already, before any fault: {met.sentence}")
    return found


def _unknown_metrics(expr: str, prometheus: PrometheusClient) -> list[str]:
    """Return the metrics of ``expr`` that Prometheus has neither series nor recording of."""
    recorded = {name for name, _ in prometheus.recordings()}
    names = dict.fromkeys(one.metric for one in selectors_of(expr) if one.metric and one.metric not in recorded)
    return [name for name in names if not prometheus.query(f'count({{__name__="{name}"}})')]


def _about_history(drill: Drill, stack: Stack) -> Iterator[str]:
    if drill.history is None:
        return
    obstacle = "this conductor has no way into Prometheus's storage"
    reason = obstacle if stack.historian is None else stack.historian.obstacle()
    if reason is not None:
        yield f"{drill.where('history')}it cannot be supplied here: {reason}"
    recorded = {name for name, _ in stack.prometheus.recordings()}
    for index, one in enumerate(drill.history.series):
        name = labels_of(one.series)["__name__"]
        if name not in recorded and not stack.prometheus.query(f'count({{__name__="{name}"}})'):
            where = drill.where("history", "series", index, "series")
            yield f"{where}Prometheus has no metric {name!r}, so that no rule would find it"


async def warnings(drill: Drill, stack: Stack) -> tuple[str, ...]:
    """Return what does not stand against ``drill`` and should be known: selectors that select nothing now."""
    return await asyncio.to_thread(lambda: tuple(_warnings(drill, stack)))


def _warnings(drill: Drill, stack: Stack) -> Iterator[str]:
    for index, condition in enumerate(drill.abort_if):
        for one in _selecting_nothing(selectors_of(condition.promql), stack.prometheus):
            yield f"{drill.where('abort_if', index, 'promql')}`{one.text}` selects nothing now"
    for index, expectation in enumerate(drill.expect):
        for rule in stack.sight.named(expectation.alert)[:1]:
            looks_s = stack.windows_s.get(rule.name, 0.0) * stack.pace.factor
            if drill.history is not None and drill.history.covers < looks_s:
                where, covers = drill.where("history", "covers"), format_duration(drill.history.covers)
                yield f"{where}{covers} is less than the {format_duration(looks_s)} that {rule.name} looks back"
            chosen = [one for one in selectors_of(rule.expr) if one.metric]
            bare = [Selector(name, name) for name in dict.fromkeys(one.metric for one in chosen)]
            for one in _selecting_nothing(bare, stack.prometheus):
                where = drill.where("expect", index, "alert")
                yield f"{where}the rule of {rule.name} reads `{one.text}`, of which there is no series now"


def _selecting_nothing(chosen: Sequence[Selector], prometheus: PrometheusClient) -> Iterator[Selector]:
    return (one for one in chosen if not prometheus.query(f"count({one.text})"))
