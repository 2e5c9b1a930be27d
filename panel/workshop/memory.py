"""What the tour has found: a finding for each condition, and the memory of what was met once. No Streamlit."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Literal

State = Literal["met", "waiting", "broken", "unknown"]
LIMIT = 500


@dataclass(frozen=True)
class Finding:
    """Whether a condition is met, and what was found, in words."""

    state: State
    words: str


class Memory:
    """What was met once, by exercise, condition and lighting: shared by all viewers, gone with the panel's process."""

    def __init__(self, *, limit: int = LIMIT) -> None:
        self._limit = limit
        self._met: OrderedDict[tuple[int, int, str], Finding] = OrderedDict()

    def keep(self, key: tuple[int, int, str], finding: Finding) -> Finding:
        """Return the finding to show under ``key``: the one that was met, where one was."""
        if finding.state == "met":
            self._met.setdefault(key, finding)
            if len(self._met) > self._limit:
                self._met.popitem(last=False)
        return self._met.get(key, finding)
