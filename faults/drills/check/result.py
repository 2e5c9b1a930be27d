"""What ``firedrill check`` found, as typed models: its JSON, and what its pages are drawn from. No logic here."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, Field

from faults.drills.lint.finding import Finding, Place


class Verdict(StrEnum):
    """What is known of an alert. Five answers that are never mixed."""

    FIRES = "fires"
    CANNOT_FIRE = "cannot fire"
    """Proved from the expression alone, or from an inventory that was declared complete."""
    DID_NOT_FIRE = "did not fire here"
    """Observed, for what was tried and no longer than it was tried."""
    NOT_COVERED = "not covered"
    """Its series are not among those of the testbed: nothing was learnt of it."""
    INSUFFICIENT_HISTORY = "insufficient history"
    """It looks back further than what was recorded."""


class Range(BaseModel):
    """Seconds, over all phases and seeds that were tried."""

    least: float
    most: float


class Closest(BaseModel):
    """The nearest that a value came to making its comparison true."""

    value: float
    operator: str
    threshold: float
    expr: str = Field(description="The left side, whose value it is.")
    at_s: float = Field(description="Seconds after the fault, or after the start where there was none.")


class Response(BaseModel):
    """One alert in one scenario."""

    scenario: str = Field(description="Name of the scenario: of the fault, or `steady state`.")
    fired: int = Field(description="In how many of the tries it fired after the fault.")
    tries: int = Field(description="Phases and seeds that were tried.")
    already: bool = Field(default=False, description="Whether it was active before the fault: no detection then.")
    detection_s: Range | None = Field(default=None, description="From the fault to firing.")
    reset_s: Range | None = Field(default=None, description="From the rollback to resolved; None where it did not.")
    told_s: Range | None = Field(default=None, description="From the fault to the notification, as predicted.")
    flaps: int = Field(default=0, description="How often it fired again within one try, at most.")
    resolved: bool | None = Field(default=None, description="Whether it had resolved in every try at the end.")
    closest: Closest | None = None
    why: str = Field(default="", description="Why it did not fire, in a sentence.")


class Episode(BaseModel):
    """One time that an alert fired in what a Prometheus had recorded. Unix seconds."""

    labels: dict[str, str]
    active_at: float
    fired_at: float
    ended_at: float | None = Field(description="None where it still fired at the end.")


class AlertResult(BaseModel):
    """One alerting rule."""

    place: Place
    expr: str
    for_s: float
    severity: str = ""
    verdict: Verdict
    reason: str = Field(description="In a sentence: what the verdict rests on.")
    quiet: bool | None = Field(description="Whether it stayed silent in the steady state; None where that is unknown.")
    window_s: float | None = Field(default=None, description="How far it looks back; None where that cannot be told.")
    responses: list[Response] = Field(default_factory=list)
    findings: list[Finding] = Field(default_factory=list)
    error: str = Field(default="", description="Why the engine could not evaluate it; empty where it could.")
    episodes: list[Episode] = Field(default_factory=list, description="Of a replay: each time it would have fired.")


class CheckResult(BaseModel):
    """All that was found in one go."""

    format: int = 1
    files: list[str]
    dialect: str = ""
    alerts: list[AlertResult]
    findings: list[Finding] = Field(default_factory=list, description="All of them, those of recording rules too.")
    scenarios: list[str] = Field(default_factory=list)
    lasted_s: float = Field(default=0.0, description="How much virtual time each scenario took.")
    seeds: list[int] = Field(default_factory=list)
    engine: str = Field(default="", description="What evaluated the rules, with its version.")
    notes: list[str] = Field(default_factory=list)
    took_s: float = 0.0
