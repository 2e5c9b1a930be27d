"""The named points where something outside may act on the service.

The service calls them and knows nothing of who hangs there. With nothing attached a seam costs one truth test.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from starlette.types import ASGIApp

from service.images import Pixels
from service.models.base import FeatureStatistics, Output


class Stage(StrEnum):
    """The stages of one prediction, named as their spans are."""

    PREPROCESS = "preprocess"
    QUEUE = "queue"
    MODEL_PREDICTION = "model_prediction"


@dataclass(frozen=True)
class Call:
    """One prediction request on its way through the service."""

    model: str
    version: str
    endpoint: str
    request_id: str


Rows = list[list[float]]
Middleware = Callable[[ASGIApp], ASGIApp]
StageHook = Callable[[str, Call], Awaitable[None]]
InputHook = Callable[[Call, Rows, Sequence[FeatureStatistics]], Rows]
PictureHook = Callable[[Call, Sequence[Pixels]], Sequence[Pixels]]
PredictionHook = Callable[[Call, Output], Output]
LoadHook = Callable[[str, Path], Path]
SpanHook = Callable[[], bool]


@dataclass
class Seams:
    """What is attached. Empty lists are a plain production service."""

    middleware: list[Middleware] = field(default_factory=list)
    """ASGI middleware between observation and routing: what it answers, delays or breaks is measured as traffic."""
    stages: list[StageHook] = field(default_factory=list)
    """Awaited inside a stage's span: may wait, may raise. In ``model_prediction`` they come after the model's call, so
    that what they do to one request holds up neither a batch nor a worker."""
    inputs: list[InputHook] = field(default_factory=list)
    """Given the validated rows before the drift check and the model; returns the rows to go on with."""
    pictures: list[PictureHook] = field(default_factory=list)
    """Given the pixels of decoded pictures, from 0 to 1, before the drift check and the model; returns those to go on
    with, of the same shapes."""
    predictions: list[PredictionHook] = field(default_factory=list)
    """Given what the model answered to one request, before metrics, spans and the caller see it; returns what they
    shall see."""
    loads: list[LoadHook] = field(default_factory=list)
    """Given a model's name and the artifact folder about to be loaded; returns the folder to load instead."""
    spans: list[SpanHook] = field(default_factory=list)
    """Asked once for each finished span on its way to the exporter; where one says False the span is lost, and
    counted as ``filtered``."""
