"""Out-of-distribution inputs: validated rows, or decoded pictures, change on their way to drift check and model.

A missing value reaches a model as what the pipeline before it fills in. So it does here: JSON has no NaN, the service
refuses ``null``, and a NaN would stay in every sum of the metrics after the fault has ended.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from faults.base import CallInfo, Effect, Fault, FeatureInfo, Host, Parameters, Point, Preset, Rows, register
from faults.errors import FaultUnavailable
from faults.hosts import ModelHost, Picture

Mode = Literal["shift", "scale", "out_of_range", "swap", "missing", "noise", "invert"]
PIXEL_MODES = frozenset({"noise", "invert"})
SENTINEL = -999.0
"""What many a pipeline writes for a value that is not there."""


class OodInputsParameters(Parameters):
    """Which features change, and how."""

    mode: Mode = Field(
        default="shift",
        description="shift: add magnitude standard deviations; scale: multiply by magnitude; out_of_range: magnitude "
        "standard deviations beyond the training minimum or maximum; swap: features trade places; missing: features "
        "are lost and filled; noise, invert: the pixels of a picture get noise, or become their negative.",
    )
    magnitude: float = Field(
        default=8.0,
        gt=0.0,
        le=1000.0,
        description="Training standard deviations, the factor of scale, or the tenths of full brightness that noise "
        "deviates by.",
    )
    fill: Literal["sentinel", "zero", "mean"] = Field(
        default="sentinel",
        description="What stands for a missing value: -999, zero, or the training mean, which no drift check sees.",
    )
    share: float = Field(default=1.0, gt=0.0, le=1.0, description="Share of the chosen features changed in each row.")
    features: tuple[Annotated[int, Field(ge=0, le=4095)], ...] = Field(
        default=(), max_length=64, description="Positions of the features to change, from 0; empty for all."
    )

    @model_validator(mode="after")
    def _swap_needs_two(self) -> Self:
        if self.mode == "swap" and len(self.features) == 1:
            raise ValueError("swap needs at least two features, or none for all")
        if self.mode in PIXEL_MODES and (self.features or self.share < 1.0):
            raise ValueError(f"{self.mode} changes whole pictures; leave features empty and share at 1")
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
            "A third of the values missing": Preset(parameters={"mode": "missing", "share": 0.34}),
            "Missing, and nobody notices": Preset(parameters={"mode": "missing", "fill": "mean"}),
            "Noisy pictures": Preset(parameters={"mode": "noise", "magnitude": 4}),
            "Negatives": Preset(parameters={"mode": "invert"}),
        }
    )

    def points(self, host: Host) -> frozenset[Point]:
        """Act on the rows of a prediction, or on its pictures; raise ``FaultUnavailable`` where there are none."""
        if self.parameters.mode not in PIXEL_MODES:
            return frozenset({"inputs"})
        targeted = [name for name in host.models if self.target.model in (None, name)]
        if not (isinstance(host, ModelHost) and any(host.takes_pictures(name) for name in targeted)):
            raise FaultUnavailable(
                self.kind, f"{self.parameters.mode} needs a model of pictures, not {', '.join(targeted) or 'none'}"
            )
        return frozenset({"pictures"})

    def on_pictures(self, call: CallInfo, pictures: Sequence[Picture]) -> Sequence[Picture]:
        """Return the negatives of ``pictures``, or noisy copies."""
        if self.parameters.mode == "invert":
            return [picture.inverted() for picture in pictures]
        return [picture.noisy(self.parameters.magnitude / 10.0, self.rng.getrandbits(32)) for picture in pictures]

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
        if self.parameters.mode == "missing":
            return {"sentinel": SENTINEL, "zero": 0.0, "mean": feature.mean}[self.parameters.fill]
        spread = feature.std or abs(feature.maximum) or 1.0
        if self.parameters.mode == "shift":
            return value + magnitude * spread
        if self.rng.random() < 0.5:
            return feature.minimum - magnitude * spread
        return feature.maximum + magnitude * spread
