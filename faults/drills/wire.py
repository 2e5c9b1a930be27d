"""What the conductor says over HTTP, as typed models shared with its clients. No logic here. Times are Unix seconds."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

STAGES = ("condition_true", "pending", "firing", "received", "delivered", "resolved")
"""The life of an alert, in order."""

Phase = Literal["queued", "steady_state", "fault", "rollback", "recovery", "done"]
Verdict = Literal["passed", "failed", "aborted", "error"]
Weight = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
AlertVerdict = Literal[
    "as expected",
    "missed",
    "late",
    "not delivered",
    "not resolved",
    "already firing",
    "unexpected",
    "insufficient history",
]


class StageTimes(BaseModel):
    """When an alert reached each stage; ``None`` where it did not (yet). Unix seconds."""

    condition_true: float | None = None
    pending: float | None = None
    firing: float | None = None
    received: float | None = None
    delivered: float | None = None
    resolved: float | None = None
    resolution_delivered: float | None = Field(
        default=None, description="When the webhook was told that it is over; not a stage of its own in the tables."
    )


class AlertOutcome(BaseModel):
    """One alert in one drill."""

    alert: str
    labels: dict[str, str] = Field(default_factory=dict)
    expected: bool
    stages: StageTimes = Field(default_factory=StageTimes)
    firing_within_s: float | None = Field(default=None, description="Deadline after the fault, at the run's pace.")
    resolved_within_s: float | None = Field(default=None, description="Deadline after the rollback, at the run's pace.")
    verdict: AlertVerdict | None = Field(default=None, description="None while the drill is still undecided about it.")
    detail: str = ""


class DrillInfo(BaseModel):
    """A drill of the library."""

    name: str
    title: str
    description: str
    kinds: list[str]
    alerts: list[str]
    estimate_s: float = Field(description="How long it takes at this stack's pace, about.")


class DrillRun(BaseModel):
    """A drill that runs or ran."""

    id: str
    name: str
    title: str
    pace: str
    phase: Phase
    verdict: Verdict | None = None
    reason: str = ""
    progress: str = Field(default="", description="What it is waiting for, in a sentence.")
    queued_at: float
    fault_at: float | None = None
    rollback_at: float | None = None
    ended_at: float | None = None
    fault_ids: list[str] = Field(default_factory=list)
    outcomes: list[AlertOutcome] = Field(default_factory=list)


class DrillStart(BaseModel):
    """What to run: a drill of the library by name, or a drill file's text."""

    model_config = ConfigDict(extra="forbid")

    name: str | None = None
    text: str | None = None


class TrafficSettings(BaseModel):
    """What the traffic generator shall send."""

    model_config = ConfigDict(extra="forbid")

    rate: float = Field(default=5.0, ge=0.0, le=5000.0, description="Mean requests per second (Poisson arrivals).")
    models: dict[str, Weight] = Field(default_factory=lambda: {"iris": 4.0, "churn": 1.0}, description="Weights.")
    ood_share: float = Field(default=0.0, ge=0.0, le=1.0, description="Share of out-of-distribution requests.")


class TrafficStatus(BaseModel):
    """What the traffic generator has sent since its settings last changed. Latency runs from the intended start."""

    settings: TrafficSettings
    since: float
    sent: int
    in_flight: int
    statuses: dict[str, int] = Field(description="By status code; `error`: no answer; `dropped`: never started.")
    latency_s: dict[str, float] = Field(description="Quantiles p50, p90, p95, p99 and max; empty where nothing ended.")
    late_share: float = Field(description="Share of requests that started more than 5 ms after their intended start.")
    waits_for: str = Field(default="", description="What it lacks to send the whole mix; empty when nothing.")


class JournalEntry(BaseModel):
    """One line of the journal."""

    id: int
    at: float
    actor: str
    action: str
    subject: str
    facts: dict[str, JsonValue] = Field(default_factory=dict)


class Notification(BaseModel):
    """One alert as Alertmanager delivered it to the webhook."""

    id: int
    at: float
    status: Literal["firing", "resolved"]
    alert: str
    labels: dict[str, str]
    annotations: dict[str, str]
    starts_at: float
    ends_at: float | None
    group_key: str
    receiver: str


class AlertStatus(BaseModel):
    """One alerting rule now: its state, what it waits for, and its last life."""

    alert: str
    group: str
    severity: str
    summary: str
    runbook: str
    expr: str
    for_s: float
    state: Literal["inactive", "pending", "firing", "unknown"]
    instances: int
    value: float | None = None
    active_since: float | None = None
    due_at: float | None = Field(default=None, description="When a pending alert is due to fire if nothing changes.")
    waits_for: str = Field(description="A sentence: why it has not fired yet, or what comes next.")
    stages: StageTimes = Field(default_factory=StageTimes)


class ConductorHealth(BaseModel):
    """The conductor's own state."""

    status: Literal["healthy"] = "healthy"
    started_at: float
    running: str | None = Field(default=None, description="Id of the drill run that is under way.")
