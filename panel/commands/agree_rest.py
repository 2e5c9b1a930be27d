"""How long a live drill waits, so that no drill before it lies in the windows of its alerts. It only reckons.

Virtual runs have nothing behind them but calm: a live one can be held against them where its alerts look back on calm
too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from faults.drills.spec import Drill
from faults.drills.wire import DrillRun

LONGEST_S = 900.0
"""Nobody waits longer for a window to be empty; the alert's stages are then not comparable, and it is said."""


@dataclass(frozen=True)
class Rest:
    """How many seconds are to pass, and which alert's window still holds which drill."""

    left_s: float
    alert: str
    drill: str

    @property
    def sentence(self) -> str:
        """What is waited for."""
        return f"waiting {self.left_s:.0f} s, until the window of {self.alert} no longer holds {self.drill}"


def rest(drill: Drill, runs: Iterable[DrillRun], windows_s: Mapping[str, float], now: float) -> Rest | None:
    """Return what ``drill`` has to wait for at the Unix time ``now``; ``None`` where it may run at once.

    ``windows_s`` is how far back each alert looks.
    """
    ended = [(one.ended_at, one.name) for one in runs if one.ended_at is not None]
    if not ended:
        return None
    last_at, last = max(ended)
    waits = [
        Rest(last_at + window_s - now, expected.alert, last)
        for expected in drill.expect
        if (window_s := windows_s.get(expected.alert, 0.0)) <= LONGEST_S
    ]
    longest = max(waits, key=lambda one: one.left_s, default=None)
    return longest if longest is not None and longest.left_s > 0 else None
