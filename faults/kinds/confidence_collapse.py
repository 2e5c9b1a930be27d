"""Confidence collapse: classifiers go on answering, and are no longer sure of anything."""

from __future__ import annotations

import random
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, Literal

from pydantic import Field

from faults.base import CallInfo, Effect, Fault, Host, Output, Parameters, Point, Preset, Target, register
from faults.errors import FaultUnavailable
from faults.hosts import ModelHost
from faults.outputs import Answered


class ConfidenceCollapseParameters(Parameters):
    """How unsure the answers become."""

    mode: Literal["chance", "mean"] = Field(
        default="chance",
        description="chance: confidences fall to one over the number of classes; mean: to the given mean.",
    )
    mean: float = Field(default=0.5, ge=0.0, le=1.0, description="Mean confidence, in mean mode.")
    spread: float = Field(
        default=0.02, ge=0.0, le=0.5, description="Standard deviation; nothing falls below chance or exceeds 1."
    )
    classes: Literal["keep", "random"] = Field(
        default="keep", description="keep: the predicted classes stay; random: any class, each as likely as another."
    )


@register
class ConfidenceCollapse(Fault[ConfidenceCollapseParameters]):
    """Changes what the model answered before metrics, spans and callers see it. Regressors are left alone."""

    kind = "confidence_collapse"
    title = "Confidence collapse"
    summary = "Classifiers answer as before, and are hardly surer than a guess."
    parameters_type = ConfidenceCollapseParameters
    needs_models = True
    effect = Effect(
        promql='sum(rate(model_prediction_confidence_sum{job="firedrill"}[1m]))'
        ' / sum(rate(model_prediction_confidence_count{job="firedrill"}[1m]))',
        moves="down",
        meaning="mean confidence of all classifiers",
        unit="ratio",
    )
    presets: ClassVar[Mapping[str, Preset]] = MappingProxyType(
        {
            "No better than a guess": Preset(parameters={"mode": "chance", "classes": "random"}),
            "Sure of nothing": Preset(parameters={"mode": "chance"}),
            "Unsure half of the time": Preset(parameters={"mode": "mean", "mean": 0.55}, probability=0.5),
        }
    )

    def __init__(self, parameters: ConfidenceCollapseParameters, target: Target, rng: random.Random) -> None:
        super().__init__(parameters, target, rng)
        self._classes: Mapping[str, tuple[str, ...]] = {}

    @classmethod
    def unavailable(cls, host: Host) -> str | None:
        """Need a classifier."""
        return super().unavailable(host) or (None if _classifiers(host, None) else "it needs a model that has classes")

    def points(self, host: Host) -> frozenset[Point]:
        """Act on what the targeted classifiers answer; raise ``FaultUnavailable`` where the target is none."""
        self._classes = _classifiers(host, self.target.model)
        if not self._classes:
            raise FaultUnavailable(self.kind, f"{self.target.model} has no classes, and so no confidence")
        return frozenset({"predictions"})

    def on_predictions(self, call: CallInfo, output: Output) -> Output:
        """Return ``output`` with other confidences, and other classes where that was asked for."""
        known = self._classes.get(call.model)
        if not output.classes or not known:
            return output
        chance = 1.0 / len(known)
        mean = chance if self.parameters.mode == "chance" else self.parameters.mean
        confidence = tuple(self._drawn(mean, chance) for _ in output.classes)
        if self.parameters.classes == "keep":
            return Answered(output.values, output.classes, confidence)
        places = [self.rng.randrange(len(known)) for _ in output.classes]
        return Answered(tuple(map(float, places)), tuple(known[place] for place in places), confidence)

    def _drawn(self, mean: float, chance: float) -> float:
        """Draw a confidence: the likeliest class of a classifier is never less likely than chance."""
        return min(1.0, max(chance, self.rng.gauss(mean, self.parameters.spread)))


def _classifiers(host: Host, model: str | None) -> Mapping[str, tuple[str, ...]]:
    """Return the classes of each classifier among the targeted models."""
    if not isinstance(host, ModelHost):
        return {}
    classes = {name: tuple(host.classes_of(name)) for name in host.models if model in (None, name)}
    return {name: known for name, known in classes.items() if known}
