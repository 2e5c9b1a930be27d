"""The digits profile: a small convolutional network on scikit-learn's 1797 handwritten digits of 8 x 8 pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter

from service.images import Picture, Pixels, opened
from service.models.base import Dataset, Items, Schema
from service.models.parts.narrow_residual import narrow_residual
from service.models.parts.torch_networks import TorchProfile
from service.schemas import form_schema, pixels_form

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor, nn

SIDE = 8
WIDTH, BLOCKS = 16, 22
EPOCHS, BATCH = 10, 64
PEAK_RATE, WEIGHT_DECAY = 0.01, 0.001
MOST_NOISE = 0.2
"""Standard deviation of the noise that a training picture gets at most, of a brightness from 0 to 1."""


class DigitsProfile(TorchProfile):
    """Ten digits, bright on dark. Takes a picture as an upload, or its pixels as 8 rows of 8 numbers from 0 to 16."""

    name: ClassVar[str] = "digits"
    title: ClassVar[str] = "Handwritten digits, residual convolutional network"
    version: str = "2.0.0"
    data_origin: ClassVar[str] = "scikit-learn, load_digits: E. Alpaydin and C. Kaynak, 1998 (1797 digits)"
    classes: ClassVar[tuple[str, ...]] = tuple("0123456789")
    example_shape: ClassVar[tuple[int, int]] = (SIDE, SIDE)
    full_scale: ClassVar[float] = 16.0

    def dataset(self) -> Dataset:
        """Return the digits (1797 rows, 64 pixels from 0 to 16)."""
        from sklearn.datasets import load_digits  # noqa: PLC0415 - seconds of import, needed to train only

        rows, target = load_digits(return_X_y=True)
        return Dataset(np.asarray(rows, dtype=np.float64), np.asarray(target, dtype=np.int64))

    def network(self) -> nn.Module:
        """Return the residual network, 45 convolutions of 16 channels."""
        return narrow_residual(SIDE, WIDTH, BLOCKS, len(self.classes))

    def fit(self, dataset: Dataset) -> Any:
        """Return the trained network; the caller's random state and threads stay as they were.

        AdamW with one cycle of the learning rate. Each picture is shifted and made noisy anew whenever it is seen: what
        people upload is not centred to the pixel. Source: L. N. Smith and N. Topin, Super-Convergence, 2018.
        """
        import torch  # noqa: PLC0415 - torch is imported where it is used

        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # sums in one order, so that the weights are the same every time
        try:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(self.seed)
                network = self.network()
                inputs = self.tensor(self.items_of(dataset.rows))
                target = torch.from_numpy(dataset.target)
                optimiser = torch.optim.AdamW(network.parameters(), lr=PEAK_RATE, weight_decay=WEIGHT_DECAY)
                steps = EPOCHS * -(-len(inputs) // BATCH)
                cycle = torch.optim.lr_scheduler.OneCycleLR(optimiser, PEAK_RATE, total_steps=steps)
                for _ in range(EPOCHS):
                    for batch in torch.randperm(len(inputs)).split(BATCH):  # type: ignore[no-untyped-call]
                        optimiser.zero_grad()
                        scores = network(_disturbed(inputs[batch]))
                        torch.nn.functional.cross_entropy(scores, target[batch]).backward()  # type: ignore[no-untyped-call]
                        optimiser.step()
                        cycle.step()
        finally:
            torch.set_num_threads(threads)
        return network

    def tensor(self, items: Sequence[Any]) -> Tensor:
        """Return pictures (n, 1, 8, 8)."""
        import torch  # noqa: PLC0415 - as above

        return torch.from_numpy(np.stack([picture.pixels for picture in items])[:, None])

    def prepared(self, content: bytes) -> Pixels:
        """Return the picture shrunk to 8 x 8 by mean brightness, its paper dark.

        The longer side becomes 8 pixels; the rest, and what surrounds the picture, has the brightness of its border.
        Dark ink on bright paper is turned round, since the training digits are bright on dark.
        """
        grey = opened(self.name, content, self.options.images).convert("L")
        pixels = _shrunk(grey)
        border = np.concatenate((pixels[0], pixels[-1], pixels[1:-1, 0], pixels[1:-1, -1]))
        paper = np.median(border)
        square = np.full((SIDE, SIDE), paper, dtype=np.float32)
        top, left = (SIDE - pixels.shape[0]) // 2, (SIDE - pixels.shape[1]) // 2
        square[top : top + pixels.shape[0], left : left + pixels.shape[1]] = pixels
        return np.float32(1.0) - square if paper > 0.5 else square

    def picture_of(self, row: npt.NDArray[Any]) -> Picture:
        """Return the picture of 64 pixels from 0 to 16."""
        return self.pictured((np.asarray(row, dtype=np.float32) / np.float32(self.full_scale)).reshape(SIDE, SIDE))

    def forms(self, max_rows: int) -> tuple[TypeAdapter[Any], Sequence[Schema]]:
        """Return the one form of JSON, ``{"pixels": [[…], …]}``."""
        _ = max_rows
        form = pixels_form(self.name, SIDE, SIDE, self.full_scale)
        return TypeAdapter(form), (form_schema(form),)

    def rows(self, body: Any) -> Items:
        """Return the one picture."""
        return [self.picture_of(np.array(body.pixels))]


def _disturbed(pictures: Tensor) -> Tensor:
    """Return pictures (n, 1, 8, 8) shifted by up to a pixel each way, with noise of random strength each."""
    import torch  # noqa: PLC0415 - as above

    number = len(pictures)
    padded = torch.nn.functional.pad(pictures[:, 0], (1, 1, 1, 1))
    down, right = torch.randint(0, 3, (2, number, 1, 1))
    places = torch.arange(SIDE)
    shifted = padded[torch.arange(number)[:, None, None], places[:, None] + down, places + right]
    noise = MOST_NOISE * torch.rand(number, 1, 1) * torch.randn(number, SIDE, SIDE)
    return (shifted + noise).clamp(0.0, 1.0)[:, None]


def _shrunk(grey: Image) -> Pixels:
    """Return ``grey`` with its longer side shrunk, or stretched, to 8 pixels; from 0 to 1."""
    from PIL.Image import Resampling  # noqa: PLC0415 - as in ``opened``

    longer = max(grey.size)
    size = (max(1, round(grey.width * SIDE / longer)), max(1, round(grey.height * SIDE / longer)))
    return np.asarray(grey.resize(size, Resampling.BOX), dtype=np.float32) / np.float32(255.0)


PROFILE = DigitsProfile()
