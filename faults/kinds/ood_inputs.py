"""Out-of-distribution inputs: validated rows change on their way to the drift check and the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from faults.base import CallInfo, Effect, Fault, FeatureInfo, Host, Parameters, Point, Preset, Rows, register


class OodInputsParameters(Parameters):
    """Which features change, and how."""

    mode: Literal["shift", "scale", "out_of_range", "swap"] = Field(
        default="shift",
        description="shift: add magnitude standard deviations; scale: multiply by magnitude; out_of_range: magnitude "
        "standard deviations beyond the training minimum or maximum; swap: features trade places.",
    )
    magnitude: float = Field(
        default=8.0, gt=0.0, le=1000.0, description="Training standard deviations, or the factor of scale."
    )
    share: float = Field(default=1.0, gt=0.0, le=1.0, description="Share of the chosen features changed in each row.")
    features: tuple[Annotated[int, Field(ge=0, le=4095)], ...] = Field(
        default=(), max_length=64, description="Positions of the features to change, from 0; empty for all."
    )

    @model_validator(mode="after")
    def _swap_needs_two(self) -> Self:
        if self.mode == "swap" and len(self.features) == 1:
            raise ValueError("swap needs at least two features, or none for all")
        return self


@register
class OodInputs(Fault[OodInputsParameters]):
    """Mutates rows after validation, so that the drift check and the model really see them.

    By default every feature is shifted by 8 standard deviations. A value that was within 3 of the training mean is then
    at least 5 above it, so that the drift rule (outside minimum to maximum, or more than 3 away) flags every request.
    """

    kind = "ood_inputs"
    title = "Out-of-distribution inputs"
    summary = "The model is fed values that it was never trained on."
    parameters_type = OodInputsParameters
    needs_models = True
    effect = Effect(
        promql='sum(rate(data_drift_requests_total{job="firedrill"}[1m]))'
        ' / sum(rate(prediction_requests_total{job="firedrill"}[1m]))',
        moves="up",
        meaning="share of prediction requests with an out-of-distribution feature",
        unit="ratio",
    )
    presets: ClassVar[Mapping[str, Preset]] = MappingProxyType(
        {
            "Sensor drift": Preset(parameters={"mode": "shift", "magnitude": 8}),
            "Wrong unit": Preset(parameters={"mode": "scale", "magnitude": 10}),
            "Beyond all training data": Preset(parameters={"mode": "out_of_range", "magnitude": 3}, probability=0.5),
            "Columns mixed up": Preset(parameters={"mode": "swap"}),
        }
    )

    def points(self, host: Host) -> frozenset[Point]:
        """Act on the rows of a prediction."""
        return frozenset({"inputs"})

    def on_inputs(self, call: CallInfo, rows: Rows, features: Sequence[FeatureInfo]) -> Rows:
        """Return changed copies of ``rows`` (n_rows x n_features); positions past the last feature are ignored."""
        chosen = [position for position in self.parameters.features or range(len(features)) if position < len(features)]
        return [self._changed(row, chosen, features) for row in rows] if chosen else rows

    def _changed(self, row: list[float], chosen: list[int], features: Sequence[FeatureInfo]) -> list[float]:
        if self.parameters.share < 1.0:
            least = 2 if self.parameters.mode == "swap" else 1
            count = max(least, round(self.parameters.share * len(chosen)))
            chosen = sorted(self.rng.sample(chosen, min(count, len(chosen))))
        changed = list(row)
        if self.parameters.mode == "swap":
            for position, source in zip(chosen, [*chosen[1:], chosen[0]], strict=True):
                changed[position] = row[source]
            return changed
        for position in chosen:
            changed[position] = self._moved(row[position], features[position])
        return changed

    def _moved(self, value: float, feature: FeatureInfo) -> float:
        magnitude = self.parameters.magnitude
        if self.parameters.mode == "scale":
            return value * magnitude
        spread = feature.std or abs(feature.maximum) or 1.0
        if self.parameters.mode == "shift":
            return value + magnitude * spread
        if self.rng.random() < 0.5:
            return feature.minimum - magnitude * spread
        return feature.maximum + magnitude * spread
