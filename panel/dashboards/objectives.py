"""What was promised, what is left of it and how fast it goes: the recorded series of docs/slo.md, typed.

Nothing here draws. No data is no value: never 100 %.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

import stack
from stack.clients.prometheus import PrometheusClient, Sample
from stack.rules.durations import parse_duration
from stack.rules.file import AlertingRule
from stack.rules.read import load_rules

_ALL = '{__name__=~"slo:.+|job_slo:.+"} or ALERTS{alertname=~"ErrorBudgetBurn.+"}'
_RULES = Path(stack.__file__).parent / "config" / "prometheus" / "rules" / "slo.yml"
_BURN = re.compile(r"error_budget_burn:ratio_rate(\w+)\{[^}]*\}\s*>\s*([\d.]+)")
MEANINGS: Mapping[str, str] = MappingProxyType(
    {
        "api_availability": "of all scrapes of the service are answered",
        "api_latency": "of all prediction requests take no longer than 0.5 s",
        "api_success_rate": "of all prediction requests are not answered with a 5xx status",
    }
)
WINDOWS = ("5m", "30m", "1h", "6h", "3d")
"""The windows of burn rates, in production time, as the series are called."""


@dataclass(frozen=True)
class BurnAlert:
    """An alert on two windows: both burn rates above ``factor`` for ``for_s`` (production seconds)."""

    name: str
    severity: str
    factor: float
    long: str
    short: str
    for_s: float


@dataclass(frozen=True)
class Objective:
    """One objective now. ``None`` is no data; ``left_events`` in ``unit``; ``hours`` of production time."""

    slo: str
    promised: float
    compliance: float | None
    left: float | None
    left_events: float | None
    unit: str
    requests: float | None
    bad: float | None
    hours: float | None
    burn: Mapping[str, float]
    enough: Mapping[str, bool]
    alerts: Mapping[str, str]

    @property
    def state(self) -> str:
        """``kept``, ``broken`` or ``no data``."""
        if self.compliance is None:
            return "no data"
        return "kept" if self.compliance >= self.promised else "broken"

    def exceeded(self, alert: BurnAlert) -> tuple[bool | None, bool | None]:
        """Say whether the burn rates of the long and of the short window are above the alert's factor."""
        long, short = self.burn.get(alert.long), self.burn.get(alert.short)
        return None if long is None else long > alert.factor, None if short is None else short > alert.factor


@dataclass(frozen=True)
class Promises:
    """All objectives, in the order of their names."""

    objectives: tuple[Objective, ...]


def read_promises(prometheus: PrometheusClient) -> Promises:
    """Ask for every recorded series of the objectives at once. Raises ``SourceError``."""
    return promises_of(prometheus.query(_ALL))


def promises_of(samples: Iterable[Sample]) -> Promises:
    """Sort samples of recorded series, and of the alerts about them, into objectives."""
    found: dict[str, dict[str, float]] = {}
    alerts: dict[str, dict[str, str]] = {}
    for sample in samples:
        name, slo = sample.labels.get("__name__", ""), sample.labels.get("slo", "")
        if name == "ALERTS":
            state, before = sample.labels.get("alertstate", ""), alerts.setdefault(slo, {})
            if before.get(sample.labels["alertname"]) != "firing":
                before[sample.labels["alertname"]] = state
        elif slo and not math.isnan(sample.value):
            found.setdefault(slo, {})[name] = sample.value
    return Promises(
        tuple(
            _objective(slo, values, alerts.get(slo, {}))
            for slo, values in sorted(found.items())
            if "slo:objective:ratio" in values
        )
    )


@cache
def burn_alerts() -> tuple[BurnAlert, ...]:
    """Return the alerts on burn rates with their factors and windows, as the shipped rules have them."""
    rules = [rule for group in load_rules(_RULES).groups for rule in group.rules if isinstance(rule, AlertingRule)]
    return tuple(
        BurnAlert(rule.name, rule.labels.get("severity", ""), float(pairs[0][1]), long, short, rule.for_s)
        for rule in rules
        if len(pairs := _BURN.findall(rule.expr)) == 2
        for long, short in [sorted((window for window, _ in pairs), key=parse_duration, reverse=True)]
    )


def _objective(slo: str, values: Mapping[str, float], alerts: Mapping[str, str]) -> Objective:
    scrapes = values.get("job_slo:error_budget_left:count30d")
    requests = values.get("job_slo:error_budget_left:increase30d")
    return Objective(
        slo,
        values["slo:objective:ratio"],
        values.get("job_slo:compliance:ratio_rate30d"),
        values.get("job_slo:error_budget_left:ratio_rate30d"),
        requests if scrapes is None else scrapes,
        "request" if scrapes is None else "scrape",
        values.get("job_slo:requests:increase30d"),
        values.get("job_slo:errors:increase30d"),
        values.get("job_slo:error_budget_exhaustion:hours"),
        MappingProxyType(_by_window(values, "job_slo:error_budget_burn:ratio_rate", WINDOWS)),
        MappingProxyType(
            {window: value == 1.0 for window, value in _by_window(values, "job_slo:evidence:bool", WINDOWS).items()}
        ),
        MappingProxyType(dict(alerts)),
    )


def _by_window(values: Mapping[str, float], prefix: str, windows: Sequence[str]) -> dict[str, float]:
    return {window: values[prefix + window] for window in windows if prefix + window in values}
