"""Error: calls fail, by a status code in the app's place or by an exception inside the model's prediction."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from faults.base import (
    PREDICTION_ENDPOINTS,
    CallInfo,
    Effect,
    Fault,
    Host,
    Parameters,
    Pause,
    Point,
    Preset,
    Reply,
    register,
)


class InjectedError(RuntimeError):
    """What a broken model raises. Not a FaultError: to the app it is an exception like any other."""

    def __init__(self, place: str) -> None:
        super().__init__(f"injected failure of the {place}")


class ErrorParameters(Parameters):
    """How calls fail."""

    mode: Literal["status", "exception"] = Field(
        default="status",
        description="status: answer before the app sees the request; exception: raise inside the model's prediction.",
    )
    status: int = Field(default=500, ge=400, le=599, description="HTTP status of the answer, in status mode.")
    mix: str = Field(
        default="",
        max_length=200,
        description="Weighted mix of statuses in the place of status, such as 500:3, 503:1; empty: status alone.",
    )

    @field_validator("mix")
    @classmethod
    def _can_be_drawn(cls, mix: str) -> str:
        weights_of(mix)
        return mix


def weights_of(mix: str) -> Mapping[int, float]:
    """Return the weight of each status in ``mix``, a list of ``status:weight``; raise ``ValueError``."""
    weights: dict[int, float] = {}
    for part in filter(None, mix.replace(",", " ").split()):
        status, _, weight = part.partition(":")
        if not (status.isascii() and status.isdigit() and 400 <= int(status) <= 599):
            raise ValueError(f"{part!r}: expected a status from 400 to 599 and its weight, such as 503:1")
        if not (weight.isascii() and weight.isdigit() and 1 <= int(weight) <= 1000):
            raise ValueError(f"{part!r}: expected a weight from 1 to 1000 after the colon, such as {status}:1")
        if int(status) in weights:
            raise ValueError(f"{part!r}: the status stands twice")
        weights[int(status)] = float(weight)
    return weights


@register
class Error(Fault[ErrorParameters]):
    """Fails calls; the targeted share of traffic is the probability."""

    kind = "error"
    title = "Error"
    summary = "Requests fail with a status code, or the model raises an exception."
    parameters_type = ErrorParameters
    effect = Effect(
        promql=f'sum(rate(http_requests_total{{job="firedrill",{PREDICTION_ENDPOINTS},status=~"[45].."}}[1m]))'
        f' / sum(rate(http_requests_total{{job="firedrill",{PREDICTION_ENDPOINTS}}}[1m]))',
        moves="up",
        meaning="share of prediction requests that fail (4xx and 5xx)",
        unit="ratio",
    )
    presets: ClassVar[Mapping[str, Preset]] = MappingProxyType(
        {
            "Every request fails": Preset(parameters={"status": 500}),
            "Error burst": Preset(parameters={"status": 503}, probability=0.3),
            "Mixed failures": Preset(parameters={"mix": "500:3, 503:1, 429:1"}, probability=0.3),
            "Broken model": Preset(parameters={"mode": "exception"}, probability=0.5),
            "Below the threshold": Preset(parameters={"status": 500}, probability=0.02),
        }
    )

    def points(self, host: Host) -> frozenset[Point]:
        """Act on requests; in exception mode inside the model's prediction where the app has models."""
        if self.parameters.mode == "exception" and host.models:
            return frozenset({"model_prediction"})
        return frozenset({"request"})

    async def on_request(self, call: CallInfo, pause: Pause) -> Reply | None:
        """Answer in the app's place, or raise."""
        if self.parameters.mode == "exception":
            raise InjectedError("request")
        status = self.parameters.status
        if weights := weights_of(self.parameters.mix):
            status = self.rng.choices(tuple(weights), tuple(weights.values()))[0]
        return Reply(status, f"injected status {status}")

    async def on_stage(self, stage: str, call: CallInfo, pause: Pause) -> None:
        """Raise inside the prediction, where a broken model would."""
        raise InjectedError("prediction")
