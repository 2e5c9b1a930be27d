"""What profiles of pictures share: uploads, the features that drift is watched by, the answer. No profile itself."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, TypeAdapter
from pydantic_core import to_json

from service.images import SUMMARY, Picture, Pixels, summary, uploaded_file
from service.models.base import Dataset, Items, Output, Profile, Reply, Rows, Schema, TrainingStatistics
from service.schemas import InputAnswer, SingleAnswer

LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
"""Weights of red, green and blue in brightness, ITU-R BT.601, as Pillow has them."""


class PictureProfile(Profile):
    """A classifier of pictures. Drift is watched by a few features of a whole picture.

    A check of every pixel against its training range would flag a quarter of good pictures. Training rows are pictures
    of ``example_shape`` with grey levels from 0 to ``full_scale``.
    """

    features: ClassVar[tuple[str, ...]] = SUMMARY
    answer_type: ClassVar[type[BaseModel]] = SingleAnswer
    example_shape: ClassVar[tuple[int, int]]
    full_scale: ClassVar[float]

    @abstractmethod
    def prepared(self, content: bytes) -> Pixels:
        """Return the pixels of an uploaded picture as the model takes them; raise ``BadImage``."""

    @abstractmethod
    def picture_of(self, row: npt.NDArray[Any]) -> Picture:
        """Return the picture of one training row."""

    def items_of(self, rows: npt.NDArray[Any]) -> list[Picture]:
        """Return the pictures of training rows (n_rows, height x width)."""
        return [self.picture_of(row) for row in rows]

    def statistics(self, dataset: Dataset) -> TrainingStatistics:
        """Return the statistics of the features, with pictures as examples."""
        observed = np.array(self.observed(self.items_of(dataset.rows)))
        return TrainingStatistics.of(observed, self.features, dataset.rows)

    @property
    def input(self) -> InputAnswer:
        """A picture."""
        return InputAnswer(form="image", shape=list(self.example_shape), full_scale=self.full_scale)

    def forms(self, max_rows: int) -> tuple[TypeAdapter[Any], Sequence[Schema]]:
        """Return no form of JSON."""
        _ = max_rows
        return TypeAdapter(Upload), ()

    def read_upload(self, payload: bytes, content_type: str) -> Items:
        """Return the uploaded picture; raise ``InvalidInput``, ``BadImage`` where it cannot be decoded."""
        return [self.decoded(uploaded_file(self.name, payload, content_type))]

    def decoded(self, content: bytes) -> Picture:
        """Return the picture in the bytes of an image file; raise ``BadImage``."""
        return self.pictured(self.prepared(content))

    @staticmethod
    def pictured(pixels: Pixels) -> Picture:
        """Return a picture with its features; ``pixels`` are (height, width) or (3, height, width), from 0 to 1."""
        return Picture(pixels, summary(pixels if pixels.ndim == 2 else np.tensordot(LUMA, pixels, 1)))

    def observed(self, items: Items) -> Rows:
        """Return the features of pictures."""
        return [list(picture.summary) for picture in items]

    def moved(self, items: Items, before: Rows, after: Rows) -> Items:
        """Return pictures whose brightness has the mean and spread of ``after``.

        The drift check sees all of ``after``; what is no matter of mean and spread, the model does not see.
        """
        return [
            _relit(picture, old, new) if old != new else picture
            for picture, old, new in zip(items, before, after, strict=True)
        ]

    def warm_up_items(self, statistics: TrainingStatistics) -> Items:
        """Return the first example."""
        return self.items_of(np.array(statistics.examples[:1]))

    def answer(self, output: Output, reply: Reply) -> bytes:
        """Return the class of the one picture."""
        return to_json(
            {"prediction": output.classes[0], "confidence": output.confidence[0], "request_id": reply.request_id}
        )


class Upload(BaseModel):
    """No JSON: what a body that is not an upload is told."""

    file: bytes


def _relit(picture: Picture, old: Sequence[float], new: Sequence[float]) -> Picture:
    gain = new[1] / old[1] if old[1] > 0.0 else 1.0
    pixels = (picture.pixels - np.float32(old[0])) * np.float32(gain) + np.float32(new[0])
    return Picture(pixels, tuple(new))
