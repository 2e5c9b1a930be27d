"""Pictures to send: the training examples of image models, faded, as PNG; and how they are shown. No Streamlit."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from io import BytesIO
from types import MappingProxyType

from faults.traffic.pictures import png
from stack.clients.service import ServedModel, Upload

WHITE = 255
_ENDINGS = MappingProxyType({"jpg": "jpeg", "jpeg": "jpeg", "gif": "gif", "bmp": "bmp", "webp": "webp"})


class UnreadablePicture(Exception):  # noqa: N818 - reads as a fact where it is raised
    """A file that is no picture."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name} cannot be read as a picture ({reason}); choose a PNG, JPEG, GIF, BMP or WebP file")


def example(model: ServedModel, index: int, fade: float) -> Upload:
    """Return one training picture of ``model``, faded towards white by ``fade`` (0: as it is, 1: all white)."""
    scale = WHITE / (model.input.full_scale or WHITE)
    levels = [min(WHITE, max(0, round(value * scale))) for value in model.examples[index]]
    shown = [round(level + (WHITE - level) * fade) for level in levels]
    return Upload(f"{model.name}-{index + 1}.png", png(shown, model.input.shape[-1]))


def faded(name: str, content: bytes, fade: float) -> Upload:
    """Return an uploaded picture faded towards white; as it came where ``fade`` is 0. Raises ``UnreadablePicture``.

    Faded ones are sent as PNG.
    """
    if fade <= 0.0:
        return Upload(name, content, _media_type(name))
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415 - only who fades an upload needs it

    try:
        with Image.open(BytesIO(content)) as opened:
            picture = opened.convert("RGB")
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as problem:
        raise UnreadablePicture(name, str(problem)[:120]) from None
    white = Image.new("RGB", picture.size, (WHITE, WHITE, WHITE))
    sent = BytesIO()
    Image.blend(picture, white, fade).save(sent, "PNG")
    return Upload(f"{name.rsplit('.', 1)[0]}.png", sent.getvalue())


def thumbnails(pictures: Sequence[Upload], first: int, chosen: int) -> str:
    """Return small pictures in a row as HTML, with a frame around the chosen one. Places count from 0."""
    shown = (_thumbnail(each, at, chosen=at == chosen) for at, each in enumerate(pictures, first))
    return f'<div class="fd-digits">{"".join(shown)}</div>'


def _thumbnail(picture: Upload, at: int, *, chosen: bool) -> str:
    address = f"data:{picture.media_type};base64,{base64.b64encode(picture.content).decode('ascii')}"
    mark, said = (' class="chosen"', ", chosen") if chosen else ("", "")
    words = f"picture {at + 1}{said}"
    return f'<figure{mark}><img alt="{words}" src="{address}"><figcaption>{at + 1}</figcaption></figure>'


def _media_type(name: str) -> str:
    ending = name.rsplit(".", 1)[-1].lower()
    return f"image/{_ENDINGS.get(ending, 'png')}"
