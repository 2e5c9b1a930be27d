"""What is kept of a run for its report: everything that was measured, with what it was measured by, as typed models.

Enough to draw every picture and table when the stack is long gone. Nothing is asked or decided here. Times are Unix
seconds, at the pace of the run; values that are not finite are left out of series.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field, JsonValue

from faults.base import Effect, FaultRecord
from faults.drills.wire import DrillRun

FORMAT = 1
Unit = Literal["s", "ratio", "1", "1/s"]
Point = tuple[float, float]


class Line(BaseModel):
    """One series. A hole of more than one step is a time without a value."""

    labels: dict[str, str] = Field(default_factory=dict)
    points: list[Point] = Field(default_factory=list)


class Signal(BaseModel):
    """One expression over the time of the run, with the limit that a rule compares it with, if any."""

    key: str
    title: str
    unit: Unit
    expr: str = Field(description="As it was evaluated, at the run's pace.")
    lines: list[Line] = Field(default_factory=list)
    operator: str | None = Field(default=None, description="The rule's comparison, such as `>`; None without a limit.")
    threshold: float | None = None


class RuleText(BaseModel):
    """An alerting rule as Prometheus had it loaded."""

    group: str
    interval_s: float
    expr: str
    for_s: float
    keep_firing_for_s: float
    labels: dict[str, str]
    annotations: dict[str, str]
    yaml: str = Field(description="The same as text of a rule file.")


class StateSpan(BaseModel):
    """A stretch of time in which one alert was pending or firing."""

    state: Literal["pending", "firing"]
    start: float
    end: float
    labels: dict[str, str] = Field(default_factory=dict)


class AlertEvidence(BaseModel):
    """One alert of the run: its rule, the left sides of its comparisons, its states. In the order of the outcomes."""

    alert: str
    expected: bool
    rule: RuleText | None = None
    signals: list[Signal] = Field(default_factory=list)
    states: list[StateSpan] = Field(default_factory=list)


class Planned(BaseModel):
    """A fault as the drill's schedule has it, in seconds after the steady state at the run's pace."""

    kind: str
    at_s: float
    put_out_at_s: float | None
    ttl_s: float
    ramp_s: float
    probability: float
    seed: int | None
    parameters: dict[str, JsonValue] = Field(default_factory=dict)


class FaultEvidence(BaseModel):
    """A fault as it burned, with what it did to the expression that shows its effect."""

    record: FaultRecord
    title: str = ""
    effect: Effect | None = None
    signal: Signal | None = None


class SpanEvidence(BaseModel):
    """One span of a trace. ``depth`` counts its ancestors, ``fault`` names the kind of fault that hit it."""

    operation: str
    service: str
    start: float
    duration_s: float
    depth: int
    error: bool
    fault: str = ""


class TraceEvidence(BaseModel):
    """A trace from the time of the fault. The link works as long as the stack and its store do; the spans stay."""

    trace_id: str
    url: str
    why: list[Literal["slowest", "failed"]]
    operation: str
    start: float
    duration_s: float
    error: bool
    hit_by: list[str] = Field(default_factory=list, description="Kinds of fault that left their mark on its spans.")
    spans: list[SpanEvidence] = Field(default_factory=list)
    spans_left_out: int = 0


class Setup(BaseModel):
    """On what it ran: versions by program, settings by name, the machine."""

    versions: dict[str, str] = Field(default_factory=dict)
    configuration: dict[str, str] = Field(default_factory=dict)
    host: dict[str, str] = Field(default_factory=dict)


class Evidence(BaseModel):
    """Everything that is kept of one run. ``notes`` says what could not be gathered, and why."""

    format: int = FORMAT
    run: DrillRun
    drill_text: str = Field(default="", description="The drill file, word for word.")
    gathered_at: float
    start: float
    end: float
    step_s: float = Field(description="Between two points of a series.")
    planned: list[Planned] = Field(default_factory=list)
    faults: list[FaultEvidence] = Field(default_factory=list)
    alerts: list[AlertEvidence] = Field(default_factory=list)
    signals: list[Signal] = Field(default_factory=list)
    traces: list[TraceEvidence] = Field(default_factory=list)
    setup: Setup = Field(default_factory=Setup)
    notes: list[str] = Field(default_factory=list)
