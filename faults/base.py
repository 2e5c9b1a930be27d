"""The Fault contract: what a kind of fault is, what it may act on, and what is said of it over HTTP.

A kind is one small file in ``faults/kinds``: typed parameters, an effect, a rollback. Probability, target, seed and
time to live belong to the injector. Nothing here knows the service; the seams are given from outside.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar, Generic, Literal, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, field_validator

from faults.errors import UnknownFaultKind

MAX_TTL_S = 24 * 3600.0

Rows = list[list[float]]
Pause = Callable[[float], Awaitable[None]]
"""Wait so many seconds, or until the fault ends: every wait of a fault goes through it."""
Clock = Literal["run", "modelled", "live-only"]
EndReason = Literal["expired", "rolled_back", "reset", "shutdown", "failed"]
Point = Literal["request", "preprocess", "queue", "model_prediction", "inputs", "load"]
"""Where a fault can act: on an HTTP request, inside a stage of a prediction, on its rows, on a model's load."""


class Parameters(BaseModel):
    """Base of every kind's parameters: unknown names are refused, values do not change once applied."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Target(BaseModel):
    """What a fault may touch. ``None`` means every model, or every endpoint that serves traffic."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str | None = Field(default=None, description="Model name; empty for every model.")
    endpoint: str | None = Field(default=None, description="Path or glob such as /predict*; empty for all traffic.")

    @field_validator("model", "endpoint", mode="before")
    @classmethod
    def _empty_is_none(cls, value: JsonValue) -> JsonValue:
        return None if value == "" else value


class FaultRequest(BaseModel):
    """What is asked for when a fault is lit."""

    model_config = ConfigDict(extra="forbid")

    kind: str
    parameters: dict[str, JsonValue] = Field(default_factory=dict)
    target: Target = Field(default_factory=Target)
    probability: float = Field(default=1.0, gt=0.0, le=1.0, description="Share of the targeted calls that are hit.")
    ttl_s: float = Field(gt=0.0, le=MAX_TTL_S, description="Seconds until the fault ends by itself; mandatory.")
    seed: int | None = Field(default=None, ge=0, description="Seed of every random decision; drawn where empty.")
    id: str | None = Field(
        default=None,
        pattern=r"^[a-z0-9][a-z0-9-]{0,63}$",
        description="Name of the fault, the same on every replica; drawn where empty.",
    )


class FaultRecord(BaseModel):
    """One fault, active or ended, as the control endpoint shows it. Times are Unix seconds."""

    id: str
    kind: str
    parameters: dict[str, JsonValue]
    target: Target
    probability: float
    ttl_s: float
    seed: int
    state: Literal["active", "ended"]
    started_at: float
    ends_at: float
    ended_at: float | None = None
    end_reason: EndReason | None = None
    injections: int = Field(description="How often the fault has acted, counted where it acts.")
    error: str | None = None


class Preset(BaseModel):
    """A named, ready-made set of values for the panel's form."""

    parameters: dict[str, JsonValue] = Field(default_factory=dict)
    probability: float = 1.0


PREDICTION_ENDPOINTS = 'endpoint=~"/predict(/.*)?|/v2/models/.*/infer"'
"""The label matcher of everything that answers with a prediction, as the shipped rules have it."""


class Effect(BaseModel):
    """How a fault shows in Prometheus: an expression, in production time, and which way it moves."""

    promql: str
    moves: Literal["up", "down"]
    meaning: str
    unit: Literal["s", "ratio", "1", "1/s"]


class FaultKind(BaseModel):
    """A kind as the control endpoint describes it."""

    kind: str
    title: str
    summary: str
    clock: Clock
    schema_: dict[str, JsonValue] = Field(alias="schema")
    effect: Effect
    presets: dict[str, Preset]
    available: bool = True
    unavailable_because: str | None = None

    model_config = ConfigDict(populate_by_name=True)


@dataclass(frozen=True)
class Reply:
    """An answer that a fault gives in the app's place."""

    status: int
    message: str


class CallInfo(Protocol):
    """One call at a seam."""

    @property
    def model(self) -> str:
        """Name of the model that is called; empty where the app has none."""

    @property
    def endpoint(self) -> str:
        """Path or route template of the call."""


class FeatureInfo(Protocol):
    """Training statistics of one feature."""

    @property
    def minimum(self) -> float:
        """Smallest training value."""

    @property
    def maximum(self) -> float:
        """Largest training value."""

    @property
    def std(self) -> float:
        """Standard deviation of the training values."""


class Host(Protocol):
    """The process that a fault acts on, beyond the calls that pass its seams."""

    @property
    def models(self) -> Sequence[str]:
        """Names of the models that it serves; empty for an app without models."""

    @property
    def scratch(self) -> Path:
        """A private folder of this process, gone with it."""

    async def reload_model(self, name: str) -> bool:
        """Load ``name`` anew through the real load path and say whether that worked; a failure is not raised."""

    async def unload_model(self, name: str) -> None:
        """Forget the loaded ``name``, so that the next load is a cold one."""


P = TypeVar("P", bound=Parameters)


class Fault(ABC, Generic[P]):
    """One kind of fault, applied once. A kind overrides the hooks it acts through and nothing else.

    The injector calls a hook only while the fault is active, the call is in its target and the dice say so.
    """

    kind: ClassVar[str]
    title: ClassVar[str]
    summary: ClassVar[str]
    parameters_type: ClassVar[type[Parameters]]
    effect: ClassVar[Effect]
    clock: ClassVar[Clock] = "run"
    needs_models: ClassVar[bool] = False
    presets: ClassVar[Mapping[str, Preset]] = MappingProxyType({})

    def __init__(self, parameters: P, target: Target, rng: random.Random) -> None:
        self.parameters, self.target, self.rng = parameters, target, rng

    @abstractmethod
    def points(self, host: Host) -> frozenset[Point]:
        """Return where this fault, with these parameters, acts in ``host``; no other hook of it is called."""

    async def apply(self, host: Host) -> None:
        """Bring the fault about where it is more than its hooks; raise and leave nothing behind on failure."""

    async def rollback(self, host: Host) -> None:
        """Undo ``apply``. Harmless when called twice or after a failed ``apply``."""

    async def on_request(self, call: CallInfo, pause: Pause) -> Reply | None:
        """Act on an HTTP request before the app sees it: wait, answer in its place, or raise."""
        return None

    async def on_stage(self, stage: str, call: CallInfo, pause: Pause) -> None:
        """Act inside a stage of a prediction: wait or raise."""

    def on_inputs(self, call: CallInfo, rows: Rows, features: Sequence[FeatureInfo]) -> Rows:
        """Return the rows that the model shall see instead of ``rows`` (n_rows x n_features)."""
        return rows

    def on_load(self, model: str, directory: Path) -> Path:
        """Return the artifact folder that shall be loaded instead of ``directory``."""
        return directory


_KINDS: dict[str, type[Fault[Parameters]]] = {}

F = TypeVar("F", bound=type[Fault])  # type: ignore[type-arg]


def register(kind: F) -> F:
    """Class decorator: add a kind to the catalogue."""
    _KINDS[kind.kind] = kind
    return kind


def catalogue() -> Mapping[str, type[Fault[Parameters]]]:
    """Return every registered kind by name. ``import faults.kinds`` fills it."""
    return MappingProxyType(_KINDS)


def kind_named(name: str) -> type[Fault[Parameters]]:
    """Return the kind ``name`` or raise ``UnknownFaultKind``."""
    try:
        return _KINDS[name]
    except KeyError:
        raise UnknownFaultKind(name, _KINDS) from None
