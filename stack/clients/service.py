"""A typed client of the ML service: what it serves, one prediction at a time, and its own counters.

The service's errors are values, in its words; only a service that does not answer at all raises.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

import httpx
from prometheus_client.parser import text_string_to_metric_families
from pydantic import BaseModel, FiniteFloat, JsonValue, TypeAdapter, ValidationError

from stack.clients.source import Client
from stack.errors import QueryRefused

SOURCE = "the service"
PREDICT_TIMEOUT_S = 40.0
"""Longer than the service's own limit (30 s), so that its own 504 is heard."""
_EXCERPT = 400
Series = tuple[str, tuple[tuple[str, str], ...]]
"""The name of a sample and its labels, by name."""


class NoModels(QueryRefused):
    """What answers in the service's place describes no models."""

    def __init__(self, url: str, status: int) -> None:
        super().__init__(
            SOURCE, f"{url}/model-info", f"it answered {status}: an app of your own there describes no models to try"
        )


@dataclass(frozen=True)
class Feature:
    """Training statistics of one feature."""

    name: str
    minimum: FiniteFloat
    maximum: FiniteFloat
    mean: FiniteFloat
    std: FiniteFloat

    @property
    def lower(self) -> float:
        """The smallest value that the service's drift rule lets pass."""
        return max(self.minimum, self.mean - 3.0 * self.std)

    @property
    def upper(self) -> float:
        """The largest value that the service's drift rule lets pass."""
        return min(self.maximum, self.mean + 3.0 * self.std)


@dataclass(frozen=True)
class InputForm:
    """How a request body is made of one row: of ``rows``, ``fields``, a ``history`` (oldest first), or an ``image``."""

    form: Literal["rows", "fields", "history", "image"]
    shape: tuple[int, ...]
    full_scale: FiniteFloat | None = None


@dataclass(frozen=True)
class ServedModel:
    """One model of the service. Without ``features`` it was never loaded. ``examples`` are good training rows."""

    name: str
    title: str
    version: str
    loaded: bool
    input: InputForm
    features: tuple[Feature, ...] = ()
    classes: tuple[str, ...] = ()
    trained_at: str | None = None
    sha256: str | None = None
    data_origin: str = ""
    training_flagged_share: FiniteFloat | None = None
    examples: tuple[tuple[FiniteFloat, ...], ...] = ()


@dataclass(frozen=True)
class Served:
    """What the service serves."""

    default: str
    models: tuple[ServedModel, ...]

    def named(self, name: str) -> ServedModel | None:
        """Return the model called ``name``."""
        return next((model for model in self.models if model.name == name), None)


@dataclass(frozen=True)
class Upload:
    """A picture to send."""

    name: str
    content: bytes
    media_type: str = "image/png"


Payload = Mapping[str, JsonValue] | Upload


@dataclass(frozen=True)
class Prediction:
    """What was predicted for one row: a class with its confidence, or a value."""

    label: str = ""
    confidence: float | None = None
    value: float | None = None


@dataclass(frozen=True)
class Refusal:
    """Why there is no prediction, in the service's words; ``type`` is empty where it is no error of the service's."""

    type: str
    message: str
    retry_after_s: float | None = None


@dataclass(frozen=True)
class Answer:
    """The answer to one prediction request, sent at ``at`` (Unix seconds); one of the two outcomes is there."""

    at: float
    status: int
    duration_s: float
    request_id: str
    trace_id: str
    prediction: Prediction | None = None
    refusal: Refusal | None = None


class _Body(BaseModel):
    """Every shape of a prediction's answer in one."""

    prediction: float | str | None = None
    predictions: list[float] = []
    classes: list[str] = []
    confidence: list[float] | float | None = None


class _Problem(BaseModel):
    type: str = ""
    message: str = ""


class _Failure(BaseModel):
    error: _Problem


class ServiceClient(Client):
    """A client of the service, or of one of its replicas, at ``url``."""

    name = SOURCE

    def served(self) -> Served:
        """Return the models with their training statistics. Raises ``NoModels`` where something else answers."""
        response = self._source.get("/model-info")
        if not response.is_success:
            raise NoModels(self.url, response.status_code)
        return self._source.read(response, TypeAdapter(Served))

    def predict(
        self, model: str, payload: Payload, *, request_id: str = "", timeout_s: float = PREDICT_TIMEOUT_S
    ) -> Answer:
        """Send one prediction request; whatever the service answers is a value. Raises ``SourceUnreachable``."""
        path = f"/predict/{quote(model, safe='')}"
        headers = {"X-Request-ID": request_id} if request_id else {}
        at, began = time.time(), time.perf_counter()
        if isinstance(payload, Upload):
            file = (payload.name, payload.content, payload.media_type)
            response = self._source.send(path, headers=headers, file=file, timeout_s=timeout_s)
        else:
            response = self._source.send(path, headers=headers, json=dict(payload), timeout_s=timeout_s)
        took_s = time.perf_counter() - began
        prediction = _prediction(response) if response.is_success else None
        return Answer(
            at=at,
            status=response.status_code,
            duration_s=took_s,
            request_id=response.headers.get("x-request-id", ""),
            trace_id=response.headers.get("x-trace-id", ""),
            prediction=prediction,
            refusal=None if prediction else _refusal(response),
        )

    def samples(self, names: Collection[str]) -> dict[Series, float]:
        """Return the service's own metrics of the samples called ``names``, as they are now; nothing where it has none.

        Only these lines are parsed: the whole page is some thousands.
        """
        response = self._source.get("/metrics")
        if not response.is_success:
            return {}
        wanted = tuple(f"{name}{end}" for name in names for end in "{ ")
        lines = [line for line in response.text.splitlines() if line.startswith(wanted)]
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): float(sample.value)
            for family in text_string_to_metric_families("\n".join(lines) + "\n")
            for sample in family.samples
        }


def _prediction(response: httpx.Response) -> Prediction | None:
    """Return what an answer predicts for its first row; ``None`` where it is no prediction."""
    try:
        body = _Body.model_validate_json(response.content)
    except ValidationError:
        return None
    confidence = body.confidence[0] if isinstance(body.confidence, list) and body.confidence else body.confidence
    share = confidence if isinstance(confidence, float) else None
    if body.classes:
        return Prediction(label=body.classes[0], confidence=share)
    if isinstance(body.prediction, str):
        return Prediction(label=body.prediction, confidence=share)
    value = body.prediction if body.prediction is not None else next(iter(body.predictions), None)
    return None if value is None else Prediction(value=value)


def _refusal(response: httpx.Response) -> Refusal:
    seconds = response.headers.get("retry-after", "")
    wait_s = float(seconds) if seconds.isdecimal() else None
    try:
        problem = _Failure.model_validate_json(response.content).error
    except ValidationError:
        excerpt = " ".join(response.text[: 4 * _EXCERPT].split())[:_EXCERPT]
        return Refusal("", excerpt or f"an empty answer ({response.reason_phrase})", wait_s)
    return Refusal(problem.type, problem.message, wait_s)
