"""What the service's own counters did during an attempt, and how much of that is the attempt's. No Streamlit.

Other traffic moves the same counters: what is said to be ours is worked out from the answers, not from the counters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stack.clients.service import Answer, Series, ServedModel

COUNTERS = (
    "http_requests_total",
    "http_errors_total",
    "prediction_requests_total",
    "prediction_errors_total",
    "model_predictions_total",
    "data_drift_requests_total",
    "model_prediction_confidence_count",
    "model_inference_duration_seconds_count",
)
LAST_VALUES = ("model_prediction_value", "model_feature_value")
"""Gauges of the last value seen: of whoever came last."""
_HIDDEN = frozenset({"model_version", "instance"})
Samples = Mapping[Series, float]


@dataclass(frozen=True)
class Move:
    """One counter that moved. ``ours`` of its movement comes from the attempt; ``None`` where that is not known."""

    name: str
    labels: tuple[tuple[str, str], ...]
    before: float
    after: float
    ours: int | None


@dataclass(frozen=True)
class LastValue:
    """What a gauge says after the attempt, of the last request that the service saw."""

    name: str
    feature: str
    value: float


def moves(before: Samples, after: Samples, model: ServedModel, answers: Sequence[Answer]) -> tuple[Move, ...]:
    """Return the counters that moved and have to do with ``model``, in the order of ``COUNTERS``.

    A counter that is not there before starts at 0. One that went down was reset by a restart: it counts from 0, too.
    """
    found = []
    for series, value in after.items():
        name, labels = series
        old = before.get(series, 0.0)
        old = old if old <= value else 0.0
        said = dict(labels)
        if name not in COUNTERS or value == old or not _concerns(said, model.name):
            continue
        shown = tuple(pair for pair in labels if pair[0] not in _HIDDEN)
        found.append(Move(name, shown, old, value, _ours(name, said, answers)))
    return tuple(sorted(found, key=lambda move: (COUNTERS.index(move.name), move.labels)))


def last_values(after: Samples, model: ServedModel) -> tuple[LastValue, ...]:
    """Return what the gauges of ``model`` say, features in the model's order."""
    order = {feature.name: place for place, feature in enumerate(model.features)}
    found = [
        LastValue(name, said.get("feature", ""), value)
        for (name, labels), value in after.items()
        if name in LAST_VALUES and (said := dict(labels)).get("model_name") == model.name
    ]
    return tuple(sorted(found, key=lambda last: (last.name, order.get(last.feature, 0))))


def _concerns(labels: Mapping[str, str], model: str) -> bool:
    """Say whether a series is one of the model, or of the route that predictions come by."""
    if "model_name" in labels:
        return labels["model_name"] == model
    return labels.get("endpoint", "") == "/predict/{model}"


def _ours(name: str, labels: Mapping[str, str], answers: Sequence[Answer]) -> int | None:
    done = [answer for answer in answers if answer.prediction is not None]
    if name == "http_requests_total":
        return sum(str(answer.status) == labels.get("status") for answer in answers)
    if name in {"http_errors_total", "prediction_errors_total"}:
        kind = labels.get("error_type")
        return sum(answer.refusal is not None and answer.refusal.type == kind for answer in answers)
    if name == "prediction_requests_total":
        return len(answers)
    if name == "model_predictions_total":
        wanted = labels.get("prediction_class")
        return sum(answer.prediction is not None and answer.prediction.label == wanted for answer in done)
    if name == "model_prediction_confidence_count":
        return len(done)
    return None
