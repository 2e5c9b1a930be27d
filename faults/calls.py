"""What a fault is shown of a call that it hits, and what it may answer. Protocols and plain facts, no behaviour.

The names are part of the contract and are imported from ``faults.base``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Reply:
    """An answer that a fault gives in the app's place."""

    status: int
    message: str
    text: str | None = None
    """What is answered word for word, as plain text, in the place of an error that says ``message``."""


class CallInfo(Protocol):
    """One call at a seam."""

    @property
    def model(self) -> str:
        """Name of the model that is called; empty where the app has none."""

    @property
    def endpoint(self) -> str:
        """Path or route template of the call."""


class FeatureInfo(Protocol):
    """Training statistics of one feature."""

    @property
    def minimum(self) -> float:
        """Smallest training value."""

    @property
    def maximum(self) -> float:
        """Largest training value."""

    @property
    def mean(self) -> float:
        """Mean of the training values."""

    @property
    def std(self) -> float:
        """Standard deviation of the training values."""


class Output(Protocol):
    """What a model answered to one request: one entry for each row."""

    @property
    def values(self) -> Sequence[float]:
        """The predicted numbers, or the positions of the predicted classes."""

    @property
    def classes(self) -> Sequence[str]:
        """The predicted classes; empty for a regressor."""

    @property
    def confidence(self) -> Sequence[float]:
        """The share that each predicted class was given, 0 to 1; empty for a regressor."""
