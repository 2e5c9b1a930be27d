"""What the supervisor keeps of one component, and what it does when that ends unasked. No process is touched here."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

from stack.child import Child
from stack.components import Component
from stack.state import UnitState


@dataclass(frozen=True)
class RestartPolicy:
    """What happens to a component that ends unasked. Times in seconds."""

    quick_s: float = 10.0
    """Whoever lives shorter than this died quickly."""
    attempts: int = 5
    """So many quick deaths in a row, and it is left alone."""
    first_delay_s: float = 0.2
    longest_delay_s: float = 5.0

    def delay_s(self, quick_deaths: int) -> float:
        """Return the pause before the next start; doubles with each quick death."""
        return float(min(self.first_delay_s * 2 ** max(quick_deaths - 1, 0), self.longest_delay_s))


class Unit:
    """One component under supervision."""

    def __init__(self, component: Component) -> None:
        self.component = component
        self.name = component.name
        self.child: Child | None = None
        self.ready = asyncio.Event()
        self.was_ready = False
        self.gone = asyncio.Event()
        self.quick_deaths = 0
        self.state = UnitState(name=component.name)
        self.last_lines: deque[str] = deque(maxlen=15)
