"""Uploads and pictures: what is taken, what is refused, and what the drift check sees of them."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from service_bench import Bench

from service.compute import InlineCompute
from service.errors import BadImage, InvalidInput
from service.images import SUMMARY, ImageLimits, opened, summary, uploaded_file
from service.models import store
from service.models.base import Dataset
from service.models.digits import PROFILE as DIGITS
from service.models.resnet50 import _cropped
from tests.generated import examples

pytestmark = pytest.mark.anyio
LIMITS = ImageLimits(max_bytes=100_000, max_pixels=10_000)
MODEL = {"model_name": "digits", "model_version": DIGITS.version}


@cache
def digits() -> Dataset:
    """Return the training digits, read where they are needed: it takes seconds of import."""
    return DIGITS.dataset()


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """Return the file of an image."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def digit(row: int, scale: int = 1) -> Image.Image:
    """Return a training digit as a picture, enlarged ``scale`` times."""
    pixels = (digits().rows[row].reshape(8, 8) * 255.0 / 16.0).round().astype(np.uint8)
    return Image.fromarray(np.kron(pixels, np.ones((scale, scale), dtype=np.uint8)))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "WEBP"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
async def test_every_format_is_read(make: Callable[..., Bench], kind: str, mode: str) -> None:
    """A digit in each format, grey and in colour, is the same digit."""
    content = encoded(digit(3, scale=8).convert(mode), kind)
    async with make(models=("digits",), model_name="digits").client() as client:
        answer = await client.post("/predict", files={"file": ("digit", content)})
    assert answer.status_code == 200
    assert set(answer.json()) == {"prediction", "confidence", "request_id"}
    assert answer.json()["prediction"] == "3"


async def test_an_upload_and_its_pixels_give_the_same_answer(make: Callable[..., Bench]) -> None:
    """Both forms of one digit have the same confidence, but for the rounding of the file."""
    async with make(models=("iris", "digits")).client() as client:
        upload = (await client.post("/predict/digits", files={"file": encoded(digit(7))})).json()
        rows = (await client.post("/predict/digits", json={"pixels": digits().rows[7].reshape(8, 8).tolist()})).json()
    assert upload["prediction"] == rows["prediction"] == str(digits().target[7])
    assert upload["confidence"] == pytest.approx(rows["confidence"], abs=0.02)


def test_ink_on_paper_is_turned_round() -> None:
    """Dark on bright, transparent around it, wide or high: the digit is the one that it was."""
    plain = digit(2, scale=6)
    inverted = Image.eval(plain, lambda level: 255 - level)
    see_through = Image.merge("RGBA", [Image.new("L", plain.size)] * 3 + [plain])
    expected = DIGITS.decoded(encoded(plain)).pixels
    for image in (inverted, see_through):
        assert np.allclose(DIGITS.decoded(encoded(image)).pixels, expected, atol=0.02)
    wide = Image.new("L", (96, 48))
    wide.paste(plain, (24, 0))
    assert DIGITS.decoded(encoded(wide)).pixels[2:6].sum() == pytest.approx(expected.sum() / 4, rel=0.2)


def test_sixteen_bits_palettes_and_bitmaps_keep_their_brightness() -> None:
    """Modes beyond eight-bit grey are scaled, not cut."""
    grey = np.full((4, 4), 32768, dtype=np.uint16)
    assert np.asarray(opened("m", encoded(Image.fromarray(grey)), LIMITS)).mean() == pytest.approx(128, abs=1)
    colour = Image.new("RGB", (4, 4), (10, 200, 30))
    for image in (colour.convert("P", palette=Image.Palette.ADAPTIVE), colour):
        assert opened("m", encoded(image), LIMITS).convert("RGB").getpixel((1, 1)) == (10, 200, 30)
    assert opened("m", encoded(Image.new("1", (4, 4), 1)), LIMITS).getpixel((0, 0)) == 255
    assert opened("m", encoded(Image.new("CMYK", (4, 4)), "JPEG"), LIMITS).mode == "RGB"


def test_the_first_frame_counts_and_the_camera_is_held_upright() -> None:
    """An animation is its first frame; the EXIF orientation is undone; a damaged EXIF does no harm."""
    frames = [Image.new("L", (8, 8), level) for level in (200, 10, 90)]
    for kind in ("GIF", "PNG", "WEBP"):
        content = encoded(frames[0].convert("RGB"), kind, save_all=True, append_images=frames[1:], lossless=True)
        assert np.asarray(opened("m", content, LIMITS).convert("L")).mean() == pytest.approx(200, abs=2)
    side = Image.new("L", (8, 4))
    side.paste(255, (0, 0, 4, 4))
    exif = Image.Exif()
    exif[0x0112] = 6
    upright = opened("m", encoded(side, "JPEG", exif=exif), LIMITS)
    assert upright.size == (4, 8)
    assert np.asarray(upright)[:3].mean() > 200
    assert opened("m", encoded(side, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\x7f"), LIMITS).size == (8, 4)


def bomb(side: int) -> bytes:
    """Return a PNG of ``side`` x ``side`` black pixels, a thousandth of its size."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    lines = zlib.compress(bytes((side + 1) * side), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", lines) + chunk(b"IEND", b"")


def test_a_decompression_bomb_is_refused_before_it_goes_off() -> None:
    """A hundred million pixels in 100 kB are refused by the header; no memory is taken for them."""
    content = bomb(10_000)
    tracemalloc.start()
    try:
        with pytest.raises(BadImage, match="MAX_IMAGE_PIXELS"), pytest.warns(Image.DecompressionBombWarning):
            opened("m", content, ImageLimits())
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"this is no picture",
        encoded(Image.new("L", (50, 50)))[:60],
        encoded(Image.new("RGB", (50, 50)), "JPEG")[:200],
        encoded(Image.new("L", (4, 4)), "TIFF"),
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
    ],
    ids=["empty", "text", "half a PNG", "half a JPEG", "another format", "a program"],
)
async def test_what_is_no_picture_is_refused(
    make: Callable[..., Bench], capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    """A 422 in the error shape, one error counted, ``image_preprocess_failed`` in the log, no traceback."""
    bench = make(models=("digits",), model_name="digits", log_level="info")
    async with bench.client() as client:
        answer = await client.post("/predict", files={"file": ("text.png", content)})
    assert (answer.status_code, answer.json()["error"]["type"]) == (422, "invalid_input")
    assert "file: " in answer.json()["error"]["message"]
    assert bench.value("prediction_errors_total", error_type="invalid_input", **MODEL) == 1
    logged = capsys.readouterr().out
    assert logged.count('"image_preprocess_failed"') == 1
    assert "Traceback" not in logged


@pytest.mark.parametrize(
    ("body", "content_type", "problem"),
    [
        (b"x", "multipart/form-data", "without a boundary"),
        (b"x", "multipart/form-data; boundary=b", "not a multipart form"),
        (b"--b\r\n\r\n", "multipart/form-data; boundary=b", "cut off"),
        (
            b'--b\r\nContent-Disposition: form-data; name="other"\r\n\r\nx\r\n--b--\r\n',
            "MULTIPART/form-data; boundary=b",
            "0",
        ),
        (
            b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\nx\r\n' * 2 + b"--b--\r\n",
            'multipart/form-data; boundary="b"',
            "got 2",
        ),
    ],
)
def test_a_form_without_its_one_file_is_refused(body: bytes, content_type: str, problem: str) -> None:
    """The message says what the form lacks."""
    with pytest.raises(InvalidInput, match=problem):
        uploaded_file("digits", body, content_type)


@settings(max_examples=examples(150), deadline=None)
@given(st.binary(max_size=300), st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "WEBP"]), st.integers(0, 400))
def test_damaged_files_never_break_the_decoder(noise: bytes, kind: str, at: int) -> None:
    """Whatever bytes stand in a picture's file, it is decoded or refused as BadImage."""
    content = bytearray(encoded(Image.linear_gradient("L").resize((30, 30)), kind))
    content[at : at + len(noise)] = noise
    try:
        image = opened("m", bytes(content), LIMITS)
    except BadImage:
        return
    assert image.mode in {"L", "RGB"}


@settings(max_examples=examples(150), deadline=None)
@given(st.binary(max_size=200))
def test_any_form_is_read_or_refused(noise: bytes) -> None:
    """Whatever stands in a multipart body, its file is found or InvalidInput says why not."""
    head = b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\n'
    for body in (head + noise + b"\r\n--b--\r\n", noise, head[: len(noise)] + noise):
        try:
            found = uploaded_file("m", body, "multipart/form-data; boundary=b")
        except InvalidInput:
            continue
        assert found in body


async def test_uploads_have_a_limit_of_their_own(make: Callable[..., Bench]) -> None:
    """A picture may be larger than JSON, up to MAX_IMAGE_BYTES; a model of rows takes no upload."""
    noise = Image.effect_noise((120, 120), 90)
    bench = make(models=("iris", "digits"), max_body_bytes=1000, max_image_bytes=20_000)
    async with bench.client() as client:
        good = await client.post("/predict/digits", files={"file": encoded(noise)})
        large = await client.post("/predict/digits", files={"file": b"x" * 20_001})
        rows = await client.post("/predict", files={"file": encoded(noise)})
    assert good.status_code == 200
    assert (large.status_code, large.json()["error"]["type"]) == (413, "payload_too_large")
    assert "MAX_IMAGE_BYTES" in large.json()["error"]["message"]
    assert rows.status_code == 422


async def test_pictures_are_decoded_behind_the_compute_seam(make: Callable[..., Bench]) -> None:
    """The event loop decodes no upload; rows of pixels are no work."""
    asked: list[str] = []

    def noted(kind: str) -> float:
        asked.append(kind)
        return 0.0

    async with make(models=("digits",), model_name="digits", compute=InlineCompute(noted)).client() as client:
        await client.post("/predict", files={"file": encoded(digit(0))})
        assert asked.count("decode") == 1
        await client.post("/predict", json={"pixels": digits().rows[0].reshape(8, 8).tolist()})
        assert asked.count("decode") == 1


def test_good_digits_do_not_drift(trained: Path) -> None:
    """At most 2 % of the digits are flagged, as uploads too; a blank or a noisy picture is."""
    model = store.load(DIGITS, store.artifact_dir(trained, DIGITS))
    limits = [(feature.lower, feature.upper) for feature in model.statistics.features]

    def drifts(content: bytes) -> bool:
        seen = DIGITS.decoded(content).summary
        return any(not low <= value <= high for value, (low, high) in zip(seen, limits, strict=True))

    assert model.statistics.flagged_share <= 0.02
    assert np.mean([drifts(encoded(digit(row, scale=3))) for row in range(0, len(digits().rows), 3)]) <= 0.02
    assert drifts(encoded(Image.new("L", (8, 8), 128)))
    assert drifts(encoded(Image.effect_noise((64, 64), 120)))


def test_the_summary_is_what_its_names_say() -> None:
    """Mean, spread, contrast, centre and sharpness of pictures that can be worked out by hand."""
    half = np.zeros((10, 10))
    half[:, 5:] = 1.0
    found = dict(zip(SUMMARY, summary(half), strict=True))
    assert found == pytest.approx(
        {"mean": 0.5, "spread": 0.5, "contrast": 1.0, "centre_x": 7 / 9, "centre_y": 0.5, "sharpness": 1 / 18}
    )
    assert summary(np.zeros((3, 3))) == (0.0, 0.0, 0.0, 0.5, 0.5, 0.0)


def test_moved_features_change_the_pixels(trained: Path) -> None:
    """A fault that moves the features makes the picture brighter for the model and strange for the drift check."""
    items = DIGITS.items_of(digits().rows[:2])
    before = DIGITS.observed(items)
    after = [[before[0][0] + 0.3, before[0][1] * 2.0, *before[0][2:]], before[1]]
    moved = DIGITS.moved(items, before, after)
    assert DIGITS.observed(moved) == after
    assert moved[0].pixels.mean() == pytest.approx(after[0][0], abs=1e-5)
    assert moved[0].pixels.std() == pytest.approx(after[0][1], abs=1e-5)
    assert moved[1] is items[1]


def test_photographs_are_resized_and_cropped_in_the_middle() -> None:
    """The shorter side becomes 256 pixels, of which the middle 224 stay; a very long picture costs no memory."""
    image = Image.new("RGB", (512, 256), (255, 0, 0))
    image.paste((0, 0, 255), (128, 0, 384, 256))
    pixels = _cropped(image)
    assert pixels.shape == (3, 224, 224)
    assert pixels[2].mean() == pytest.approx(1.0, abs=0.01)
    assert pixels[0].mean() == pytest.approx(0.0, abs=0.01)
    for size in ((1, 10_000), (10_000, 1), (1, 1)):
        assert _cropped(Image.new("L", size)).shape == (3, 224, 224)
