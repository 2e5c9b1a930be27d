"""The layers of ResNet-50, as a plain torch module. torch is imported where the network is built."""

from __future__ import annotations

from collections import OrderedDict
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn

EXPANSION = 4
STAGES = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))
"""Width, number of blocks and stride of each stage."""


def resnet50(classes: int) -> nn.Module:
    """Return ResNet-50 with torch's own initial weights; its state dict has the keys of the official files."""
    from torch import nn  # noqa: PLC0415 - a second of import, for services with torch models alone

    parts: OrderedDict[str, nn.Module] = OrderedDict(
        conv1=nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False),
        bn1=nn.BatchNorm2d(64),
        relu=nn.ReLU(inplace=True),
        maxpool=nn.MaxPool2d(3, stride=2, padding=1),
    )
    channels = 64
    for number, (width, blocks, stride) in enumerate(STAGES, start=1):
        stage = [_bottleneck()(channels, width, stride)]
        channels = EXPANSION * width
        stage += [_bottleneck()(channels, width, 1) for _ in range(1, blocks)]
        parts[f"layer{number}"] = nn.Sequential(*stage)
    parts["avgpool"] = nn.AdaptiveAvgPool2d(1)
    parts["flatten"] = nn.Flatten()
    parts["fc"] = nn.Linear(channels, classes)
    return nn.Sequential(parts)


@cache
def _bottleneck() -> Any:
    """Return the class of a block, which cannot be defined before torch is there."""
    from torch import nn  # noqa: PLC0415 - as above

    class Bottleneck(nn.Module):
        """1 x 1, 3 x 3 and 1 x 1 convolutions beside a shortcut."""

        def __init__(self, channels: int, width: int, stride: int) -> None:
            super().__init__()
            wide = EXPANSION * width
            self.conv1 = nn.Conv2d(channels, width, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(width)
            self.conv2 = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
            self.bn2 = nn.BatchNorm2d(width)
            self.conv3 = nn.Conv2d(width, wide, 1, bias=False)
            self.bn3 = nn.BatchNorm2d(wide)
            self.relu = nn.ReLU(inplace=True)
            self.downsample: nn.Module | None = None
            if stride != 1 or channels != wide:
                self.downsample = nn.Sequential(
                    nn.Conv2d(channels, wide, 1, stride=stride, bias=False), nn.BatchNorm2d(wide)
                )

        def forward(self, x: Tensor) -> Tensor:
            """Return the block's output (n, 4 x width, height / stride, width / stride)."""
            shortcut = x if self.downsample is None else self.downsample(x)
            y = self.relu(self.bn1(self.conv1(x)))
            y = self.relu(self.bn2(self.conv2(y)))
            out: Tensor = self.relu(self.bn3(self.conv3(y)) + shortcut)
            return out

    return Bottleneck
