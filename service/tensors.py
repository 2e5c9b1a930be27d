"""The tensors of the Open Inference Protocol: from a request to a model's inputs, from its output to an answer.

Numbers come as JSON or, by the binary tensor extension, as raw little-endian bytes behind the JSON. Nothing here knows
HTTP beyond the length of that JSON.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import JsonValue, ValidationError

from service.errors import InvalidInput
from service.models.base import Items, Output, Profile
from service.models.parts.pictures import PictureProfile
from service.oip_bodies import InferForm, Parameters, TensorDescription, TensorForm
from service.schemas import LARGEST, problems_of

DTYPES: Mapping[str, str] = MappingProxyType(
    {
        "BOOL": "?",
        **{f"UINT{8 * size}": f"<u{size}" for size in (1, 2, 4, 8)},
        **{f"INT{8 * size}": f"<i{size}" for size in (1, 2, 4, 8)},
        **{f"FP{8 * size}": f"<f{size}" for size in (2, 4, 8)},
    }
)
"""Datatypes of numbers, and how numpy names them."""
BYTES = "BYTES"
FEATURES, PIXELS, IMAGE = "features", "pixels", "image"
MOST_IMAGES = 16


@dataclass(frozen=True)
class OutputTensor:
    """One output of a model for all rows."""

    name: str
    datatype: str
    values: Sequence[Any]

    def raw(self) -> bytes:
        """Return the values as the binary tensor extension has them."""
        if self.datatype != BYTES:
            return np.array(self.values, dtype=DTYPES[self.datatype]).tobytes()
        texts = [str(value).encode() for value in self.values]
        return b"".join([struct.pack("<I", len(text)) + text for text in texts])


def described_inputs(profile: Profile) -> list[TensorDescription]:
    """Return the tensors of which a request has one."""
    if not isinstance(profile, PictureProfile):
        return [TensorDescription(name=FEATURES, datatype="FP64", shape=[-1, len(profile.features)])]
    return [
        TensorDescription(name=IMAGE, datatype=BYTES, shape=[-1]),
        TensorDescription(name=PIXELS, datatype="FP32", shape=[-1, *profile.example_shape]),
    ]


def described_outputs(profile: Profile) -> list[TensorDescription]:
    """Return the tensors of an answer."""
    kinds = {"predictions": "INT64", "classes": BYTES, "confidence": "FP64"}
    if not profile.classes:
        kinds = {"predictions": "FP64"}
    return [TensorDescription(name=name, datatype=datatype, shape=[-1]) for name, datatype in kinds.items()]


class Exchange:
    """One request to infer and its answer; called with the body, it returns the model's inputs."""

    def __init__(self, profile: Profile, *, max_rows: int, json_length: str | None) -> None:
        """``json_length`` is the header ``Inference-Header-Content-Length``: where the raw bytes begin."""
        self._profile, self._max_rows, self._json_length = profile, max_rows, json_length
        self._form = InferForm.model_construct(inputs=[])

    def __call__(self, payload: bytes) -> Items:
        """Return the inputs in ``payload``; raise ``InvalidInput`` with what does not fit."""
        head, tail = self._split(payload)
        try:
            self._form = InferForm.model_validate_json(head)
        except ValidationError as error:
            raise self._bad(*problems_of(error)) from None
        raw = list(self._raw(tail))
        known = {output.name for output in described_outputs(self._profile)}
        for output in self._form.outputs:
            if output.name not in known:
                raise self._bad(f"outputs: no {output.name[:64]!r}; the model gives {', '.join(sorted(known))}")
        inputs = {tensor.name: tensor for tensor in described_inputs(self._profile)}
        if len(self._form.inputs) > 1 or self._form.inputs[0].name not in inputs:
            raise self._bad(f"inputs: the model takes one tensor, {' or '.join(map(repr, inputs))}")
        tensor = self._form.inputs[0]
        self._check_shape(tensor, inputs[tensor.name])
        if tensor.name == IMAGE:
            return self._images(tensor, raw[0])
        rows = self._numbers(tensor, raw[0])
        if isinstance(self._profile, PictureProfile):
            if not 0.0 <= rows.min() <= rows.max() <= self._profile.full_scale:
                raise self._bad(f"data: pixels are from 0 to {self._profile.full_scale:g}")
            return self._profile.items_of(rows)
        items: Items = rows.tolist()
        return items

    def answer(self, output: Output, version: str) -> tuple[bytes, int | None]:
        """Return the body, and the length of its JSON where raw bytes follow."""
        tensors = {tensor.name: tensor for tensor in _outputs(self._profile, output)}
        asked = {asked.name: asked.parameters for asked in self._form.outputs} or dict.fromkeys(tensors, Parameters())
        as_raw = bool(self._form.parameters.get("binary_data_output", False))
        answers: list[dict[str, Any]] = []
        tail = b""
        for name, parameters in asked.items():
            tensor = tensors[name]
            answer: dict[str, Any] = {"name": name, "shape": [len(tensor.values)], "datatype": tensor.datatype}
            if parameters.get("binary_data", as_raw):
                raw = tensor.raw()
                answer["parameters"] = {"binary_data_size": len(raw)}
                tail += raw
            else:
                answer["data"] = list(tensor.values)
            answers.append(answer)
        head: dict[str, Any] = {"model_name": self._profile.name, "model_version": version, "outputs": answers}
        if self._form.id is not None:
            head["id"] = self._form.id
        body = json.dumps(head).encode()
        return body + tail, len(body) if tail else None

    def _bad(self, *problems: str) -> InvalidInput:
        return InvalidInput(self._profile.name, problems)

    def _split(self, payload: bytes) -> tuple[bytes, bytes]:
        """Return the JSON and the raw bytes behind it."""
        if self._json_length is None:
            return payload, b""
        if not self._json_length.isdecimal() or int(self._json_length) > len(payload):
            raise self._bad(f"Inference-Header-Content-Length: {self._json_length[:20]!r} is no length of this body")
        at = int(self._json_length)
        return payload[:at], payload[at:]

    def _raw(self, tail: bytes) -> Iterator[bytes | None]:
        """Yield each input's raw bytes, ``None`` for one with JSON data."""
        at = 0
        for place, tensor in enumerate(self._form.inputs):
            size = tensor.parameters.get("binary_data_size")
            if size is None and tensor.data is not None:
                yield None
            elif isinstance(size, bool) or not isinstance(size, int) or not 0 <= size <= len(tail) - at:
                raise self._bad(f"inputs[{place}]: expected `data`, or a `binary_data_size` that the body has")
            else:
                yield tail[at : at + size]
                at += size
        if at != len(tail):
            raise self._bad(f"the body has {len(tail) - at} bytes that belong to no tensor")

    def _check_shape(self, tensor: TensorForm, wanted: TensorDescription) -> None:
        """Raise where ``tensor`` has another shape or kind than ``wanted``, or too many rows."""
        most = MOST_IMAGES if isinstance(self._profile, PictureProfile) else self._max_rows
        if tensor.datatype not in DTYPES and tensor.datatype != BYTES:
            raise self._bad(f"datatype: {tensor.datatype[:20]!r} is none of {', '.join(DTYPES)}, {BYTES}")
        if (tensor.datatype == BYTES) != (wanted.datatype == BYTES):
            raise self._bad(f"datatype: {tensor.name!r} is {wanted.datatype}, not {tensor.datatype}")
        if len(tensor.shape) != len(wanted.shape) or tensor.shape[1:] != wanted.shape[1:]:
            raise self._bad(f"shape: {tensor.name!r} is {wanted.shape}, not {tensor.shape}")
        if not 1 <= tensor.shape[0] <= most:
            raise self._bad(f"shape: 1 to {most} rows, not {tensor.shape[0]}")

    def _numbers(self, tensor: TensorForm, raw: bytes | None) -> npt.NDArray[np.float64]:
        """Return the numbers of ``tensor`` (n_rows, n_values), within the limits of its datatype and ours."""
        size, dtype = math.prod(tensor.shape), np.dtype(DTYPES[tensor.datatype])
        if raw is None:
            values = list(_flat(tensor.data or []))
            self._check_numbers(values, tensor, dtype)
            numbers = np.array(values, dtype=np.float64)
        elif len(raw) % dtype.itemsize:
            raise self._bad(f"data: {len(raw)} bytes are no whole number of {tensor.datatype}")
        else:
            numbers = np.frombuffer(raw, dtype=dtype).astype(np.float64)
        if len(numbers) != size:
            raise self._bad(f"data: {len(numbers)} values do not fill the shape {tensor.shape}")
        if not np.abs(numbers).max(initial=0.0) <= LARGEST:
            raise self._bad(f"data: numbers must be finite, and at most {LARGEST:g} in magnitude")
        return numbers.reshape(tensor.shape[0], -1)

    def _check_numbers(self, values: Sequence[JsonValue], tensor: TensorForm, dtype: np.dtype[Any]) -> None:
        """Raise where a value is not of the tensor's datatype."""
        kind = bool if dtype.kind == "b" else int if dtype.kind in "iu" else (int, float)
        if not all(isinstance(value, kind) and (dtype.kind == "b") == isinstance(value, bool) for value in values):
            raise self._bad(f"data: not all values are {tensor.datatype}")
        if dtype.kind in "iu":
            least, most = np.iinfo(dtype).min, np.iinfo(dtype).max
            if not all(least <= value <= most for value in values if isinstance(value, int)):
                raise self._bad(f"data: not all values fit into {tensor.datatype}")

    def _images(self, tensor: TensorForm, raw: bytes | None) -> Items:
        """Return the pictures of ``tensor``: base64 in JSON, files as they are in raw bytes."""
        if not isinstance(self._profile, PictureProfile):
            raise TypeError(f"{self._profile.name} takes no pictures")
        try:
            files = list(_base64(tensor.data or []) if raw is None else _elements(raw))
        except (struct.error, binascii.Error, TypeError) as error:
            raise self._bad(f"data: expected pictures, as base64 or with a length before each: {error}") from None
        if len(files) != tensor.shape[0]:
            raise self._bad(f"data: {len(files)} pictures do not fill the shape {tensor.shape}")
        return [self._profile.decoded(file) for file in files]


def _outputs(profile: Profile, output: Output) -> Iterator[OutputTensor]:
    if not profile.classes:
        yield OutputTensor("predictions", "FP64", output.values)
        return
    yield OutputTensor("predictions", "INT64", [int(value) for value in output.values])
    yield OutputTensor("classes", BYTES, output.classes)
    yield OutputTensor("confidence", "FP64", output.confidence)


def _flat(values: Sequence[JsonValue]) -> Iterator[JsonValue]:
    """Yield the values of lists in lists, row by row: the protocol takes either form."""
    for value in values:
        if isinstance(value, list):
            yield from _flat(value)
        else:
            yield value


def _base64(values: Sequence[JsonValue]) -> Iterator[bytes]:
    for value in values:
        if not isinstance(value, str):
            raise TypeError("not a string")
        try:
            yield base64.b64decode(value, validate=True)
        except ValueError as error:
            raise TypeError(str(error)) from None


def _elements(raw: bytes) -> Iterator[bytes]:
    """Yield the elements of a raw ``BYTES`` tensor: four bytes of length before each, little-endian."""
    at = 0
    while at < len(raw):
        (length,) = struct.unpack_from("<I", raw, at)
        at += 4 + length
        if at > len(raw):
            raise TypeError("an element is longer than what is there")
        yield raw[at - length : at]
