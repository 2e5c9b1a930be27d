"""The parts that a drill file is made of, as typed models. No file is read here, and nothing is run."""

from __future__ import annotations

from typing import Annotated

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from faults.base import MAX_TTL_S, Target
from stack.errors import StackError
from stack.rules.durations import parse_duration

MAX_HISTORY_S = 30 * 24 * 3600.0
NAME = r"^[a-z0-9][a-z0-9-]{0,62}$"
DURATION = r"^(0|([0-9]+y)?([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?)$"
_LABEL = r'[A-Za-z_]\w*="(?:[^"\\]|\\.)*"'
SERIES = rf"^[A-Za-z_:][\w:]*(?:\{{(?:{_LABEL}(?:,\s*{_LABEL})*,?)?\}})?$"


class Contradiction(ValueError):  # noqa: N818 - reads as a fact; ``faults.drills.spec`` makes a problem of the file of it
    """Parts of a drill that do not fit together. ``loc`` is the key that is wrong."""

    def __init__(self, loc: tuple[int | str, ...], reason: str) -> None:
        self.loc, self.reason = loc, reason
        super().__init__(reason)


def _seconds(value: object) -> object:
    if isinstance(value, float):
        return value  # a default, or a model built in code
    if not isinstance(value, str):
        msg = f"expected a duration with its unit, such as 30s or 5m, got {value!r}"
        raise ValueError(msg)  # noqa: TRY004 - pydantic turns a ValueError into a problem of the file
    try:
        return float(parse_duration(value))
    except (StackError, ValueError) as error:
        msg = f"expected a duration such as 30s, 5m or 1h30m, got {value!r}"
        raise ValueError(msg) from error


Duration = Annotated[
    float,
    BeforeValidator(_seconds),
    WithJsonSchema({"type": "string", "minLength": 1, "pattern": DURATION, "examples": ["30s", "5m", "1h30m"]}),
]
"""Seconds of production time, written in Prometheus's notation."""


class Part(BaseModel):
    """Base of all parts: unknown keys are refused, nothing changes once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SteadyState(Part):
    """How quiet it must be before the fault."""

    within: Duration = Field(default=600.0, ge=0.0, description="How long to wait for the steady state.")
    hold: Duration = Field(default=60.0, ge=0.0, description="How long every expected alert must have been inactive.")


class Repeat(Part):
    """How often a step comes again. Each time it starts ``every`` after the time before, later by a drawn jitter."""

    times: int = Field(ge=2, le=100, description="How often it is lit, the first time included.")
    every: Duration = Field(gt=0.0, le=MAX_TTL_S, description="From one start to the next.")
    jitter: Duration = Field(
        default=0.0, ge=0.0, le=MAX_TTL_S, description="Each start is later by up to so much, drawn from the seed."
    )


class FaultStep(Part):
    """One fault of a drill."""

    kind: str
    name: str | None = Field(default=None, pattern=NAME, description="What `after` of another step calls it by.")
    parameters: dict[str, JsonValue] = Field(default_factory=dict)
    target: Target = Field(default_factory=Target)
    probability: float = Field(default=1.0, gt=0.0, le=1.0)
    ttl: Duration = Field(gt=0.0, le=MAX_TTL_S, description="Until the fault ends by itself; mandatory.")
    lasts: Duration | None = Field(
        default=None, gt=0.0, le=MAX_TTL_S, description="Until the drill puts it out; else it burns until the rollback."
    )
    ramp: Duration = Field(
        default=0.0, ge=0.0, le=MAX_TTL_S, description="In which the probability rises evenly from 0."
    )
    at: Duration = Field(
        default=0.0, ge=0.0, le=MAX_TTL_S, description="Delay after the steady state, or after the end of `after`."
    )
    after: str | None = Field(default=None, description="Name of the step that has to have ended first.")
    repeat: Repeat | None = None
    seed: int | None = Field(
        default=None, ge=0, description="Seed of the fault's dice; else it follows from the drill."
    )

    @field_validator("lasts")
    @classmethod
    def _within_its_life(cls, lasts: float | None, info: ValidationInfo) -> float | None:
        ttl = info.data.get("ttl")
        if lasts is not None and ttl is not None and lasts > ttl:
            msg = f"longer than the fault's own ttl ({ttl:g} s), by which it would have ended"
            raise ValueError(msg)
        return lasts

    @field_validator("ramp")
    @classmethod
    def _reaches_its_top(cls, ramp: float, info: ValidationInfo) -> float:
        burns = info.data.get("lasts") or info.data.get("ttl")
        if burns is not None and ramp > burns:
            msg = f"longer than the fault burns ({burns:g} s), so that it would never reach its probability"
            raise ValueError(msg)
        return ramp

    @field_validator("repeat")
    @classmethod
    def _one_at_a_time(cls, repeat: Repeat | None, info: ValidationInfo) -> Repeat | None:
        if repeat is None or "ttl" not in info.data:
            return repeat
        lasts = info.data.get("lasts")
        if lasts is None:
            msg = "a step that comes again needs `lasts`, or its first fault would still burn when the next is lit"
            raise ValueError(msg)
        if lasts + repeat.jitter > repeat.every:
            msg = (
                f"it comes every {repeat.every:g} s, but burns for {lasts:g} s and may start {repeat.jitter:g} s late: "
                "two of them would burn at once"
            )
            raise ValueError(msg)
        return repeat

    @property
    def burns_s(self) -> float:
        """How long each of its faults burns at most, in production seconds."""
        return self.ttl if self.lasts is None else self.lasts


class Expectation(Part):
    """One alert that must ring."""

    alert: str = Field(min_length=1)
    labels: dict[str, str] = Field(default_factory=dict, description="Labels that the alert must carry, among others.")
    firing_within: Duration = Field(gt=0.0, le=MAX_TTL_S, description="After the first fault.")
    delivered_within: Duration = Field(
        default=180.0, gt=0.0, le=MAX_TTL_S, description="After firing, and after resolving."
    )
    resolved_within: Duration = Field(gt=0.0, le=MAX_TTL_S, description="After the rollback.")


class AbortCondition(Part):
    """What ends a drill at once."""

    promql: str = Field(
        min_length=1, max_length=2000, description="In production time; any result aborts, a scalar unless it is 0."
    )
    reason: str = Field(min_length=1, max_length=200, description="Why, for people.")


class HistorySeries(Part):
    """One series of the time before the fault. A count named `…:increase5m` is per window of production time."""

    series: str = Field(pattern=SERIES, max_length=500, description='Such as `job:up:avg{job="firedrill"}`.')
    value: float | None = Field(default=None, allow_inf_nan=False, description="What a gauge or recorded series is.")
    per_second: float | None = Field(
        default=None, ge=0.0, allow_inf_nan=False, description="How fast a counter rises, from 0."
    )
    since: Duration | None = Field(
        default=None, gt=0.0, le=MAX_HISTORY_S, description="How long ago it begins; else where the history does."
    )
    until: Duration = Field(default=0.0, ge=0.0, le=MAX_HISTORY_S, description="How long ago it ends.")

    @model_validator(mode="after")
    def _either(self) -> HistorySeries:
        if (self.value is None) == (self.per_second is None):
            raise ValueError("give either `value` or, for a counter, `per_second`")
        if self.since is not None and self.until >= self.since:
            msg = f"ends {self.until:g} s ago, before it begins {self.since:g} s ago"
            raise ValueError(msg)
        return self


class History(Part):
    """What Prometheus shall find of the time before the stack's own first samples."""

    covers: Duration = Field(gt=0.0, le=MAX_HISTORY_S, description="How far it reaches back.")
    series: tuple[HistorySeries, ...] = Field(min_length=1, max_length=50)

    @field_validator("series")
    @classmethod
    def _within(cls, series: tuple[HistorySeries, ...], info: ValidationInfo) -> tuple[HistorySeries, ...]:
        covers = info.data.get("covers")
        if covers is None:
            return series
        for one in series:
            if (one.since or 0.0) > covers or one.until >= covers:
                msg = f"{one.series} lies outside of the {covers:g} s that the history covers"
                raise ValueError(msg)
        return series
