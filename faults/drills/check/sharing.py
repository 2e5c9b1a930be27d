"""Which scenarios have the same calm before their fault, so that it need be lived through once. Plain values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from faults.drills.virtual.scenario import Scenario

LEAST_S = 60.0
"""A calm that is shorter is not worth the processes."""


def shared_calms(scenarios: Sequence[Scenario]) -> list[tuple[Scenario, float]]:
    """Return ``scenarios``, those with a common beginning one after the other, and how many seconds of it are common.

    0: nothing. Among their like they stay in the order that they came in.
    """
    families: list[list[Scenario]] = []
    for one in scenarios:
        family = next((each for each in families if _beginning(each[0]) == _beginning(one)), None)
        if family is None:
            families.append([one])
        else:
            family.append(one)
    return [(one, _common_s(family)) for family in families for one in family]


def _common_s(family: Sequence[Scenario]) -> float:
    least_s = min(one.calm_s for one in family)
    shared = len(family) > 1 and least_s >= LEAST_S and family[0].background is None
    return least_s if shared else 0.0


def _beginning(scenario: Scenario) -> Scenario:
    """Return what decides how a scenario begins."""
    return replace(scenario, name="", calm_s=0.0, burn_s=0.0, recovery_s=0.0, schedule=())
