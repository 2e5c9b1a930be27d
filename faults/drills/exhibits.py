"""The traces that a report shows: the slowest and the failed ones from the time of a fault, with their spans.

It asks the trace store and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from faults.drills.evidence import SpanEvidence, TraceEvidence
from stack.clients.jaeger import JaegerClient
from stack.clients.traces import Span, Trace

SHOWN_EACH = 5
"""So many slowest traces, and so many failed ones."""
LOOKED_AT = 100
"""So many traces a search: the newest, and then the newest among the slow."""
MOST_SPANS = 40
_SLOW = 0.9
_OTHERS = ("firedrill-conductor", "jaeger", "tracestore")
MARK = "fault.injected"


def exhibits(store: JaegerClient, since: float, until: float) -> list[TraceEvidence]:
    """Return the slowest and the failed traces that began in ``[since, until]``, the slowest first.

    Raises ``SourceError``.
    """
    slow: dict[str, Trace] = {}
    failed: dict[str, Trace] = {}
    for service in store.services():
        if service in _OTHERS:
            continue
        newest = store.search(service, start=since, end=until, limit=LOOKED_AT)
        slow |= _by_id(newest)
        if len(newest) == LOOKED_AT:
            limit_s = sorted(one.duration_s for one in newest)[int(_SLOW * len(newest))]
            slow |= _by_id(store.search(service, start=since, end=until, min_duration_s=limit_s, limit=LOOKED_AT))
        errors = store.search(service, tags={"error": "true"}, start=since, end=until, limit=LOOKED_AT)
        failed |= _by_id(errors)
    return chosen(slow, failed, store.page_url)


def chosen(
    slow: Mapping[str, Trace], failed: Mapping[str, Trace], page_url: Callable[[str], str]
) -> list[TraceEvidence]:
    """Return the slowest of ``slow`` and ``failed`` and the failed that a report shows, the slowest first.

    Both by trace id; ``page_url`` tells where a trace can be looked at.
    """
    slowest = sorted({**slow, **failed}.values(), key=lambda one: one.duration_s, reverse=True)[:SHOWN_EACH]
    broken = sorted(failed.values(), key=lambda one: (not _hits(one), -one.duration_s))[:SHOWN_EACH]
    found = _by_id([*slowest, *broken])
    ordered = sorted(found.values(), key=lambda one: one.duration_s, reverse=True)
    return [_evidence(page_url(one.trace_id), one, slowest, broken) for one in ordered]


def _by_id(traces: Sequence[Trace]) -> dict[str, Trace]:
    return {one.trace_id: one for one in traces if one.spans}


def _evidence(url: str, trace: Trace, slowest: Sequence[Trace], failed: Sequence[Trace]) -> TraceEvidence:
    root = trace.root
    why: list[Literal["slowest", "failed"]] = []
    if trace in slowest:
        why.append("slowest")
    if trace in failed:
        why.append("failed")
    depths = _depths(trace)
    ordered = [span for span, _ in depths]
    return TraceEvidence(
        trace_id=trace.trace_id,
        url=url,
        why=why,
        operation="" if root is None else root.operation,
        start=trace.start,
        duration_s=trace.duration_s,
        error=trace.error,
        hit_by=_hits(trace),
        spans=[
            SpanEvidence(
                operation=span.operation,
                service=span.service,
                start=span.start,
                duration_s=span.duration_s,
                depth=depth,
                error=span.error,
                fault=_fault(span),
            )
            for span, depth in depths[:MOST_SPANS]
        ],
        spans_left_out=max(0, len(ordered) - MOST_SPANS),
    )


def _depths(trace: Trace) -> list[tuple[Span, int]]:
    """Return the spans with their depth, each after its parent, children by start."""
    known = {span.span_id for span in trace.spans}
    children: dict[str | None, list[Span]] = {}
    for span in sorted(trace.spans, key=lambda one: one.start):
        children.setdefault(span.parent_id if span.parent_id in known else None, []).append(span)
    ordered: list[tuple[Span, int]] = []
    ahead = [(span, 0) for span in reversed(children.get(None, []))]
    while ahead:
        span, depth = ahead.pop()
        ordered.append((span, depth))
        ahead.extend((child, depth + 1) for child in reversed(children.get(span.span_id, [])))
    return ordered


def _attribute(attributes: Mapping[str, str], span: Span) -> str:
    return attributes.get("fault.kind") or span.operation


def _fault(span: Span) -> str:
    return ", ".join(sorted({_attribute(event.attributes, span) for event in span.events if event.name == MARK}))


def _hits(trace: Trace) -> list[str]:
    marks = (event for span in trace.spans for event in span.events if event.name == MARK)
    return sorted({event.attributes.get("fault.kind", "") for event in marks} - {""})
