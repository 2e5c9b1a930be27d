"""What Prometheus made of a recording: each alert at each evaluation, for every phase. Plain values.

Times are Unix seconds of the recording's own clock, whatever time the judge wrote its samples at.
"""

from __future__ import annotations

from dataclasses import dataclass

from faults.drills.condition import Comparison
from faults.drills.virtual.recording import Labels
from stack.clients.series import Series
from stack.rules.file import AlertingRule


@dataclass(frozen=True)
class RuleRef:
    """Where a rule stands. ``index`` counts the rules of its group from 0."""

    file: str
    group: str
    index: int
    alert: str


@dataclass(frozen=True)
class AlertLife:
    """One unbroken life of one alert: ``active_at`` <= ``fired_at`` < ``ended_at``, each the time of an evaluation.

    ``ended_at`` is the first evaluation at which it was inactive again; ``None``: it lasts beyond the recording.
    """

    labels: Labels
    """Of the alert, those of its rule among them; ``alertname`` is not."""
    active_at: float
    fired_at: float | None
    ended_at: float | None


@dataclass(frozen=True)
class Side:
    """The left side of a comparison at every evaluation, next to what it is compared with."""

    comparison: Comparison
    series: tuple[Series, ...]


@dataclass(frozen=True)
class AlertCourse:
    """One alerting rule over the whole recording."""

    ref: RuleRef
    rule: AlertingRule
    interval_s: float
    lives: tuple[AlertLife, ...]
    """By ``active_at``."""
    sides: tuple[Side, ...] = ()
    """Of the comparisons that must all hold; empty where the expression has none that stand alone."""
    error: str = ""
    """Why it could not be evaluated, in the engine's words; then ``lives`` mean nothing."""


@dataclass(frozen=True)
class PhaseJudgement:
    """All alerts for one scraper and one phase of the evaluations, in seconds after each multiple of an interval."""

    scrape_phase_s: float
    evaluation_phase_s: float
    alerts: tuple[AlertCourse, ...]


@dataclass(frozen=True)
class Judgement:
    """What became of all alerts in one recording: one entry for each scrape phase and each evaluation phase."""

    scenario: str
    phases: tuple[PhaseJudgement, ...]
    notes: tuple[str, ...] = ()
