"""What is sent: bodies made from the service's own description of its models, serialised once.

Usual inputs are real training rows with a little noise, so that they look like good traffic to the model and to its
drift check. Strange inputs leave the training distribution for sure. Nothing here imports the service.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal
from urllib.parse import quote

from pydantic import BaseModel, Field, FiniteFloat, ValidationError

from faults.traffic import pictures
from faults.traffic.errors import BadModelInfo, problems
from faults.traffic.transport import Request

BODIES = 256
"""Bodies that are kept per model and sort."""
NOISE = 0.05
"""Standard deviation of the noise on a training row, in training standard deviations."""
USUAL_SIGMA = 2.5
STRANGE_SIGMA = (6.0, 8.0)
DIGITS = 4
JSON = "application/json"
GRAIN = 2
"""Most grey levels that a pixel of a strange, featureless picture is away from its brightness."""


class Feature(BaseModel):
    """Training statistics of one feature, as ``/model-info`` gives them."""

    name: str
    minimum: FiniteFloat
    maximum: FiniteFloat
    mean: FiniteFloat
    std: FiniteFloat = Field(ge=0.0)

    def clip(self, value: float) -> float:
        """Return ``value`` moved to where the drift check finds nothing strange, rounded where that is allowed."""
        low = max(self.minimum, self.mean - USUAL_SIGMA * self.std)
        high = min(self.maximum, self.mean + USUAL_SIGMA * self.std)
        return min(max(round(value, DIGITS), low), high)


class Input(BaseModel):
    """How a request body is made of one example row, as ``/model-info`` gives it."""

    form: Literal["rows", "fields", "history", "image"] = "rows"
    shape: list[int] = Field(default_factory=list)
    full_scale: FiniteFloat | None = Field(default=None, gt=0.0)


class ServedModel(BaseModel):
    """One model that the service answers for."""

    name: str
    input: Input = Field(default_factory=Input)
    features: list[Feature] = Field(default_factory=list)
    examples: list[list[FiniteFloat]] = Field(default_factory=list)

    @property
    def width(self) -> int:
        """Number of values in an example."""
        return math.prod(self.input.shape) if self.input.form == "image" else len(self.features)


class ModelInfo(BaseModel):
    """The part of ``GET /model-info`` that traffic needs."""

    models: list[ServedModel]


@dataclass(frozen=True)
class ModelInputs:
    """The bodies of one model, all of one content type; of another app than the service, of one of its endpoints."""

    model: str
    usual: tuple[bytes, ...]
    strange: tuple[bytes, ...]
    content_type: str = JSON
    method: str = "POST"
    path: str = ""
    """Where they go; empty for the model's own path."""


def read_model_info(text: bytes, url: str) -> ModelInfo:
    """Parse the answer of ``GET /model-info``; raise ``BadModelInfo``."""
    try:
        info = ModelInfo.model_validate_json(text)
    except ValidationError as error:
        raise BadModelInfo(url, problems(error)[0]) from None
    for model in info.models:
        if any(len(row) != model.width for row in model.examples):
            raise BadModelInfo(url, f"an example of {model.name} has another number of values than its input")
    return info


def make_inputs(model: ServedModel, rng: random.Random) -> ModelInputs | None:
    """Return up to ``BODIES`` usual and strange bodies, one row each; ``None`` while features are unknown."""
    if not model.features:
        return None
    if model.input.form == "image":
        return _pictures(model, rng) if model.examples else None
    whole = [_is_whole(model.examples, column) for column in range(len(model.features))]
    usual = [_usual_row(model, whole, rng) for _ in range(BODIES)]
    strange = [_strange_row(model.features, row, rng) for row in usual]
    return ModelInputs(
        model.name, tuple(_body(model, row) for row in usual), tuple(_body(model, row) for row in strange)
    )


def _pictures(model: ServedModel, rng: random.Random) -> ModelInputs:
    """Return the examples as uploads, and featureless pictures: their spread is that of no training picture."""
    scale = 255.0 / (model.input.full_scale or 255.0)
    width = model.input.shape[-1]
    usual = [[min(255, max(0, round(value * scale))) for value in row] for row in model.examples]
    strange = []
    for _ in usual:
        level = rng.randint(GRAIN, 255 - GRAIN)
        strange.append([level + rng.randint(-GRAIN, GRAIN) for _ in range(model.width)])
    usual_bodies, strange_bodies = (
        tuple(pictures.upload(pictures.png(pixels, width)) for pixels in some) for some in (usual, strange)
    )
    return ModelInputs(model.name, usual_bodies, strange_bodies, pictures.CONTENT_TYPE)


def _is_whole(rows: Sequence[Sequence[float]], column: int) -> bool:
    """Say whether a column holds whole numbers only: counts and flags, which noise would make nonsense of."""
    return bool(rows) and all(row[column].is_integer() for row in rows)


def _usual_row(model: ServedModel, whole: Sequence[bool], rng: random.Random) -> list[float]:
    if not model.examples:
        return [feature.clip(rng.gauss(feature.mean, feature.std)) for feature in model.features]
    row = rng.choice(model.examples)
    return [
        value if keep else feature.clip(value + rng.gauss(0.0, NOISE * feature.std))
        for value, keep, feature in zip(row, whole, model.features, strict=True)
    ]


def _strange_row(features: Sequence[Feature], row: Sequence[float], rng: random.Random) -> list[float]:
    """Move at least one feature beyond both limits of the drift check: three sigma, and the training range."""
    moved = set(rng.sample(range(len(features)), rng.randint(1, len(features))))
    return [_beyond(feature, rng) if i in moved else row[i] for i, feature in enumerate(features)]


def _beyond(feature: Feature, rng: random.Random) -> float:
    step = rng.uniform(*STRANGE_SIGMA) * (feature.std or max(1.0, abs(feature.mean)))
    if feature.minimum >= 0.0 or rng.random() < 0.5:  # what was never negative may not be accepted as such
        return round(max(feature.mean, feature.maximum) + step, DIGITS)
    return round(min(feature.mean, feature.minimum) - step, DIGITS)


def _body(model: ServedModel, row: Sequence[float]) -> bytes:
    body: dict[str, object] = {"features": [row]}
    if model.input.form == "fields":
        body = {feature.name: value for feature, value in zip(model.features, row, strict=True)}
    elif model.input.form == "history":
        body = {"history": list(reversed(row))}
    return json.dumps(body, separators=(",", ":"), allow_nan=False).encode()


class Mix:
    """Draws requests: a model by weight, and whether its input is strange."""

    def __init__(
        self, rng: random.Random, inputs: Mapping[str, ModelInputs], weights: Mapping[str, float], ood_share: float
    ) -> None:
        """``weights`` names at least one model of ``inputs`` with a weight above 0."""
        chosen = {name: weight for name, weight in weights.items() if weight > 0.0 and name in inputs}
        self._rng = rng
        self._models = [
            (name, inputs[name].path or f"/predict/{quote(name, safe='')}", inputs[name]) for name in chosen
        ]
        self._bounds = list(accumulate(chosen.values()))
        self._ood_share = ood_share
        self._prefix = f"traffic-{rng.getrandbits(32):08x}-"
        self._drawn = 0

    def draw(self) -> Request:
        """Return the next request."""
        rng = self._rng
        if len(self._models) == 1:
            name, path, inputs = self._models[0]
        else:
            name, path, inputs = rng.choices(self._models, cum_weights=self._bounds)[0]
        bodies = inputs.strange if rng.random() < self._ood_share else inputs.usual
        self._drawn += 1
        body = bodies[math.floor(rng.random() * len(bodies))]
        return Request(name, path, body, f"{self._prefix}{self._drawn}", inputs.content_type, inputs.method)
