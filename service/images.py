"""Pictures: from the bytes of an upload to pixels, within limits, and the few features that drift is watched by.

Uploads are parsed in memory, no temporary file is made. A picture's size is checked before its pixels are unpacked, so
that a decompression bomb costs nothing. Pillow is imported at the first picture, not before.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from email.message import Message
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser

from service.errors import BadImage, InvalidInput

if TYPE_CHECKING:
    from PIL.Image import Image

Pixels = npt.NDArray[np.float32]
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP")
FILE_FIELD = "file"
MULTIPART = "multipart/form-data"
SUMMARY = ("mean", "spread", "contrast", "centre_x", "centre_y", "sharpness")
"""Names of the features of ``summary``."""
_PAPER = (255, 255, 255, 255)


@dataclass(frozen=True)
class ImageLimits:
    """Largest upload in bytes, largest picture in pixels."""

    max_bytes: int = 10_485_760
    max_pixels: int = 16_000_000


@dataclass(frozen=True)
class Picture:
    """Pixels as a model takes them, from 0 (dark) to 1 (bright), and their ``summary``."""

    pixels: Pixels
    summary: tuple[float, ...]


def is_upload(content_type: str) -> bool:
    """Return whether a body of that ``Content-Type`` is a form with files."""
    return content_type.lower().startswith(MULTIPART)


def uploaded_file(model: str, payload: bytes, content_type: str) -> bytes:
    """Return the content of the field ``file`` of a multipart body; raise ``InvalidInput`` where there is no one such.

    Other fields are ignored. Nothing is written to disk; the caller has limited the size of ``payload``.
    """
    header = Message()
    header["content-type"] = content_type
    boundary = header.get_param("boundary")
    if not isinstance(boundary, str) or not boundary:
        raise InvalidInput(model, [f"Content-Type: {MULTIPART} without a boundary"])
    form = _Form()
    try:
        parser = MultipartParser(boundary, form.callbacks())
        parser.write(payload)
        parser.finalize()
    except (FormParserError, ValueError) as error:
        raise InvalidInput(model, [f"body: not a multipart form ({error})"]) from None
    if not form.ended:
        raise InvalidInput(model, ["body: the multipart form is cut off"])
    if len(form.files) != 1:
        raise InvalidInput(model, [f"{FILE_FIELD}: expected one file, got {len(form.files)}"])
    return bytes(form.files[0])


class _Form:
    """Collects the parts named ``file`` while a multipart body is parsed."""

    def __init__(self) -> None:
        self.files: list[bytearray] = []
        self.ended = False
        self._field = self._value = b""
        self._wanted = False

    def callbacks(self) -> Any:
        """Return what the parser calls."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._on_field,
            "on_header_value": self._on_value,
            "on_header_end": self._on_header,
            "on_headers_finished": self._on_headers,
            "on_part_data": self._on_data,
            "on_end": self._on_end,
        }

    def _begin(self) -> None:
        self._wanted = False

    def _on_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header(self) -> None:
        if self._field.lower() == b"content-disposition":
            header = Message()
            header["content-disposition"] = self._value.decode("latin-1").replace("\r", " ").replace("\n", " ")
            self._wanted = header.get_param("name", header="content-disposition") == FILE_FIELD
        self._field = self._value = b""

    def _on_headers(self) -> None:
        if self._wanted:
            self.files.append(bytearray())

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        if self._wanted:
            self.files[-1] += data[start:end]

    def _on_end(self) -> None:
        self.ended = True


def opened(model: str, content: bytes, limits: ImageLimits) -> Image:
    """Return the picture in ``content``: its first frame, upright, in mode ``L`` or ``RGB``; raise ``BadImage``.

    Formats are ``FORMATS``. The orientation is that of the EXIF tag. What is transparent lies on white paper. More than
    ``limits.max_pixels`` are refused by the header, before anything is decompressed.
    """
    from io import BytesIO  # noqa: PLC0415 - beside Pillow

    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415 - only services with image models need it

    if not content:
        raise BadImage(model, ["file: it is empty"])
    try:
        image = Image.open(BytesIO(content), formats=FORMATS)
        width, height = image.size
        if width * height <= limits.max_pixels:
            image.load()
            return _plain(_upright(image))
    except MemoryError:
        raise
    except UnidentifiedImageError:
        raise BadImage(model, [f"file: no picture of a known format ({', '.join(FORMATS)})"]) from None
    except Exception as error:  # noqa: BLE001 - decoders raise whatever comes to their mind at damaged files
        raise BadImage(model, [f"file: the picture is damaged ({type(error).__name__}: {error})"]) from None
    raise BadImage(model, [f"file: {width}×{height} pixels, more than {limits.max_pixels} (MAX_IMAGE_PIXELS)"])


def _upright(image: Image) -> Image:
    """Return ``image`` turned as its EXIF tag says; a damaged tag turns nothing."""
    from PIL import ImageOps  # noqa: PLC0415 - as above

    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # noqa: BLE001 - a picture is worth showing whatever its camera wrote beside it
        return image


def _plain(image: Image) -> Image:
    """Return ``image`` in mode ``L`` or ``RGB``; sixteen bits a pixel become eight, transparency becomes white."""
    from PIL import Image  # noqa: PLC0415 - as above

    if image.mode in {"L", "RGB"} and "transparency" not in image.info:
        return image
    if image.mode == "I" or image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image).clip(0, 65535) / 257.0).round().astype(np.uint8))
    if image.mode in {"LA", "La", "PA", "RGBA", "RGBa"} or "transparency" in image.info:
        picture = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", picture.size, _PAPER), picture).convert("RGB")
    return image.convert("L" if image.mode == "1" else "RGB")


@lru_cache(maxsize=16)
def _ones(number: int) -> npt.NDArray[np.float64]:
    """Return as many ones: adding up by a product takes a third of the time of ``sum`` on a small picture."""
    return np.ones(number)


@lru_cache(maxsize=16)
def _places(number: int) -> npt.NDArray[np.float64]:
    """Return where the rows or columns of a picture are, from 0 to 1."""
    return np.arange(number) / max(1, number - 1)


def summary(brightness: npt.NDArray[Any]) -> tuple[float, ...]:
    """Return the ``SUMMARY`` of a picture (height, width) with brightness from 0 to 1.

    Mean and standard deviation of the brightness; contrast, the distance between its 10th and 90th percentile; the
    centre of mass, from 0 (left, top) to 1; sharpness, the mean absolute difference of neighbouring pixels.
    """
    height, width = brightness.shape
    size = brightness.size
    exact = brightness.astype(np.float64)
    flat = exact.ravel()
    low, high = size // 10, size * 9 // 10
    ordered = np.partition(brightness.ravel(), (low, high))
    total = float(flat.sum())
    mean = total / size
    columns, rows = _ones(height) @ exact, exact @ _ones(width)
    down, across = brightness[1:] - brightness[:-1], brightness[:, 1:] - brightness[:, :-1]
    steps = float(np.abs(down).sum()) / max(1, down.size) + float(np.abs(across).sum()) / max(1, across.size)
    return (
        mean,
        math.sqrt(max(0.0, float(flat @ flat) / size - mean * mean)),
        float(ordered[high] - ordered[low]),
        float(columns @ _places(width)) / total if total > 0.0 else 0.5,
        float(rows @ _places(height)) / total if total > 0.0 else 0.5,
        steps / 2.0,
    )
