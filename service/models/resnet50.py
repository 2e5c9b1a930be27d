"""The resnet50 profile: ResNet-50 on photographs, 1000 classes. Opt-in: its weights are 98 MB and not made here.

The network is that of He et al., "Deep Residual Learning for Image Recognition" (2015), with the stride of a bottleneck
in its 3 x 3 convolution, as the official weight files want it: 25,557,032 parameters under the same names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from service.images import Picture, Pixels, opened
from service.models.base import Dataset, Options, TrainingStatistics
from service.models.parts.resnet_network import resnet50
from service.models.parts.resnet_weights import OFFICIAL, SEEDED, weights_of
from service.models.parts.torch_networks import TorchProfile

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor, nn

RESIZE, CROP = 256, 224
LONGEST = 4
"""Of a picture that is longer than this many times its shorter side, the middle part is taken."""
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
PICTURES, SIDE, EXAMPLES = 240, 40, 12


def class_names() -> tuple[str, ...]:
    """Return the 1000 classes of ILSVRC 2012 in the order of the official weights, each name once."""
    text = files("service.models").joinpath("imagenet_classes.json").read_text(encoding="utf-8")
    return tuple(json.loads(text))


class ResNet50Profile(TorchProfile):
    """What is to be seen on a photograph. Takes an upload. ``RESNET50_WEIGHTS`` says where its weights come from."""

    name: ClassVar[str] = "resnet50"
    title: ClassVar[str] = "Photographs, ResNet-50"
    version: str = "none"
    data_origin: ClassVar[str] = "weights: RESNET50_WEIGHTS; drift is watched against pictures generated from a seed"
    classes: ClassVar[tuple[str, ...]] = class_names()
    opt_in: ClassVar[bool] = True
    example_shape: ClassVar[tuple[int, int]] = (SIDE, SIDE)
    full_scale: ClassVar[float] = 255.0

    def with_options(self, options: Options) -> Self:
        """Return this profile with the version that its weights have."""
        changed = super().with_options(options)
        chosen = options.resnet50_weights
        if chosen in OFFICIAL:
            changed.version = f"imagenet1k-{chosen.lower()}"
        elif chosen == SEEDED:
            changed.version = f"seeded-{self.seed}"
        elif chosen:
            changed.version = re.sub(r"[^A-Za-z0-9._-]", "_", f"file-{Path(chosen).stem}")
        return changed

    def dataset(self) -> Dataset:
        """Return generated pictures (240 rows, 40 x 40 grey levels from 0 to 255), as different as photographs are.

        Brightness, contrast, grain and slope of light are drawn for each; there is nothing to be seen on them. They are
        what usual pictures look like to the drift check: no one has the photographs that the weights come from.
        """
        rng = np.random.default_rng(self.seed)
        rows = np.empty((PICTURES, SIDE * SIDE))
        y, x = np.mgrid[-1.0 : 1.0 : SIDE * 1j, -1.0 : 1.0 : SIDE * 1j]
        for row in rows:
            slope = rng.uniform(-0.25, 0.25, 2)
            waves = np.sin(rng.uniform(1.0, 6.0) * x + rng.uniform(0.0, 6.3)) * np.sin(rng.uniform(1.0, 6.0) * y)
            grain = rng.normal(0.0, rng.uniform(0.02, 0.5), (SIDE, SIDE))
            light = rng.uniform(0.15, 0.85) + slope[0] * x + slope[1] * y + rng.uniform(0.1, 0.5) * waves + grain
            row[:] = (light.clip(0.0, 1.0) * 255.0).round().ravel()
        return Dataset(rows, np.zeros(PICTURES, dtype=np.int64))

    def statistics(self, dataset: Dataset) -> TrainingStatistics:
        """Return the statistics of the generated pictures, with a dozen as examples."""
        observed = np.array(self.observed(self.items_of(dataset.rows)))
        return TrainingStatistics.of(observed, self.features, dataset.rows, most=EXAMPLES)

    def network(self) -> nn.Module:
        """Return the network."""
        return resnet50(len(self.classes))

    def fit(self, dataset: Dataset) -> Any:
        """Return the network with the weights of the settings; nothing is trained. Raise ``WeightsUnavailable``."""
        _ = dataset
        return weights_of(self.options, self.network, self.seed)

    def tensor(self, items: Sequence[Any]) -> Tensor:
        """Return pictures (n, 3, 224, 224), normalised by the mean and deviation of ImageNet's channels."""
        import torch  # noqa: PLC0415 - torch is imported where it is used

        pixels = torch.from_numpy(np.stack([picture.pixels for picture in items]))
        return (pixels - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]

    def prepared(self, content: bytes) -> Pixels:
        """Return the picture in colour, its shorter side 256 pixels, of that the middle 224 x 224: (3, 224, 224)."""
        return _cropped(opened(self.name, content, self.options.images))

    def picture_of(self, row: npt.NDArray[Any]) -> Picture:
        """Return the picture of 40 x 40 grey levels."""
        from PIL import Image  # noqa: PLC0415 - as in ``opened``

        return self.pictured(_cropped(Image.fromarray(np.asarray(row).astype(np.uint8).reshape(SIDE, SIDE))))


def _cropped(image: Image) -> Pixels:
    from PIL.Image import Resampling  # noqa: PLC0415 - as above

    shorter = min(image.size)
    width, height = min(image.width, LONGEST * shorter), min(image.height, LONGEST * shorter)
    left, top = (image.width - width) // 2, (image.height - height) // 2
    size = (RESIZE * width // shorter, RESIZE * height // shorter)
    box = (left, top, left + width, top + height)
    resized = image.convert("RGB").resize(size, Resampling.BILINEAR, box=box)
    left, top = round((size[0] - CROP) / 2), round((size[1] - CROP) / 2)
    pixels = np.asarray(resized.crop((left, top, left + CROP, top + CROP)), dtype=np.float32)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)) / np.float32(255.0)


PROFILE = ResNet50Profile()
