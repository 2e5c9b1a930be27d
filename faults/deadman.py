"""The dead man's switch: faults whose lighter has gone silent are put out, though their time to live is not over.

Only time in which this process was awake counts as silence: one that was stopped (SIGSTOP) or held up and goes on
first gives the heartbeats that wait for it their chance. It puts nothing out itself and knows no HTTP.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from faults.active import ActiveFault

TICK_S = 0.5
"""How often it looks, at most; often enough for the shortest silence that it watches."""
_LOOKS = 5
_AWAKE_TICKS = 2.0


class DeadMan:
    """Watches faults that have ``dead_man_s``. Ticks while there is one, and belongs to one event loop."""

    def __init__(self, abandon: Callable[[ActiveFault], object]) -> None:
        """``abandon`` is called once for each fault that has heard no heartbeat for too long."""
        self._abandon = abandon
        self._silent_s: dict[ActiveFault, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._looked_at = 0.0

    def watch(self, fault: ActiveFault) -> None:
        """Begin to count the silence around ``fault``, where it has a limit."""
        if fault.dead_man_s is None:
            return
        self._count()
        self._silent_s[fault] = 0.0
        self._wind()

    def forget(self, fault: ActiveFault) -> None:
        """Count no longer for ``fault``; harmless where nothing was counted."""
        if self._silent_s.pop(fault, None) is not None and not self._silent_s and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def beat(self) -> int:
        """Hear a heartbeat; return how many faults it keeps burning."""
        self._looked_at = asyncio.get_running_loop().time()
        self._silent_s = dict.fromkeys(self._silent_s, 0.0)
        return len(self._silent_s)

    def _every_s(self) -> float:
        return min([TICK_S, *(fault.dead_man_s / _LOOKS for fault in self._silent_s if fault.dead_man_s is not None)])

    def _wind(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(self._every_s(), self._look)

    def _count(self) -> None:
        """Add what has passed since the last look, as far as this process was awake."""
        now = asyncio.get_running_loop().time()
        passed_s = min(now - self._looked_at, _AWAKE_TICKS * self._every_s())
        self._looked_at = now
        self._silent_s = {fault: silent_s + passed_s for fault, silent_s in self._silent_s.items()}

    def _look(self) -> None:
        self._timer = None
        self._count()
        for fault, silent_s in tuple(self._silent_s.items()):
            if fault.dead_man_s is not None and silent_s >= fault.dead_man_s:
                del self._silent_s[fault]
                self._abandon(fault)
        if self._silent_s:
            self._wind()
