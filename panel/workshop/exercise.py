"""The exercises of the tour as data: what to light, what to do, what to see, how one knows. No Streamlit, no queries.

They stand in ``exercises.yaml``, durations in production time. What is seen is told here, judged in ``conditions``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from faults.base import FaultRecord, FaultRequest, Target
from panel.timeline.story import MarkStage
from stack.pace import Pace

FILE = Path(__file__).with_name("exercises.yaml")
SignalKey = Literal["rate", "errors", "p95", "confidence", "drift"]
Special = Literal["practice"]
LEAST_TTL_S = 60.0
"""A fault of the tour burns at least so long, in real seconds: people read meanwhile."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Light(_Part):
    """A fault that an exercise lights with one button. ``ttl_s`` is production time."""

    label: str
    kind: str
    parameters: dict[str, JsonValue] = Field(default_factory=dict)
    target: Target = Target()
    probability: float = 1.0
    ttl_s: float = 1800.0

    def request(self, pace: Pace) -> FaultRequest:
        """Return what is asked of the conductor at ``pace``."""
        return FaultRequest(
            kind=self.kind,
            parameters=self.parameters,
            target=self.target,
            probability=self.probability,
            ttl_s=max(LEAST_TTL_S, pace.scale(self.ttl_s)),
        )

    def is_of(self, record: FaultRecord) -> bool:
        """Say whether ``record`` is this fault, whoever lit it: of the same kind, target and named parameters."""
        same = all(record.parameters.get(name) == value for name, value in self.parameters.items())
        return record.kind == self.kind and record.target.model == self.target.model and same


class _Seen(_Part):
    says: str = Field(description="What there is to see, in a sentence.")
    of: str = Field(default="", description="The light that it follows; empty: the exercise's first.")


class SignalSeen(_Seen):
    """A signal of the Overview passed a value at some time since the fault was lit; without a fault: it does now."""

    see: Literal["signal"]
    signal: SignalKey
    above: float


class SignalKept(_Seen):
    """A signal never passed a value since the fault was lit."""

    see: Literal["kept"]
    signal: SignalKey
    below: float


class Hit(_Seen):
    """The fault was lit and has acted."""

    see: Literal["hit"]


class AlertReached(_Seen):
    """An alert reached a stage since the fault was lit."""

    see: Literal["alert"]
    alert: str
    stage: MarkStage


class AlertSilent(_Seen):
    """An alert is loaded, and has not fired since the fault was lit."""

    see: Literal["silent"]
    alert: str


class Loaded(_Seen):
    """Alerts are known to Prometheus."""

    see: Literal["loaded"]
    alerts: tuple[str, ...]


class TraceLeft(_Seen):
    """The trace store has a trace that the fault hit."""

    see: Literal["trace"]


class TraceFound(_Seen):
    """The viewer has entered the id of a trace with a span of this name and, where one is named, a fault's event."""

    see: Literal["found"]
    span: str
    fault: str = ""


class Clean(_Seen):
    """Nothing burns, and the named alerts are quiet."""

    see: Literal["clean"]
    alerts: tuple[str, ...] = ()


Seen = Annotated[
    SignalSeen | SignalKept | Hit | AlertReached | AlertSilent | Loaded | TraceLeft | TraceFound | Clean,
    Field(discriminator="see"),
]


class Step(_Part):
    """One thing to do; ``page`` is where, by its title."""

    do: str
    page: str = ""


class Exercise(_Part):
    """One exercise of the tour."""

    number: int
    title: str
    minutes: int
    goal: str
    lights: dict[str, Light] = Field(default_factory=dict)
    offers: tuple[Special, ...] = Field(default=(), description="Buttons besides those of the lights.")
    steps: tuple[Step, ...]
    seen: tuple[Seen, ...]
    proof: str = Field(description="How one knows.")
    question: str
    answer: str

    def light(self, name: str) -> Light | None:
        """Return the light of that name, the first for an empty one; ``None`` where the exercise lights nothing."""
        return self.lights[name] if name else next(iter(self.lights.values()), None)

    @property
    def asks_for_a_trace(self) -> bool:
        """Whether the viewer is to enter the id of a trace."""
        return any(isinstance(each, TraceFound) for each in self.seen)


class _File(_Part):
    exercises: tuple[Exercise, ...]


@cache
def exercises() -> Sequence[Exercise]:
    """Return the exercises in their order."""
    return _File.model_validate(yaml.safe_load(FILE.read_text(encoding="utf-8"))).exercises


def latest(light: Light, records: Sequence[FaultRecord], since: float) -> FaultRecord | None:
    """Return the newest fault that is ``light``, lit after ``since`` (Unix seconds).

    Where it was lit again while it burned, that is the first of them: it is the one that acts.
    """
    fitting = [record for record in records if light.is_of(record) and record.started_at >= since]
    newest = max((record.started_at for record in fitting), default=0.0)
    burning = [one for one in fitting if newest < (one.ended_at or one.ends_at)]
    return min(burning, key=lambda record: record.started_at, default=None)


def by_number() -> Mapping[str, Exercise]:
    """Return the exercises by their number as it stands in the address."""
    return {str(exercise.number): exercise for exercise in exercises()}
