"""What is settled before a drill starts: that it can run here, against these rules and this service.

Everything that would stop it is found now, before anything is changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from faults.drills.abort import AbortConditions
from faults.drills.control import Instance
from faults.drills.errors import BadDrill, FaultsActive
from faults.drills.history import Historian
from faults.drills.objections import Stack, objections, warnings
from faults.drills.places import Places
from faults.drills.schedule import Lighting
from faults.drills.spec import Drill
from faults.drills.verdict import Bounds
from faults.drills.watch import Sight, Watcher
from stack.clients.prometheus import AlertRule
from stack.configuration import GROUP_INTERVAL_S, GROUP_WAIT_S
from stack.errors import StackError
from stack.pace import PRODUCTION, Pace
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
    schedule: tuple[Lighting, ...] = ()
    """What is lit when, in seconds after the steady state at this pace."""
    abort_if: AbortConditions = field(default_factory=lambda: AbortConditions((), PRODUCTION))
    warnings: tuple[str, ...] = ()

    @property
    def interval_s(self) -> float:
        """The longest evaluation interval of the expected alerts, in seconds; the stack's where none is expected."""
        return max((rule.interval_s for rule in self.rules.values()), default=self.pace.interval_s)

    @property
    def supplied_s(self) -> float:
        """How far back the drill's own history reaches, in seconds at this pace."""
        return 0.0 if self.drill.history is None else self.pace.scale(self.drill.history.covers)

    @property
    def watch_s(self) -> float:
        """How long nothing may ring after the first fault, in seconds at this pace; 0 where alerts are expected."""
        return self.pace.scale(self.drill.watch or 0.0)

    def bounds(self, index: int) -> Bounds:
        """Return the bounds of expectation ``index`` in seconds at this pace."""
        expectation = self.drill.expect[index]
        return Bounds(
            self.pace.scale(expectation.firing_within),
            self.pace.scale(expectation.delivered_within),
            self.pace.scale(expectation.resolved_within),
        )


async def make_plan(
    drill: Drill,
    pace: Pace,
    watcher: Watcher,
    control: Places,
    *,
    historian: Historian | None = None,
    seed: int = 0,
    burned_until: float = 0.0,
    while_burning: bool = False,
) -> Plan:
    """Return the plan of ``drill``, or raise what stands against it.

    ``burned_until``: Unix second at which the last fault that the journal knows of had ended. ``seed``: what every
    random choice follows from. ``while_burning``: faults that burn now do not stand against it.

    ``BadDrill``: it asks for what is not there. ``FaultsActive``: something burns already. ``ControlError`` or
    ``SourceError``: the service, Prometheus or Alertmanager does not answer.
    """
    instance = await control.instance()
    kinds = await control.kinds()
    faults = await control.faults()
    burning = [record for record in faults if record.state == "active"]
    sight = (await watcher.look()).complete()
    rules = {one.alert: sight.named(one.alert)[0] for one in drill.expect if sight.named(one.alert)}
    windows_s, unknown = await _windows(watcher, sight)
    stack = Stack(kinds, sight, windows_s, pace, watcher.prometheus, historian)
    problems = [*await objections(drill, stack)]
    problems += [f"alert {alert}: {reason}" for alert, reason in unknown.items() if alert in rules]
    if problems:
        raise BadDrill(f"drill {drill.name!r}", problems)
    if burning and not while_burning:
        raise FaultsActive(f"{record.kind} ({record.id})" for record in burning)
    ended = [record.ended_at for record in faults if record.ended_at is not None]
    watched_s = await watcher.history_s(max(windows_s.values(), default=0.0), pace.interval_s)
    calm_since = max(watcher.now() - watched_s, burned_until, *ended)
    return Plan(
        drill,
        pace,
        rules,
        windows_s,
        calm_since,
        instance,
        schedule=drill.schedule(seed, pace),
        abort_if=AbortConditions(drill.abort_if, pace),
        warnings=await warnings(drill, stack),
    )


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


def estimate_s(drill: Drill, pace: Pace, sight: Sight | None) -> float:
    """Return about how long ``drill`` takes, in seconds at ``pace``.

    From the rules where they are known: hold, ``for`` and grouping up to the delivery, the longest window and
    grouping down to its end. Without them, from the drill's own bounds.
    """
    starts_s = pace.scale(drill.steady_state.hold) + max(one.at_s for one in drill.schedule(0, pace))
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
    return starts_s + max(there_s, pace.scale(drill.watch or 0.0)) + back_s + (grouping_s if drill.expect else 0.0)
