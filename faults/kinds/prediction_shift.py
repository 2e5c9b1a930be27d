"""Prediction shift: the model's answers move, all in the same direction, while the inputs stay what they were."""

from __future__ import annotations

import random
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from pydantic import Field

from faults.base import CallInfo, Effect, Fault, Host, Output, Parameters, Point, Preset, Target, register
from faults.errors import FaultUnavailable
from faults.hosts import ModelHost
from faults.outputs import Answered


class PredictionShiftParameters(Parameters):
    """Where the answers move."""

    towards: str = Field(
        default="", max_length=200, description="Class that classifiers answer instead; empty: each one's last class."
    )
    share: float = Field(default=1.0, gt=0.0, le=1.0, description="Share of the rows of a request whose answer moves.")
    factor: float = Field(default=1.5, ge=-100.0, le=100.0, description="What a regressor's values are multiplied by.")
    offset: float = Field(
        default=0.0, ge=-1e9, le=1e9, description="What is added to a regressor's values after that, in their own unit."
    )


@register
class PredictionShift(Fault[PredictionShiftParameters]):
    """Changes what the model answered before metrics, spans and callers see it; confidences stay."""

    kind = "prediction_shift"
    title = "Prediction shift"
    summary = "Classifiers answer one class too often; regressors answer values that are off."
    parameters_type = PredictionShiftParameters
    needs_models = True
    effect = Effect(
        promql="sum by (model_name) (abs("
        'sum by (model_name, prediction_class) (rate(model_predictions_total{job="firedrill"}[1m]))'
        " / on (model_name) group_left ()"
        ' sum by (model_name) (rate(model_predictions_total{job="firedrill"}[1m]))'
        ' - sum by (model_name, prediction_class) (rate(model_predictions_total{job="firedrill"}[5m] offset 1m))'
        " / on (model_name) group_left ()"
        ' sum by (model_name) (rate(model_predictions_total{job="firedrill"}[5m] offset 1m)))) / 2',
        moves="up",
        meaning="share of predictions that went to another class than in the five minutes before",
        unit="ratio",
    )
    presets: ClassVar[Mapping[str, Preset]] = MappingProxyType(
        {
            "One answer to everything": Preset(),
            "Every second answer": Preset(parameters={"share": 1.0}, probability=0.5),
            "Values in another unit": Preset(parameters={"factor": 1.8, "offset": 32.0}),
        }
    )

    def __init__(self, parameters: PredictionShiftParameters, target: Target, rng: random.Random) -> None:
        super().__init__(parameters, target, rng)
        self._towards: Mapping[str, tuple[float, str]] = {}

    def points(self, host: Host) -> frozenset[Point]:
        """Act on what models answer; raise ``FaultUnavailable`` where no targeted model has the class asked for."""
        if isinstance(host, ModelHost):
            targeted = [name for name in host.models if self.target.model in (None, name)]
            known = {name: tuple(host.classes_of(name)) for name in targeted}
            wanted = self.parameters.towards
            self._towards = {
                name: (float(classes.index(wanted or classes[-1])), wanted or classes[-1])
                for name, classes in known.items()
                if classes and (not wanted or wanted in classes)
            }
            if wanted and not self._towards:
                choices = "; ".join(f"{name}: {', '.join(classes) or 'no classes'}" for name, classes in known.items())
                raise FaultUnavailable(self.kind, f"no targeted model has the class {wanted!r} ({choices})")
        return frozenset({"predictions"})

    def on_predictions(self, call: CallInfo, output: Output) -> Output:
        """Return ``output`` with the answers of the chosen rows moved."""
        chosen = [self.parameters.share >= 1.0 or self.rng.random() < self.parameters.share for _ in output.values]
        if not output.classes:
            moved = (value * self.parameters.factor + self.parameters.offset for value in output.values)
            values = tuple(new if hit else old for hit, new, old in zip(chosen, moved, output.values, strict=True))
            return Answered(values)
        if call.model not in self._towards:
            return output
        place, name = self._towards[call.model]
        return Answered(
            tuple(place if hit else old for hit, old in zip(chosen, output.values, strict=True)),
            tuple(name if hit else old for hit, old in zip(chosen, output.classes, strict=True)),
            output.confidence,
        )
