"""What is answered to "why has it not fired?", as typed models shared with the conductor's clients. No logic here."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

Reason = Literal[
    "unreachable",
    "not loaded",
    "not evaluated",
    "no series",
    "not true",
    "true",
    "pending",
    "not sent",
    "silenced",
    "inhibited",
    "not routed",
    "waiting for its group",
    "not delivered",
    "delivered",
    "resolved",
]
"""How far it is, or where it is stuck: from nobody to ask, over the rule and its condition, to the webhook."""


class Trend(BaseModel):
    """One comparison of the condition: its left side over time, and where it is going. Times are Unix seconds."""

    expression: str = Field(description="The left side.")
    operator: str
    threshold: float
    labels: dict[str, str] = Field(default_factory=dict, description="Of the series that is nearest to the threshold.")
    value: float | None = Field(default=None, description="Now; None where it has none, or no number.")
    holds: bool = False
    slope_per_s: float | None = Field(default=None, description="By a straight line through the points.")
    crosses_in_s: float | None = Field(default=None, description="When it would hold at this rate; None: never.")
    points: list[tuple[float, float]] = Field(default_factory=list, description="Time and value, oldest first.")


class SelectorFinding(BaseModel):
    """One selector of the expression, and what it selects now."""

    selector: str
    series: int
    finding: str = Field(default="", description="Where it selects nothing: what is to blame.")


class Why(BaseModel):
    """Why an alert has not fired, or has not reached anybody. Times are Unix seconds."""

    alert: str
    at: float
    reason: Reason
    sentence: str
    details: list[str] = Field(default_factory=list)
    group: str = ""
    expr: str = ""
    for_s: float | None = None
    pending_for_s: float | None = None
    due_at: float | None = None
    trends: list[Trend] = Field(default_factory=list)
    selectors: list[SelectorFinding] = Field(default_factory=list)
    similar: list[str] = Field(default_factory=list, description="Alerts whose names are like the one asked for.")
