"""How long a scenario has to be for what rules look back on: calm, burn and recovery, in seconds. Pure arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from faults.drills.windows import Windows, windows_of
from stack.pace import PRODUCTION, Pace
from stack.rules.errors import RuleError
from stack.rules.file import AlertingRule, RecordingRule, RuleFile

SHORTEST_S = 1800.0
"""A scenario lasts at least so long where nobody says how long; all of these are production time."""
LEAST_CALM_S, MOST_CALM_S = 300.0, 1920.0
LEAST_BURN_S, MOST_BURN_S = 300.0, 1500.0
LEAST_RECOVERY_S, MOST_RECOVERY_S = 240.0, 900.0
SPARE_S = 90.0
"""What scrapes, evaluations and their phases add, and a value that needs a moment to cross its threshold."""
BURN_SHARE = 0.6
"""Of a time that is too short for all, what burning gets at most, and of the rest the share of the calm."""


@dataclass(frozen=True)
class Horizon:
    """How long a scenario is. All in seconds, at the pace already."""

    calm_s: float
    burn_s: float
    recovery_s: float

    @property
    def lasts_s(self) -> float:
        """Return how long all of it takes."""
        return self.calm_s + self.burn_s + self.recovery_s


def recordings_of(files: Sequence[RuleFile]) -> tuple[tuple[str, str], ...]:
    """Return name and expression of every recording rule of ``files``."""
    rules = (rule for file in files for group in file.groups for rule in group.rules)
    return tuple((rule.name, rule.expr) for rule in rules if isinstance(rule, RecordingRule))


def horizon_of(files: Sequence[RuleFile], *, pace: Pace = PRODUCTION, for_s: float | None = None) -> Horizon:
    """Return how long to try each fault so that the rules of ``files`` can answer.

    A fault burns until the windows of the present are full of it and the longest ``for`` has passed; before it is as
    much calm as what rules compare with needs; after it the windows empty again. Each part has a bound, so that one
    rule over three days does not make a check take hours: a rule that looks back further has a verdict of its own.
    ``for_s`` is how long all of it shall take instead; where that is too short, burning comes first.
    """
    known = recordings_of(files)
    spare_s, most_burn_s, most_calm_s = (pace.scale(each) for each in (SPARE_S, MOST_BURN_S, MOST_CALM_S))
    all_of_them = ((_windows(rule, known), rule) for file in files for rule in file.alerts)
    alerts = [each for each in all_of_them if each[0].reach_s + each[1].for_s + spare_s <= most_burn_s + most_calm_s]
    burning = (one.present_s + rule.for_s + spare_s for one, rule in alerts)
    burn_s = _between(pace.scale(LEAST_BURN_S), max(burning, default=0.0), most_burn_s)
    reaching = (one.reach_s + rule.for_s + spare_s for one, rule in alerts)
    calm_s = _between(pace.scale(LEAST_CALM_S), max(reaching, default=0.0) - burn_s, most_calm_s)
    emptying = (one.present_s + rule.keep_firing_for_s + spare_s for one, rule in alerts)
    recovery_s = _between(pace.scale(LEAST_RECOVERY_S), max(emptying, default=0.0), pace.scale(MOST_RECOVERY_S))
    interval_s = pace.interval_s
    needed = Horizon(_whole(calm_s, interval_s), _whole(burn_s, interval_s), _whole(recovery_s, interval_s))
    if for_s is None:
        missing_s = max(0.0, pace.scale(SHORTEST_S) - needed.lasts_s)
        return Horizon(needed.calm_s + _whole(missing_s, interval_s), needed.burn_s, needed.recovery_s)
    return _fitted(needed, for_s, interval_s)


def _fitted(needed: Horizon, lasts_s: float, interval_s: float) -> Horizon:
    """Return a horizon of ``lasts_s``: what is too much goes to the calm, what is too little is divided."""
    if lasts_s >= needed.lasts_s:
        return Horizon(lasts_s - needed.burn_s - needed.recovery_s, needed.burn_s, needed.recovery_s)
    burn_s = _whole(min(needed.burn_s, lasts_s * BURN_SHARE), interval_s)
    calm_s = _whole(min(needed.calm_s, (lasts_s - burn_s) * BURN_SHARE), interval_s)
    return Horizon(calm_s, burn_s, max(0.0, lasts_s - burn_s - calm_s))


def _windows(rule: AlertingRule, recordings: Sequence[tuple[str, str]]) -> Windows:
    """Return the windows of ``rule``; none where its expression is not understood, which others say."""
    try:
        return windows_of(rule.expr, recordings)
    except RuleError:
        return Windows(0.0, 0.0, 0.0, 0)


def _between(least: float, wanted: float, most: float) -> float:
    return min(max(least, wanted), most)


def _whole(seconds: float, interval_s: float) -> float:
    """Return ``seconds`` in whole intervals, so that the fault is lit at a phase that is the same for all."""
    return max(1.0, -(-seconds // interval_s)) * interval_s if seconds > 0.0 else 0.0
