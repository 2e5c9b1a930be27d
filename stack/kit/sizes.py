"""How much is fetched: a small table, told before anything is downloaded. Nothing is asked of the network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stack.component import ROOT

TABLE = ROOT / "stack" / "config" / "kit" / "sizes.txt"


@dataclass(frozen=True)
class Estimate:
    """Megabytes (a million bytes) by what they are for."""

    parts: Mapping[str, float]

    @property
    def total_mb(self) -> float:
        """All of them."""
        return sum(self.parts.values())

    def __str__(self) -> str:
        listed = ", ".join(f"{name} {size:.0f} MB" for name, size in self.parts.items())
        return f"about {self.total_mb:.0f} MB ({listed})"


def table(path: Path = TABLE) -> Mapping[str, float]:
    """Return the table: megabytes by name."""
    lines = (line.split() for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#"))
    return {fields[0]: float(fields[1]) for fields in lines if len(fields) == 2}


def of_bundle(*, test: bool, chromium: bool) -> Estimate:
    """Return what a bundle fetches."""
    known = table()
    wanted = {"wheels": known["wheels"], "PyTorch": known["torch"]}
    if test:
        wanted["tests"] = known["test"]
    wanted |= {"Prometheus": known["prometheus"], "Alertmanager": known["alertmanager"]}
    if chromium:
        wanted["Chromium"] = known["chromium"]
    return Estimate(wanted)
