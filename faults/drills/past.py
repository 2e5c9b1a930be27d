"""Waits until Prometheus shows the past that a drill brings. What that past is, and its way there, stand elsewhere."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from faults.drills.errors import HistoryFailed
from faults.drills.fires import Fires
from faults.drills.history import LOADED_WITHIN_S
from faults.drills.parts import History
from faults.drills.rollback import to_the_end


async def give_past(fires: Fires, run_id: str, history: History, *, poll_s: float, tell: Callable[[str], None]) -> None:
    """Put ``history`` into Prometheus's storage for a run and return when it is there; raise ``HistoryFailed``.

    ``tell`` is given what is waited for.
    """
    tell("making the drill's history")
    supplied = await to_the_end(fires.supply(run_id, history))
    deadline = time.monotonic() + LOADED_WITHIN_S
    while not await fires.supplied(supplied):
        if time.monotonic() >= deadline:
            raise HistoryFailed(f"Prometheus did not read it within {LOADED_WITHIN_S:g} s")
        tell("waiting for Prometheus to read the drill's history; it looks once a minute")
        await asyncio.sleep(poll_s)
