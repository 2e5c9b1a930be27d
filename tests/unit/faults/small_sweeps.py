"""Small rules and scenarios for tests of sweeps: windows of a minute, nine virtual minutes, one model."""

from __future__ import annotations

from pathlib import Path

from faults.drills.check.horizon import Horizon
from faults.drills.check.scenarios import fault_scenarios, steady
from faults.drills.judge.selection import series_names
from faults.drills.virtual.scenario import Scenario
from stack.rules.file import RuleFile

RULES = """\
groups:
  - name: small
    rules:
      - record: endpoint:errors:ratio
        expr: |
          sum(rate(http_requests_total{status=~"5.."}[1m])) / sum(rate(http_requests_total[1m]))
      - alert: Errors
        expr: endpoint:errors:ratio > 0.2
        for: 30s
        labels: {severity: critical}
      - alert: ErrorsLater
        expr: endpoint:errors:ratio > 0.2
        for: 1m
        labels: {severity: warning}
      - alert: Slow
        expr: histogram_quantile(0.9, sum by (le) (rate(http_request_duration_seconds_bucket[1m]))) > 1
        for: 30s
      - alert: AlwaysOn
        expr: sum(rate(http_requests_total[1m])) > 0.1
      - alert: NotOurs
        expr: a_series_of_somebody_else > 1
"""
HORIZON = Horizon(120.0, 240.0, 180.0)


def written_rules(folder: Path) -> Path:
    """Write the rules and return their file."""
    path = folder / "small.yml"
    path.write_text(RULES, encoding="utf-8")
    return path


def small_scenarios(rules: RuleFile, *, seed: int = 1, rate: float = 2.0) -> list[Scenario]:
    """Return the steady state, errors, and slow answers."""
    names = series_names([rules])
    models = {"iris": 1.0}
    return [
        steady(HORIZON.lasts_s, seed=seed, metrics=names, models=models, rate=rate),
        *fault_scenarios(HORIZON, named=["error", "latency"], seed=seed, metrics=names, models=models, rate=rate)[:1],
        *(
            one
            for one in fault_scenarios(HORIZON, named=["latency"], seed=seed, metrics=names, models=models, rate=rate)
            if one.name == "latency"
        ),
    ]
