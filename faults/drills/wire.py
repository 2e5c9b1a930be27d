"""What the conductor says over HTTP, as typed models shared with its clients. No logic here. Times are Unix seconds."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from faults.base import FaultRecord

Stage = Literal[
    "condition_true", "pending", "firing", "received", "grouped", "delivered", "resolved", "resolution_delivered"
]
STAGES: tuple[Stage, ...] = (
    "condition_true",
    "pending",
    "firing",
    "received",
    "grouped",
    "delivered",
    "resolved",
    "resolution_delivered",
)
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
    grouped: float | None = None
    delivered: float | None = None
    resolved: float | None = None
    resolution_delivered: float | None = Field(default=None, description="When the webhook was told that it is over.")


class StageCheck(BaseModel):
    """One stage of one alert: measured, next to what was predicted. Seconds since the fault at the run's pace.

    Stages after the rollback (``resolved``, ``resolution_delivered``) count from the rollback.
    """

    stage: Stage
    measured_s: float | None
    earliest_s: float | None = Field(
        description="Predicted; None where nothing can be predicted, and `cause` says why."
    )
    latest_s: float | None
    within: bool | None = Field(description="Whether it lies in the range plus one scrape and one evaluation.")
    cause: str = Field(default="", description="What the range is made of, or what explains a difference.")


class StageRange(BaseModel):
    """One stage of one alert over all phases and seeds of a virtual run. Seconds, counted as in ``StageCheck``."""

    stage: Stage
    least_s: float
    most_s: float
    reached: int = Field(description="In how many of the tries it was reached.")
    tries: int = Field(description="Phases of scrapes and evaluations, times seeds.")


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
    checks: list[StageCheck] = Field(default_factory=list)
    detection_s: float | None = Field(default=None, description="From the fault to firing.")
    reset_s: float | None = Field(default=None, description="From the rollback to resolved.")
    ranges: list[StageRange] = Field(default_factory=list, description="Of a virtual run; those that were reached.")


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
    seed: int = Field(default=0, description="Every random choice of the run follows from it.")
    warnings: list[str] = Field(default_factory=list, description="What is odd about the drill here, and not wrong.")
    queued_at: float
    fault_at: float | None = None
    rollback_at: float | None = None
    ended_at: float | None = None
    estimate_s: float = Field(default=0.0, description="How long it takes in all, about, at this pace.")
    coming: str = Field(default="", description="What the schedule does next, and when; empty where nothing is left.")
    fault_ids: list[str] = Field(default_factory=list)
    outcomes: list[AlertOutcome] = Field(default_factory=list)
    virtual: bool = Field(default=False, description="Whether it ran on a virtual clock; its times are of that clock.")
    tries: int = Field(default=1, description="Of a virtual run: phases and seeds that were judged, each by itself.")


class DrillStart(BaseModel):
    """What to run: a drill of the library by name, or a drill file's text."""

    model_config = ConfigDict(extra="forbid")

    name: str | None = None
    text: str | None = None
    seed: int | None = Field(default=None, ge=0, description="In place of the drill's own; drawn where neither is.")


class DrillCheck(BaseModel):
    """A drill that could run here as things are."""

    name: str
    lightings: int = Field(description="How many faults it would light.")
    warnings: list[str] = Field(default_factory=list, description="What is odd about it here, and not wrong.")


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
    factor: float = Field(default=1.0, description="By how much faults multiply the settings' rate now.")


class ResetCheck(BaseModel):
    """One thing that was looked at after everything was put out."""

    what: str
    holds: bool
    detail: str


class ResetProof(BaseModel):
    """What was burning, and what shows that nothing does any more."""

    proven: bool
    ended: list[FaultRecord] = Field(description="What was burning, at every place.")
    checks: list[ResetCheck]
    because: list[str] = Field(default_factory=list, description="Why it is not proven; empty where it is.")
    took_s: float


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


class Spread(BaseModel):
    """Some times, summed up. Seconds."""

    count: int
    least: float
    median: float
    mean: float
    most: float


class AlertScore(BaseModel):
    """How well one alert, or all of them, did in a set of runs."""

    alert: str = Field(description="Empty for all alerts together.")
    detected: int = Field(description="How often it was expected and fired after the fault.")
    flawed: int = Field(description="Of those: how often it was late, not delivered or not resolved.")
    missed: int = Field(description="How often it was expected and did not fire.")
    unexpected: int = Field(description="How often it fired though nobody expected or allowed it.")
    precision: float | None = Field(description="Of what fired, the share that was expected; None where nothing did.")
    recall: float | None = Field(description="Of what was expected, the share that fired; None where nothing was.")
    detection_s: dict[str, Spread] = Field(description="From the fault to firing, for each pace.")
    reset_s: dict[str, Spread] = Field(description="From the rollback to resolved, for each pace.")


class Score(BaseModel):
    """How well the alerts did in a set of runs. Runs that ended by an error or an abort prove nothing."""

    runs: int
    passed: int
    failed: int
    left_out: int = Field(description="Runs that were aborted, ended by an error, or are not over.")
    undecided: int = Field(description="Expectations that could not be judged: firing already, or too little history.")
    total: AlertScore
    alerts: list[AlertScore] = Field(description="By name.")


class ConductorHealth(BaseModel):
    """The conductor's own state."""

    status: Literal["healthy"] = "healthy"
    started_at: float
    running: str | None = Field(default=None, description="Id of the drill run that is under way.")
