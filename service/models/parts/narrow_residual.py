"""The layers of the digits network: deep, narrow and residual. torch is imported where the network is built.

Source: K. He, X. Zhang, S. Ren and J. Sun, Deep Residual Learning for Image Recognition, CVPR 2016, section 4.2
(residual networks for small pictures); P. Goyal et al., Accurate, Large Minibatch SGD, 2017, section 5.1 (each block
begins as the identity, by a last normalisation of weight 0).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn


def narrow_residual(side: int, width: int, blocks: int, classes: int) -> nn.Module:
    """Return a network of ``2 x blocks + 1`` convolutions of ``width`` channels for pictures (n, 1, side, side).

    The first block halves the sides; what the last one gives goes to the classes with its places, not their mean.
    """
    from torch import nn  # noqa: PLC0415 - a second of import, for services with torch models alone

    return nn.Sequential(
        nn.Conv2d(1, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
        _block()(width, 2),
        *[_block()(width, 1) for _ in range(1, blocks)],
        nn.Flatten(),
        nn.Linear(width * (side // 2) ** 2, classes),
    )


@cache
def _block() -> Any:
    """Return the class of a block, which cannot be defined before torch is there."""
    from torch import nn  # noqa: PLC0415 - as above

    class Block(nn.Module):
        """Two 3 x 3 convolutions beside a shortcut."""

        def __init__(self, width: int, stride: int) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
            self.bn1 = nn.BatchNorm2d(width)
            self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
            self.bn2 = nn.BatchNorm2d(width)
            nn.init.zeros_(self.bn2.weight)
            self.relu = nn.ReLU(inplace=True)
            self.shortcut: nn.Module | None = None
            if stride != 1:
                self.shortcut = nn.Sequential(
                    nn.Conv2d(width, width, 1, stride=stride, bias=False), nn.BatchNorm2d(width)
                )

        def forward(self, x: Tensor) -> Tensor:
            """Return the block's output (n, width, height / stride, width / stride)."""
            y = self.relu(self.bn1(self.conv1(x)))
            y = self.bn2(self.conv2(y))
            y += x if self.shortcut is None else self.shortcut(x)
            out: Tensor = self.relu(y)
            return out

    return Block
