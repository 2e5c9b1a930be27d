"""The traces of a virtual world that a report shows, chosen as those of a live drill are. No page shows them."""

from __future__ import annotations

from collections.abc import Sequence

from faults.drills.evidence import TraceEvidence
from faults.drills.exhibits import chosen
from faults.drills.virtual.spans import KeptSpan
from stack.clients.traces import Span, Trace

SERVICE = "firedrill"


def showcase(spans: Sequence[KeptSpan], since: float | None) -> tuple[TraceEvidence, ...]:
    """Return the slowest and the failed traces that began at ``since`` or later, the slowest first."""
    by_id: dict[str, list[Span]] = {}
    for span in spans:
        by_id.setdefault(f"{span.context.trace_id:032x}", []).append(span.as_span(SERVICE))
    traces = {
        trace_id: Trace(trace_id, tuple(sorted(found, key=lambda one: one.start))) for trace_id, found in by_id.items()
    }
    seen = {trace_id: trace for trace_id, trace in traces.items() if since is None or trace.start >= since}
    failed = {trace_id: trace for trace_id, trace in seen.items() if trace.error}
    return tuple(chosen(seen, failed, lambda _trace_id: ""))
