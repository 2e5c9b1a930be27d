"""How faults and stages of alerts are shown wherever they are drawn over time: in the panel's charts and in reports.

Colours are Okabe and Ito's. No stage is told by its colour alone: a symbol and a word stand beside it.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

ORANGE, PURPLE, SKY, VERMILLION, GREEN, BLUE = "#E69F00", "#CC79A7", "#56B4E9", "#D55E00", "#009E73", "#0072B2"
BANDS = (ORANGE, PURPLE, SKY, VERMILLION, GREEN, BLUE)
Dash = Literal["solid", "dot", "dash", "dashdot"]
MarkStage = Literal["pending", "firing", "delivered", "resolved"]


@dataclass(frozen=True)
class Sign:
    """How a stage is shown: a symbol and a word beside its colour, and a line at its moment."""

    symbol: str
    word: str
    color: str
    dash: Dash


SIGNS: Mapping[MarkStage, Sign] = MappingProxyType(
    {
        "pending": Sign("◔", "pending", ORANGE, "dot"),
        "firing": Sign("▲", "firing", VERMILLION, "solid"),
        "delivered": Sign("★", "delivered", BLUE, "dash"),
        "resolved": Sign("✓", "resolved", GREEN, "dashdot"),
    }
)
"""The stages that are drawn across charts, in their order."""


def band_number(kind: str) -> int:
    """Return which of ``BANDS`` a fault kind has, the same everywhere and after every restart."""
    return zlib.crc32(kind.encode()) % len(BANDS)


def band_color(kind: str) -> str:
    """Return the colour of a fault kind's bands."""
    return BANDS[band_number(kind)]
