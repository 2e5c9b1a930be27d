"""What the tour's conditions look at: the same for every viewer, but for the trace that a viewer has entered."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from faults.base import FaultRecord
from faults.drills.wire import AlertStatus
from panel.queries import Board
from panel.readings import Reading
from panel.sources import Sources, TraceSearch
from stack.clients.jaeger import Trace
from stack.pace import Pace

SERVICE = "firedrill"
RECENT_S = 5 * 3600.0
"""A fault that was lit longer ago belongs to an earlier round, in production seconds: 20 minutes at workshop pace."""


@dataclass(frozen=True)
class Scene:
    """The state of the stack at the moment ``now``; ``None`` where a source does not answer."""

    now: float
    pace: Pace
    board: Board | None
    records: Sequence[FaultRecord] | None
    alerts: Mapping[str, AlertStatus] | None
    hit_traces: Callable[[str], Sequence[Trace] | None]
    """Traces with the event of a fault of this kind."""
    found: Reading[Trace] | None = None
    """The trace that the viewer has entered."""

    @property
    def since(self) -> float:
        """The Unix time from which on faults belong to this round."""
        return self.now - self.pace.scale(RECENT_S)


def look(sources: Sources, trace_id: str = "") -> Scene:
    """Return what there is to see now; ``trace_id`` is what the viewer has entered."""
    alerts = sources.alerts.get().value
    return Scene(
        now=time.time(),
        pace=sources.pace,
        board=sources.board.get().value,
        records=sources.faults.get().value,
        alerts=None if alerts is None else {each.alert: each for each in alerts},
        hit_traces=lambda kind: sources.found.get(TraceSearch(SERVICE, fault=kind)).value,
        found=sources.trace.get(trace_id) if trace_id else None,
    )
