"""What a fault answers in the place of a model's own output. Nothing here knows which model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Answered:
    """One entry for each row of a request, as ``faults.base.Output`` has them."""

    values: Sequence[float]
    classes: Sequence[str] = ()
    confidence: Sequence[float] = ()
