"""The traces of a virtual world that a report shows, chosen as those of a live drill are. No page shows them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from heapq import nsmallest
from itertools import chain

from faults.drills.evidence import TraceEvidence
from faults.drills.exhibits import MARK, SHOWN_EACH, chosen
from faults.drills.virtual.spans import KeptSpan
from stack.clients.traces import Trace

SERVICE = "firedrill"
LOOKED_AT = 3 * SHOWN_EACH
"""So many of the slowest traces, and of the failed ones, are looked at more closely."""


def showcase(spans: Sequence[KeptSpan], since: float | None) -> tuple[TraceEvidence, ...]:
    """Return the slowest and the failed traces that began at ``since`` or later, the slowest first."""
    by_id: dict[int, list[KeptSpan]] = {}
    for span in spans:
        by_id.setdefault(span.context.trace_id, []).append(span)
    seen = [found for found in by_id.values() if since is None or min(one.start_ns for one in found) / 1e9 >= since]
    failed = [found for found in seen if any(one.failed for one in found)]
    slowest = _traces(nsmallest(LOOKED_AT, seen, key=lambda found: -_lasted_ns(found)))
    broken = _traces(nsmallest(LOOKED_AT, failed, key=lambda found: (not _hit(found), -_lasted_ns(found))))
    return tuple(chosen(slowest, broken, lambda _trace_id: ""))


def _traces(some: Iterable[Sequence[KeptSpan]]) -> dict[str, Trace]:
    return {one.trace_id: one for one in map(_trace, some)}


def _trace(found: Sequence[KeptSpan]) -> Trace:
    spans = sorted((one.as_span(SERVICE) for one in found), key=lambda one: one.start)
    return Trace(f"{found[0].context.trace_id:032x}", tuple(spans))


def _lasted_ns(found: Sequence[KeptSpan]) -> int:
    return max(one.end_ns for one in found) - min(one.start_ns for one in found)


def _hit(found: Sequence[KeptSpan]) -> bool:
    """Return whether a fault has hit the trace."""
    return any(event.name == MARK for event in chain.from_iterable(one.events for one in found))
