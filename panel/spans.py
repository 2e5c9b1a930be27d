"""What a trace says at a glance, and its spans in reading order. No Streamlit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from stack.clients.jaeger import Span, Trace, TraceLog

FAULT_EVENT = "fault.injected"


@dataclass(frozen=True)
class TraceSummary:
    """One trace in a line. Times in Unix seconds, duration in seconds."""

    service: str
    operation: str
    start: float
    duration_s: float
    error: bool
    faults: tuple[str, ...]


def summary(trace: Trace) -> TraceSummary:
    """Return the line about ``trace``: its first root span names it, its whole extent is its duration."""
    root = in_order(trace)[0][0]
    start = min(span.start for span in trace.spans)
    return TraceSummary(
        service=root.service,
        operation=root.operation,
        start=start,
        duration_s=max(span.start + span.duration_s for span in trace.spans) - start,
        error=any(span.error for span in trace.spans),
        faults=tuple(sorted({kind for span in trace.spans for kind in faults_of(span)})),
    )


def faults_of(span: Span) -> tuple[str, ...]:
    """Return the kinds of the faults that were injected into ``span``."""
    return tuple(event.attributes.get("fault.kind", "fault") for event in span.events if event.name == FAULT_EVENT)


def logs_by_span(trace: Trace, logs: Iterable[TraceLog]) -> dict[str, tuple[TraceLog, ...]]:
    """Return log records by the span that they name; those of no span of the trace stand under the empty id."""
    known = {span.span_id for span in trace.spans}
    found: defaultdict[str, list[TraceLog]] = defaultdict(list)
    for log in logs:
        found[log.span_id if log.span_id in known else ""].append(log)
    return {span_id: tuple(records) for span_id, records in found.items()}


def in_order(trace: Trace) -> tuple[tuple[Span, int], ...]:
    """Return the spans with their depth, each parent before its children, siblings by start.

    A span whose parent is not in the trace counts as a root; spans that are each other's parents are shown flat.
    """
    known = {span.span_id for span in trace.spans}
    children: defaultdict[str, list[Span]] = defaultdict(list)
    roots: list[Span] = []
    for span in sorted(trace.spans, key=lambda s: s.start):
        if span.parent_id and span.parent_id in known and span.parent_id != span.span_id:
            children[span.parent_id].append(span)
        else:
            roots.append(span)
    ordered: list[tuple[Span, int]] = []
    left = [(span, 0) for span in reversed(roots)]
    while left:
        span, depth = left.pop()
        ordered.append((span, depth))
        left.extend((child, depth + 1) for child in reversed(children.pop(span.span_id, [])))
    shown = {span.span_id for span, _ in ordered}
    return (*ordered, *((span, 0) for span in trace.spans if span.span_id not in shown))
