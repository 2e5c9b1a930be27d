"""The conductor as the pages have it: what acts asks first whether the viewer may act at all.

This is the seam at which a reader is refused whose browser says that a disabled button was pressed. Whoever adds a way
to act to ``ConductorClient`` adds it here; a test holds the two against each other.
"""

from __future__ import annotations

from collections.abc import Callable

from faults.base import FaultRecord, FaultRequest
from faults.client import ConductorClient
from faults.drills.wire import DrillRun, DrillStart, ResetProof, TrafficSettings, TrafficStatus

Allow = Callable[[], None]
"""Raises ``ReadOnly`` where the viewer may not act."""


def everyone() -> None:
    """Allow everything: where there are no viewers, as in a test or a thread of the panel's own."""


class GuardedConductor(ConductorClient):
    """A conductor's client that acts for those only whom ``allow`` lets act."""

    def __init__(self, url: str, token: str, *, allow: Allow, timeout_s: float = 10.0) -> None:
        super().__init__(url, token, timeout_s=timeout_s)
        self._allow = allow

    def light(self, request: FaultRequest, *, actor: str) -> FaultRecord:
        """Light a fault; raise ``ReadOnly`` for a reader."""
        self._allow()
        return super().light(request, actor=actor)

    def put_out(self, fault_id: str, *, actor: str) -> FaultRecord:
        """Put a fault out; raise ``ReadOnly`` for a reader."""
        self._allow()
        return super().put_out(fault_id, actor=actor)

    def reset(self, *, actor: str) -> ResetProof:
        """Put every fault out; raise ``ReadOnly`` for a reader."""
        self._allow()
        return super().reset(actor=actor)

    def start_drill(self, start: DrillStart, *, actor: str) -> DrillRun:
        """Start a drill; raise ``ReadOnly`` for a reader."""
        self._allow()
        return super().start_drill(start, actor=actor)

    def abort(self, run_id: str, *, actor: str) -> DrillRun:
        """Stop a run; raise ``ReadOnly`` for a reader."""
        self._allow()
        return super().abort(run_id, actor=actor)

    def set_traffic(self, settings: TrafficSettings, *, actor: str) -> TrafficStatus:
        """Tell the traffic generator what to send; raise ``ReadOnly`` for a reader."""
        self._allow()
        return super().set_traffic(settings, actor=actor)
