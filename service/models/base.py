"""What a model profile is: one file with data, training, request body and answer. No files are touched here."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, JsonValue, TypeAdapter, ValidationError
from pydantic_core import to_json

from service.errors import InvalidInput
from service.images import ImageLimits, is_upload
from service.schemas import ClassifierAnswer, InputAnswer, form_schema, problems_of, rows_form

Rows = list[list[float]]
Items = Sequence[Any]
"""Inputs as a profile reads and predicts them: rows of numbers, or pictures. Only the profile looks inside."""
Matrix = npt.NDArray[np.float64]
Schema = dict[str, JsonValue]
MAX_EXAMPLES = 200
INNER = 0.02
QUANTILES = tuple(step / 100 for step in range(101))


@dataclass(frozen=True)
class FeatureStatistics:
    """Training statistics of one feature; ``quantiles`` are its percentiles from 0 to 1: 101 values that occur."""

    name: str
    minimum: float
    maximum: float
    mean: float
    std: float
    quantiles: tuple[float, ...]

    @property
    def lower(self) -> float:
        """Smallest value that the drift rule lets pass."""
        return max(self.minimum, self.mean - 3.0 * self.std)

    @property
    def upper(self) -> float:
        """Largest value that the drift rule lets pass."""
        return min(self.maximum, self.mean + 3.0 * self.std)


@dataclass(frozen=True)
class TrainingStatistics:
    """What is kept of the training data: per feature, the share of rows that the drift rule flags, rows it does not."""

    rows: int
    flagged_share: float
    features: tuple[FeatureStatistics, ...]
    examples: tuple[tuple[float, ...], ...]

    @classmethod
    def of(
        cls, data: Matrix, names: Sequence[str], inputs: Matrix | None = None, *, most: int = MAX_EXAMPLES
    ) -> TrainingStatistics:
        """Return the statistics of ``data`` (n_rows, n_features).

        At most ``most`` examples are kept; they are rows of ``inputs`` (n_rows, any width) where the features are not
        themselves what the model is sent.
        """
        features = tuple(
            FeatureStatistics(
                name=name,
                minimum=float(column.min()),
                maximum=float(column.max()),
                mean=float(column.mean()),
                std=float(column.std()),
                quantiles=tuple(float(value) for value in np.quantile(column, QUANTILES, method="inverted_cdf")),
            )
            for name, column in zip(names, data.T, strict=True)
        )
        lower = np.array([feature.lower for feature in features])
        upper = np.array([feature.upper for feature in features])
        flagged = ((data < lower) | (data > upper)).any(axis=1)
        good = data[~flagged]
        if inputs is not None:  # such as survive the rounding of an image file
            margin = INNER * (upper - lower)
            good = inputs[((data >= lower + margin) & (data <= upper - margin)).all(axis=1)]
        picked = good[np.linspace(0, len(good) - 1, min(most, len(good))).astype(int)]
        return cls(
            rows=len(data),
            flagged_share=float(flagged.mean()),
            features=features,
            examples=tuple(tuple(float(value) for value in row) for row in picked),
        )


@dataclass(frozen=True)
class Output:
    """Predictions for some rows: a value each, and from classifiers a class name and its probability each."""

    values: tuple[float, ...]
    classes: tuple[str, ...] = ()
    confidence: tuple[float, ...] = ()


Predictor = Callable[[Items], Output]


@dataclass(frozen=True)
class Dataset:
    """Training data: ``rows`` (n_rows, n_features) and ``target`` (n_rows)."""

    rows: Matrix
    target: npt.NDArray[Any]


@dataclass(frozen=True)
class Options:
    """What the settings say to a profile."""

    device: Literal["cpu", "cuda"] = "cpu"
    torch_threads: int = 1
    resnet50_weights: str = ""
    images: ImageLimits = field(default_factory=ImageLimits)
    downloads: Path = Path("artifacts")


@dataclass(frozen=True)
class Reply:
    """What an answer may say beside the output; ``at`` is Unix seconds."""

    request_id: str
    app_version: str
    model_version: str
    at: float


@dataclass(frozen=True)
class LoadedModel:
    """A model in memory, ready to predict, with what is known of it."""

    profile: Profile
    version: str
    sha256: str
    trained_at: str
    data_origin: str
    classes: tuple[str, ...]
    statistics: TrainingStatistics
    memory_bytes: int
    predict: Predictor

    @property
    def name(self) -> str:
        """Name of its profile."""
        return self.profile.name


class Profile(ABC):
    """A kind of model that the service can train, load and serve. One instance a file, called ``PROFILE`` there."""

    name: ClassVar[str]
    title: ClassVar[str]
    version: str
    data_origin: ClassVar[str]
    features: ClassVar[tuple[str, ...]]
    classes: ClassVar[tuple[str, ...]]
    seed: ClassVar[int] = 2026
    batched: ClassVar[bool] = True
    """Whether requests that queue go into one call; not for a model whose calls run better side by side."""
    opt_in: ClassVar[bool] = False
    """Whether it is trained only when named: it needs more than this machine has."""
    model_file: ClassVar[str] = "model.joblib"
    libraries: ClassVar[tuple[str, ...]] = ("scikit-learn", "numpy", "joblib")
    answer_type: ClassVar[type[BaseModel]] = ClassifierAnswer
    options: Options = Options()

    def with_options(self, options: Options) -> Self:
        """Return this profile as the settings want it."""
        changed = copy.copy(self)
        changed.options = options
        return changed

    @abstractmethod
    def dataset(self) -> Dataset:
        """Return the training data: the same every time."""

    @abstractmethod
    def fit(self, dataset: Dataset) -> Any:
        """Return an estimator trained on ``dataset``, seeded; it is what the artifact holds."""

    def statistics(self, dataset: Dataset) -> TrainingStatistics:
        """Return what is kept of the training data."""
        return TrainingStatistics.of(dataset.rows, self.features)

    def dump(self, estimator: Any) -> bytes:
        """Return the content of the model file."""
        import joblib  # noqa: PLC0415 - a service whose models are all of torch need not load it

        buffer = BytesIO()
        joblib.dump(estimator, buffer)
        return buffer.getvalue()

    def restore(self, content: bytes) -> Any:
        """Return the estimator in a model file whose hash was checked; raise whatever its damage leads to."""
        import joblib  # noqa: PLC0415 - as above

        return joblib.load(BytesIO(content))

    @abstractmethod
    def predictor(self, estimator: Any) -> Predictor:
        """Return the function that predicts with ``estimator``; raise ``TypeError`` where it is not one of ours."""

    @property
    def input(self) -> InputAnswer:
        """How a request body for one row is made, for ``/model-info``."""
        return InputAnswer(form="rows", shape=[len(self.features)])

    def forms(self, max_rows: int) -> tuple[TypeAdapter[Any], Sequence[Schema]]:
        """Return what validates a request body, and the JSON schemas of its forms."""
        form = rows_form(self.name, self.features, max_rows)
        return TypeAdapter(form), (form_schema(form),)

    def rows(self, body: Any) -> Items:
        """Return the inputs of a validated body."""
        features: Rows = body.features
        return features

    def observed(self, items: Items) -> Rows:
        """Return the features that the drift check and the input hooks see of ``items`` (n_items, n_features)."""
        return items if isinstance(items, list) else list(items)

    def moved(self, items: Items, before: Rows, after: Rows) -> Items:
        """Return ``items`` changed so that their features are ``after``, no longer ``before``."""
        _ = items, before
        return after

    def read_upload(self, payload: bytes, content_type: str) -> Items:
        """Return the input in a multipart body; raise ``InvalidInput``. Called through the compute seam."""
        _ = payload
        raise InvalidInput(self.name, [f"Content-Type: {content_type.partition(';')[0]} is not taken, send JSON"])

    def warm_up_items(self, statistics: TrainingStatistics) -> Items:
        """Return an input to predict before the first caller does."""
        return [list(row) for row in statistics.examples[:1]]

    def answer(self, output: Output, reply: Reply) -> bytes:
        """Return the JSON answer."""
        return to_json(
            {
                "predictions": [int(value) for value in output.values],
                "classes": output.classes,
                "confidence": output.confidence,
                "request_id": reply.request_id,
            }
        )


class BodyReader:
    """Turns request bodies of one profile into rows."""

    def __init__(self, profile: Profile, max_rows: int) -> None:
        self._profile = profile
        self._adapter, self.schemas = profile.forms(max_rows)
        self.takes_uploads = profile.input.form == "image"

    def read(self, payload: bytes) -> Items:
        """Return the rows of a JSON ``payload``; raise ``InvalidInput`` naming each field that does not fit."""
        try:
            body = self._adapter.validate_json(payload)
        except ValidationError as error:
            raise InvalidInput(self._profile.name, problems_of(error)) from None
        return self._profile.rows(body)

    def read_upload(self, content_type: str) -> Callable[[bytes], Items] | None:
        """Return what reads an upload of that ``Content-Type``, slowly; ``None`` where the body is JSON."""
        if not is_upload(content_type):
            return None
        return lambda payload: self._profile.read_upload(payload, content_type)
