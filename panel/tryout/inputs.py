"""What is sent to a model: a row of numbers as its request body, and how far it is from what the model was trained on.

No Streamlit, no requests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from stack.clients.service import Feature, Payload, ServedModel

MOST_SIGMA = 5.0
"""The end of the slider. Beyond three standard deviations from the mean everything is out of distribution."""
Row = tuple[float, ...]


@dataclass(frozen=True)
class Outside:
    """A value that the drift rule does not let pass: above ``upper`` or below ``lower``, ``sigmas`` from the mean."""

    name: str
    value: float
    lower: float
    upper: float
    sigmas: float | None


def features_of(model: ServedModel) -> tuple[Feature, ...]:
    """Return the model's features; where they are not known (it was never loaded) as many nameless ones."""
    if model.features or model.input.form == "image":
        return model.features
    width = model.input.shape[0] if model.input.shape else 1
    return tuple(Feature(f"value {number}", 0.0, 0.0, 0.0, 0.0) for number in range(1, width + 1))


def starts_of(model: ServedModel) -> tuple[Row, ...]:
    """Return rows to start from: training rows, else the training means."""
    return model.examples or (tuple(feature.mean for feature in features_of(model)),)


def pushed(features: Sequence[Feature], row: Sequence[float], sigmas: float) -> Row:
    """Return ``row`` with every value moved by ``sigmas`` training standard deviations away from its training mean.

    A feature that never varied in training moves by its own size.
    """
    if sigmas <= 0.0:
        return tuple(row)
    return tuple(
        value + (sigmas if value >= feature.mean else -sigmas) * (feature.std or max(1.0, abs(feature.mean)))
        for feature, value in zip(features, row, strict=True)
    )


def outside(features: Sequence[Feature], row: Sequence[float]) -> tuple[Outside, ...]:
    """Return the values of ``row`` that the service's drift rule flags: one is enough to flag the request.

    Outside of the training range, or more than three standard deviations from the training mean.
    """
    return tuple(
        Outside(
            feature.name,
            value,
            feature.lower,
            feature.upper,
            abs(value - feature.mean) / feature.std if feature.std else None,
        )
        for feature, value in zip(features, row, strict=True)
        if not feature.lower <= value <= feature.upper
    )


def payload_of(model: ServedModel, row: Sequence[float]) -> Payload:
    """Return the request body of one row, in the form that the model takes."""
    if model.input.form == "fields":
        return dict(zip((feature.name for feature in features_of(model)), row, strict=True))
    values: list[JsonValue] = list(row)
    if model.input.form == "history":
        return {"history": values[::-1]}  # oldest first; the features count from the newest
    return {"features": [values]}
