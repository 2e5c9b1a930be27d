"""Request and answer bodies as pydantic sees them, and how their errors read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from annotated_types import Len
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, create_model

LARGEST = 1e12
"""Largest magnitude of an input number: far beyond any feature, far from where arithmetic overflows."""
Number = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=-LARGEST, le=LARGEST)]
MAX_PROBLEMS = 3


class Form(BaseModel):
    """Base of request bodies: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


def rows_form(model: str, features: Sequence[str], max_rows: int) -> type[Form]:
    """Return the body ``{"features": [[…], …]}`` with 1 to ``max_rows`` rows of ``len(features)`` finite numbers."""
    width = len(features)
    row = Annotated[list[Number], Len(width, width)]
    form: type[Form] = create_model(
        f"{_title(model)}Rows",
        __base__=Form,
        features=(
            Annotated[list[row], Len(1, max_rows)],
            Field(description=f"Rows of {width} numbers: {', '.join(features)}."),
        ),
    )
    return form


def fields_form(model: str, features: Sequence[str]) -> type[Form]:
    """Return the body with one finite number for each of the named ``features``."""
    fields: dict[str, Any] = {name: (Number, Field()) for name in features}
    form: type[Form] = create_model(f"{_title(model)}Fields", __base__=Form, **fields)
    return form


def history_form(model: str, length: int) -> type[Form]:
    """Return the body ``{"history": […]}`` with ``length`` finite numbers, oldest first."""
    form: type[Form] = create_model(
        f"{_title(model)}History",
        __base__=Form,
        history=(Annotated[list[Number], Len(length, length)], Field(description="Oldest first.")),
    )
    return form


def pixels_form(model: str, height: int, width: int, full_scale: float) -> type[Form]:
    """Return the body ``{"pixels": [[…], …]}``: ``height`` rows of ``width`` numbers from 0 to ``full_scale``."""
    pixel = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0.0, le=full_scale)]
    row = Annotated[list[pixel], Len(width, width)]
    form: type[Form] = create_model(
        f"{_title(model)}Pixels",
        __base__=Form,
        pixels=(
            Annotated[list[row], Len(height, height)],
            Field(description=f"{height} rows of {width} pixels, from 0 (dark) to {full_scale:g} (bright)."),
        ),
    )
    return form


def _title(model: str) -> str:
    return model.title().replace("-", "")


def form_schema(form: type[Form]) -> dict[str, JsonValue]:
    """Return the JSON schema of a form, self-contained."""
    return form.model_json_schema()


def problems_of(error: ValidationError) -> list[str]:
    """Return what is wrong with a body, a sentence for each of the first few fields."""
    details = error.errors(include_url=False, include_context=False, include_input=False)
    problems = [f"{field_of(detail['loc'])}: {detail['msg']}" for detail in details[:MAX_PROBLEMS]]
    if len(details) > MAX_PROBLEMS:
        problems.append(f"and {len(details) - MAX_PROBLEMS} more")
    return problems


def field_of(location: Sequence[int | str]) -> str:
    """Return where in a body something is, such as ``features[0][2]``; ``body`` for all of it."""
    text = ""
    for part in location:
        if isinstance(part, int):
            text += f"[{part}]"
        elif not part.startswith("form:"):
            text += f".{part}" if text else part
    return text or "body"


class ErrorDetail(BaseModel):
    """What went wrong."""

    type: str
    message: str
    request_id: str


class ErrorAnswer(BaseModel):
    """Every error answer."""

    error: ErrorDetail


class ClassifierAnswer(BaseModel):
    """Predictions of a classifier, one of each for every row."""

    predictions: list[int] = Field(description="Index of the class.")
    classes: list[str] = Field(description="Name of the class.")
    confidence: list[float] = Field(description="Probability of the class.")
    request_id: str


class SingleAnswer(BaseModel):
    """Prediction for one picture."""

    prediction: str = Field(description="Name of the class.")
    confidence: float = Field(description="Probability of the class.")
    request_id: str


class ValueAnswer(BaseModel):
    """Prediction of a regressor."""

    prediction: float
    request_id: str


class PredictionMetadata(BaseModel):
    """Where a prediction comes from."""

    app_version: str
    model_version: str
    timestamp_utc: str = Field(description="ISO 8601, UTC.")


class DescribedAnswer(BaseModel):
    """Prediction of a regressor, with where it comes from."""

    prediction: float
    metadata: PredictionMetadata


class ServiceInfo(BaseModel):
    """Answer of ``GET /``."""

    service: str
    version: str
    status: str
    endpoints: list[str]


class Health(BaseModel):
    """Answer of ``GET /health`` and ``GET /ready``."""

    status: str
    model_loaded: bool = Field(description="Whether every served model is loaded.")
    timestamp: str = Field(description="ISO 8601, UTC.")


class FeatureAnswer(BaseModel):
    """Training statistics of one feature."""

    name: str
    minimum: float
    maximum: float
    mean: float
    std: float


class InputAnswer(BaseModel):
    """How a request body for one example row is made."""

    form: Literal["rows", "fields", "history", "image"] = Field(
        description='rows: `{"features": [row]}`; fields: an object of the features by name; history: '
        '`{"history": row}`; image: a picture whose brightness is the row, uploaded as `file`.'
    )
    shape: list[int] = Field(description="Shape of an example: its length, or height and width of a picture.")
    full_scale: float | None = Field(default=None, description="Value of the brightest pixel, of pictures.")


class ModelAnswer(BaseModel):
    """What is known of one served model; the fields of an artifact are empty until it was loaded once."""

    name: str
    title: str
    version: str
    loaded: bool
    input: InputAnswer
    features: list[FeatureAnswer]
    classes: list[str]
    trained_at: str | None
    sha256: str | None
    data_origin: str
    training_flagged_share: float | None = Field(description="Share of training rows that the drift rule flags.")
    examples: list[list[float]] = Field(description="Up to 200 training rows that the drift rule lets pass.")


class ModelsAnswer(BaseModel):
    """Answer of ``GET /model-info``."""

    default: str
    models: list[ModelAnswer]
