"""The conductor's heartbeat: as long as it beats, what the conductor lit may burn. It lights and ends nothing itself.

Every fault that the conductor lights is given ``DEAD_MAN_S``: the process that holds it puts it out when it has heard
no beat for so long, which is what happens when the conductor is killed or hangs and nobody starts another.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

from faults.base import FaultRequest
from faults.drills.errors import ControlError

DEAD_MAN_S = 15.0
"""Longer than a killed conductor takes to be started again, so that a restart alone ends no fault."""
EVERY_S = 1.0
_log = logging.getLogger(__name__)


class Guarded(Protocol):
    """Who holds the faults: the places where they burn."""

    async def heartbeat(self) -> object:
        """Tell all of them that the conductor is there; raise ``ControlError`` where one does not hear it."""


def guarded(request: FaultRequest) -> FaultRequest:
    """Return ``request`` with a dead man's switch; one that it brings along stays."""
    return request if request.dead_man_s is not None else request.model_copy(update={"dead_man_s": DEAD_MAN_S})


async def beat(places: Guarded, every_s: float = EVERY_S) -> None:
    """Beat for ever. A place that hears nothing is no reason to stop: it puts its faults out by itself."""
    deaf = ""
    while True:
        try:
            await places.heartbeat()
            deaf = ""
        except ControlError as error:
            if not deaf:
                _log.info("no heartbeat reaches a place: %s", error)
            deaf = str(error)
        await asyncio.sleep(every_s)
