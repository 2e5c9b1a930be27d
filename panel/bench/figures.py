"""A figure: something measured, held against what is promised."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

Bound = Literal["at most", "at least"]
SIGNS: dict[Bound, str] = {"at most": "≤", "at least": "≥"}


@dataclass(frozen=True)
class Figure:
    """A measured value with its unit and its target: the most it may be, or the least.

    Without a target it is told and not judged. ``value`` is ``None`` where it could not be measured here; ``note`` then
    says why.
    """

    figure: str
    value: float | None
    unit: str
    target: float | None = None
    bound: Bound = "at most"
    note: str = ""

    @property
    def holds(self) -> bool | None:
        """Return whether the value keeps its promise; ``None`` where there is no value or no promise."""
        if self.value is None or self.target is None:
            return None
        return self.value <= self.target if self.bound == "at most" else self.value >= self.target

    @property
    def promise(self) -> str:
        """Return the target for people, empty where there is none."""
        return "" if self.target is None else f"{SIGNS[self.bound]} {self.target:g}"

    def plain(self) -> dict[str, object]:
        """Return the figure for ``--json``."""
        return {**asdict(self), "holds": self.holds}
