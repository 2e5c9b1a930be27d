"""The digits network: how well it reads what it has not seen, shifted and noisy too, and where it can run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from service.errors import LoadFailure, ModelLoadFailed
from service.models import store
from service.models.base import Dataset, Options, Predictor
from service.models.digits import PROFILE as DIGITS
from tests.levels import thorough

HELD_OUT = 3
"""Every so-manieth digit is kept from training."""


@pytest.fixture(scope="module")
def held_out() -> tuple[Predictor, npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Return a network trained on two thirds of the digits, and pixels (n, 8, 8) and classes of the others."""
    whole = DIGITS.dataset()
    kept = np.arange(len(whole.rows)) % HELD_OUT == 0
    network = DIGITS.fit(Dataset(whole.rows[~kept], whole.target[~kept]))
    return DIGITS.predictor(network), whole.rows[kept].reshape(-1, 8, 8), whole.target[kept]


def _share_right(predict: Predictor, pixels: npt.NDArray[np.float64], target: npt.NDArray[np.int64]) -> float:
    output = predict(DIGITS.items_of(pixels.reshape(-1, 64)))
    return float((np.array(output.values) == target).mean())


@thorough
def test_it_reads_digits_that_it_has_not_seen(
    held_out: tuple[Predictor, npt.NDArray[np.float64], npt.NDArray[np.int64]],
) -> None:
    """At least 96 % as they are, and 95 % when they lie a pixel to any side: uploads are not centred to the pixel."""
    predict, pixels, target = held_out
    assert _share_right(predict, pixels, target) >= 0.96
    wide = np.pad(pixels, ((0, 0), (1, 1), (1, 1)))
    shifted = [wide[:, down : down + 8, right : right + 8] for down, right in ((0, 1), (2, 1), (1, 0), (1, 2), (0, 0))]
    assert np.mean([_share_right(predict, each, target) for each in shifted]) >= 0.95


@thorough
def test_it_reads_noisy_digits(held_out: tuple[Predictor, npt.NDArray[np.float64], npt.NDArray[np.int64]]) -> None:
    """At least 88 % with noise of a fifth of the whole brightness."""
    predict, pixels, target = held_out
    noise = np.random.default_rng(7).normal(scale=0.2 * DIGITS.full_scale, size=pixels.shape)
    assert _share_right(predict, (pixels + noise).clip(0.0, DIGITS.full_scale), target) >= 0.88


def test_together_or_alone_a_picture_has_the_same_answer(
    held_out: tuple[Predictor, npt.NDArray[np.float64], npt.NDArray[np.int64]],
) -> None:
    """The other pictures of a batch change no class, and confidence by rounding alone."""
    predict, pixels, _ = held_out
    items = DIGITS.items_of(pixels[:32].reshape(-1, 64))
    together, alone = predict(items), [predict([item]) for item in items]
    assert together.classes == tuple(output.classes[0] for output in alone)
    assert together.confidence == pytest.approx([output.confidence[0] for output in alone], abs=1e-4)


def test_a_device_that_is_not_there_is_named_as_such(trained: Path) -> None:
    """CUDA on a machine without it is no damaged file: the reason says so, and the message what to set."""
    import torch  # noqa: PLC0415 - seconds of import, which only its worker pays

    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device here")
    profile = DIGITS.with_options(Options(device="cuda"))
    with pytest.raises(ModelLoadFailed, match="MODEL_DEVICE=cpu") as refused:
        store.load(profile, store.artifact_dir(trained, profile))
    assert refused.value.reason is LoadFailure.NO_DEVICE
