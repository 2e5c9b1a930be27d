"""What is settled before a drill starts: that it can run here, against these rules and this service.

Everything that would stop it is found now, before anything is changed.
"""

from __future__ import annotations

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
from stack.rules.scale import longest_window_s


@dataclass(frozen=True)
class Plan:
    """A drill that can run, with what was found when it was checked."""

    drill: Drill
    pace: Pace
    rules: Mapping[str, AlertRule]
    """The rule of each expected alert, as loaded."""
    windows_s: Mapping[str, float]
    """How far back each expected alert looks, in seconds at this pace."""
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


async def make_plan(drill: Drill, pace: Pace, watcher: Watcher, control: ServiceControl) -> Plan:
    """Return the plan of ``drill``, or raise what stands against it.

    ``BadDrill``: it asks for what is not there. ``FaultsActive``: something burns already. ``ControlError`` or
    ``SourceError``: the service, Prometheus or Alertmanager does not answer.
    """
    instance = await control.instance()
    kinds = await control.kinds()
    burning = [record for record in await control.faults() if record.state == "active"]
    sight = await watcher.look()
    if sight.alertmanager_error is not None:
        raise sight.alertmanager_error
    problems = [*_fault_problems(drill, kinds), *_alert_problems(drill, sight)]
    windows_s: dict[str, float] = {}
    rules = {one.alert: sight.named(one.alert)[0] for one in drill.expect if sight.named(one.alert)}
    for alert, rule in rules.items():
        try:
            windows_s[alert] = longest_window_s(rule.expr)
        except StackError as error:
            problems.append(f"alert {alert}: how far back it looks cannot be said: {error}")
    if problems:
        raise BadDrill(f"drill {drill.name!r}", problems)
    if burning:
        raise FaultsActive(f"{record.kind} ({record.id})" for record in burning)
    return Plan(drill, pace, rules, windows_s, instance)


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
