"""The Fault contract: what a kind of fault is, what it may act on, and what is said of it over HTTP.

A kind is one small file in ``faults/kinds``: typed parameters, an effect, a rollback. Probability, target, seed and
time to live belong to the injector. Nothing here knows the service; the seams are given from outside.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar, Generic, Literal, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, field_validator

from faults.calls import CallInfo as CallInfo  # noqa: PLC0414 - the contract's, wherever it is written down
from faults.calls import FeatureInfo as FeatureInfo  # noqa: PLC0414 - as above
from faults.calls import Output as Output  # noqa: PLC0414 - as above
from faults.calls import Reply as Reply  # noqa: PLC0414 - as above
from faults.errors import UnknownFaultKind
from faults.hosts import Picture

MAX_TTL_S = 24 * 3600.0

Rows = list[list[float]]
Pause = Callable[[float], Awaitable[None]]
"""Wait so many seconds, or until the fault ends: every wait of a fault goes through it."""
Clock = Literal["run", "modelled", "live-only"]
EndReason = Literal["expired", "rolled_back", "reset", "shutdown", "failed", "abandoned"]
Point = Literal[
    "request", "preprocess", "queue", "model_prediction", "inputs", "pictures", "predictions", "load", "spans"
]
"""Where a fault can act: on an HTTP request, inside a stage of a prediction, on its rows or its pictures, on what the
model answers, on a model's load, on finished spans on their way out."""
Place = Literal["service", "traffic", "stack"]
"""Which process holds a fault: the service, the traffic generator, or the conductor, which acts on other processes and
containers from outside."""


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
    ramp_s: float = Field(
        default=0.0, ge=0.0, le=MAX_TTL_S, description="Seconds in which the probability rises evenly from 0."
    )
    dead_man_s: float | None = Field(
        default=None,
        gt=0.0,
        le=MAX_TTL_S,
        description="Seconds without a heartbeat after which it is put out; empty: only its time to live ends it.",
    )
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
    place: Place = "service"
    ramp_s: float = 0.0
    dead_man_s: float | None = None
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
    place: Place = "service"
    restarts: bool = Field(default=False, description="Whether what it acts on is expected to go down with it.")
    schema_: dict[str, JsonValue] = Field(alias="schema")
    effect: Effect
    presets: dict[str, Preset]
    available: bool = True
    unavailable_because: str | None = None
    max_ttl_s: float = Field(default=MAX_TTL_S, description="The longest time to live that the operator allows.")
    max_probability: float = Field(default=1.0, description="The largest share of calls that the operator allows.")
    allowed_models: list[str] | None = Field(default=None, description="Models that a target must name; None: any.")
    allowed_endpoints: list[str] | None = Field(default=None, description="Within which a target must lie; None: any.")

    model_config = ConfigDict(populate_by_name=True)


class Host(Protocol):
    """The process that a fault acts on, beyond the calls that pass its seams.

    What only some hosts can do stands in protocols of its own in ``faults.hosts``, which a kind asks for.
    """

    @property
    def place(self) -> Place:
        """Which process this is."""

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


def _uncounted() -> None:
    """Stands in for the injector's counting until there is one."""


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
    place: ClassVar[Place] = "service"
    restarts: ClassVar[bool] = False
    """Whether what it acts on is expected to go down with it, so that a drill takes no restart for an accident."""
    endpoint: ClassVar[str | None] = None
    """The one path that it acts on where its target names none; such a path need not be free of ``EXEMPT``."""
    needs_models: ClassVar[bool] = False
    presets: ClassVar[Mapping[str, Preset]] = MappingProxyType({})

    def __init__(self, parameters: P, target: Target, rng: random.Random) -> None:
        self.parameters, self.target, self.rng = parameters, target, rng
        self.acted: Callable[[], None] = _uncounted
        """To be called each time it acts otherwise than by a hook, such as by a signal sent: the injector counts it."""
        self.ttl_s = MAX_TTL_S
        """Seconds that it burns at most; the injector sets it, and keeps it."""

    @classmethod
    def unavailable(cls, host: Host) -> str | None:
        """Return why ``host`` cannot bring this kind about, as a clause such as "it needs a service with models"."""
        return "it needs a service with models" if cls.needs_models and not host.models else None

    @classmethod
    def growth_s(cls, parameters: P) -> float:  # noqa: ARG003 - a kind overrides it and may look
        """Return how many seconds it takes, once lit, until it is as strong as it gets; 0 where it is so at once."""
        return 0.0

    @abstractmethod
    def points(self, host: Host) -> frozenset[Point]:
        """Return where this fault, with these parameters, acts in ``host``; no other hook of it is called.

        Empty where it acts as a whole, from ``apply`` to ``rollback``; then it takes no probability and no ramp.
        """

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

    def on_pictures(self, call: CallInfo, pictures: Sequence[Picture]) -> Sequence[Picture]:
        """Return the pictures that the model shall see instead of ``pictures``."""
        return pictures

    def on_predictions(self, call: CallInfo, output: Output) -> Output:
        """Return what the caller shall be answered, and the metrics shall see, instead of ``output``."""
        return output

    def on_load(self, model: str, directory: Path) -> Path:
        """Return the artifact folder that shall be loaded instead of ``directory``."""
        return directory

    def on_span(self) -> bool:
        """Say whether a finished span goes on to whoever collects spans; False loses it."""
        return True


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
