"""What is settled before a drill starts: that it can run here, against these rules and this service.

Everything that would stop it is found now, before anything is changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from faults.base import FaultKind
from faults.drills.control import Instance, ServiceControl
from faults.drills.errors import BadDrill, FaultsActive
from faults.drills.parameters import parameter_problems
from faults.drills.spec import Drill
from faults.drills.verdict import Bounds
from faults.drills.watch import Sight, Watcher
from stack.clients.prometheus import AlertRule
from stack.configuration import GROUP_INTERVAL_S, GROUP_WAIT_S
from stack.errors import StackError
from stack.pace import Pace
from stack.rules.reach import longest_window_s


@dataclass(frozen=True)
class Plan:
    """A drill that can run, with what was found when it was checked."""

    drill: Drill
    pace: Pace
    rules: Mapping[str, AlertRule]
    """The rule of each expected alert, as loaded."""
    windows_s: Mapping[str, float]
    """How far back each loaded alert looks, through what it reads of recorded series, in seconds at this pace."""
    calm_since: float
    """Unix second since when the service has been watched without a gap and no fault has burned."""
    instance: Instance

    @property
    def interval_s(self) -> float:
        """The longest evaluation interval of the expected alerts, in seconds."""
        return max(rule.interval_s for rule in self.rules.values())

    def bounds(self, index: int) -> Bounds:
        """Return the bounds of expectation ``index`` in seconds at this pace."""
        expectation = self.drill.expect[index]
        return Bounds(
            self.pace.scale(expectation.firing_within),
            self.pace.scale(expectation.delivered_within),
            self.pace.scale(expectation.resolved_within),
        )


async def make_plan(
    drill: Drill, pace: Pace, watcher: Watcher, control: ServiceControl, *, burned_until: float = 0.0
) -> Plan:
    """Return the plan of ``drill``, or raise what stands against it.

    ``burned_until``: Unix second at which the last fault that the journal knows of had ended.

    ``BadDrill``: it asks for what is not there. ``FaultsActive``: something burns already. ``ControlError`` or
    ``SourceError``: the service, Prometheus or Alertmanager does not answer.
    """
    instance = await control.instance()
    kinds = await control.kinds()
    faults = await control.faults()
    burning = [record for record in faults if record.state == "active"]
    sight = await watcher.look()
    if sight.alertmanager_error is not None:
        raise sight.alertmanager_error
    problems = [*_fault_problems(drill, kinds), *_alert_problems(drill, sight)]
    rules = {one.alert: sight.named(one.alert)[0] for one in drill.expect if sight.named(one.alert)}
    windows_s, unknown = await _windows(watcher, sight)
    problems += [f"alert {alert}: {reason}" for alert, reason in unknown.items() if alert in rules]
    if problems:
        raise BadDrill(f"drill {drill.name!r}", problems)
    if burning:
        raise FaultsActive(f"{record.kind} ({record.id})" for record in burning)
    ended = [record.ended_at for record in faults if record.ended_at is not None]
    watched_s = await watcher.history_s(max(windows_s.values(), default=0.0), pace.interval_s)
    calm_since = max(watcher.now() - watched_s, burned_until, *ended)
    return Plan(drill, pace, rules, windows_s, calm_since, instance)


async def _windows(watcher: Watcher, sight: Sight) -> tuple[Mapping[str, float], Mapping[str, str]]:
    """Return how far back each loaded alert looks, in seconds, and the reason where that cannot be said."""
    recordings = await asyncio.to_thread(watcher.prometheus.recordings)
    windows_s: dict[str, float] = {}
    unknown: dict[str, str] = {}
    for rule in sight.rules:
        try:
            window_s = longest_window_s(rule.expr, recordings)
        except StackError as error:
            unknown[rule.name] = f"how far back it looks cannot be said: {error}"
        else:
            windows_s[rule.name] = max(window_s, windows_s.get(rule.name, 0.0))
    return windows_s, unknown


def _fault_problems(drill: Drill, kinds: Sequence[FaultKind]) -> Iterator[str]:
    known = {kind.kind: kind for kind in kinds}
    for index, step in enumerate(drill.faults):
        kind = known.get(step.kind)
        where = f"faults[{index}]"
        if kind is None:
            yield f"{where}.kind: unknown fault kind {step.kind!r}; known kinds: {', '.join(sorted(known))}"
            continue
        if not kind.available:
            yield f"{where}.kind: {step.kind} is unavailable here: {kind.unavailable_because or 'no reason given'}"
        for problem in parameter_problems(kind.schema_, step.parameters):
            yield f"{where}.parameters: {problem}"


def _alert_problems(drill: Drill, sight: Sight) -> Iterator[str]:
    names = sorted({rule.name for rule in sight.rules})
    for index, expectation in enumerate(drill.expect):
        rules = sight.named(expectation.alert)
        if not rules:
            loaded = ", ".join(names) or "none"
            yield f"expect[{index}].alert: Prometheus has no alert {expectation.alert!r}; loaded are: {loaded}"
        for rule in rules:
            if rule.health == "err":
                yield f"expect[{index}].alert: Prometheus cannot evaluate {expectation.alert}: {rule.last_error}"
    for index, alert in enumerate(drill.allow):
        if alert not in names:
            yield f"allow[{index}]: Prometheus has no alert {alert!r}"


def estimate_s(drill: Drill, pace: Pace, sight: Sight | None) -> float:
    """Return about how long ``drill`` takes, in seconds at ``pace``.

    From the rules where they are known: hold, ``for`` and grouping up to the delivery, the longest window and
    grouping down to its end. Without them, from the drill's own bounds.
    """
    starts_s = pace.scale(drill.steady_state.hold) + pace.scale(max(step.at for step in drill.faults))
    grouping_s = pace.scale(GROUP_WAIT_S + GROUP_INTERVAL_S / 2)
    there_s, back_s = 0.0, 0.0
    for expectation in drill.expect:
        rules = sight.named(expectation.alert) if sight is not None else ()
        if rules:
            rule = rules[0]
            try:
                window_s = longest_window_s(rule.expr)
            except StackError:
                window_s = 0.0
            there_s = max(there_s, rule.for_s + 4 * rule.interval_s)
            back_s = max(back_s, window_s + 2 * rule.interval_s)
        else:
            there_s = max(there_s, pace.scale(expectation.firing_within))
            back_s = max(back_s, pace.scale(expectation.resolved_within))
    return starts_s + there_s + back_s + grouping_s
