"""The drill that is measured: half an hour at two requests a second, under all shipped rules. Plain values.

The steady state is as long as the calm, so that the drill's traffic is all there is; before it a stack has its own.
"""

from __future__ import annotations

from faults.drills.rehearsal.ground import Ground
from faults.drills.rehearsal.scenario import calm_s, longest_recovery_s
from faults.drills.spec import Drill, parse_drill

LASTS_S = 1800.0
TEXT = """
version: 1
name: half-hour
title: Half an hour with a burst of errors
seed: 1
traffic: {rate: 2, models: {iris: 4, churn: 1}}
steady_state: {within: 20m, hold: 7m}
faults: [{kind: error, probability: 0.5, parameters: {mode: status, status: 500}, ttl: 20m}]
expect: [{alert: HighErrorRate, firing_within: 8m, resolved_within: 8m}]
allow: [ErrorBudgetBurnFast, ErrorBudgetBurnMedium]
"""


def half_hour() -> Drill:
    """Return the drill."""
    return parse_drill(TEXT, "the benchmark's drill")


def burn_s(drill: Drill, ground: Ground) -> float:
    """Return for how long it burns, so that all of it takes ``LASTS_S``, and what the seed adds to the calm."""
    return LASTS_S - calm_s(drill, ground) - longest_recovery_s(drill, ground)
