"""The schedule: when each request is meant to start."""

from __future__ import annotations

import math
import random


class Arrivals:
    """A Poisson process: independent, exponentially distributed gaps with mean ``1 / rate``.

    ``due`` is the next intended start on the caller's clock, in seconds; infinite when there is none.
    """

    __slots__ = ("_end", "_rate", "_rng", "due")

    def __init__(self, rng: random.Random, rate: float, start: float, end: float = math.inf) -> None:
        self._rng, self._rate, self._end = rng, rate, end
        self.due = start
        self.advance()

    def change_rate(self, rate: float, now: float) -> None:
        """Go on from ``now`` at ``rate``: gaps have no memory, so that the next one is simply drawn anew."""
        self._rate, self.due = rate, now
        self.advance()

    def advance(self) -> None:
        """Move ``due`` to the next intended start. It never depends on what became of earlier requests."""
        if self._rate <= 0.0:
            self.due = math.inf
            return
        due = self.due + self._rng.expovariate(self._rate)
        self.due = due if due <= self._end else math.inf
