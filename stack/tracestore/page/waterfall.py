"""The layout of a waterfall: which span comes on which line, how deep, and where its bar lies. No HTML."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from stack.tracestore.critical_path import critical_path
from stack.tracestore.model import StoredSpan, StoredTrace

TICKS = 5


@dataclass(frozen=True, slots=True)
class Line:
    """One span's line. ``left`` and ``width`` are shares of the trace; ``orphan``: its parent is not stored.

    ``critical`` are the parts of the span on the critical path: where each begins and how wide it is.
    """

    span: StoredSpan
    depth: int
    left: float
    width: float
    orphan: bool
    critical: tuple[tuple[float, float], ...] = ()
    critical_ns: int = 0


@dataclass(frozen=True, slots=True)
class Waterfall:
    """A trace laid out: lines depth first, the axis's ticks in nanoseconds, services in order of appearance."""

    lines: tuple[Line, ...]
    ticks_ns: tuple[float, ...]
    services: tuple[str, ...]
    depth: int

    def share(self, trace: StoredTrace, time_ns: int) -> float:
        """Return where a moment lies on the axis, 0 to 1."""
        return min(1.0, max(0.0, (time_ns - trace.start_ns) / max(1, trace.duration_ns)))


def lay_out(trace: StoredTrace) -> Waterfall:
    """Return the waterfall of a trace. Children follow their parent by start time; every span appears once.

    A span whose parent is not stored stands at the top; so does one of a circle, so that nothing is lost or endless.
    """
    known = {span.span_id for span in trace.spans}
    children: dict[bytes, list[StoredSpan]] = defaultdict(list)
    tops: list[StoredSpan] = []
    for span in trace.spans:
        if span.parent_id in known and span.parent_id != span.span_id:
            children[span.parent_id].append(span)
        else:
            tops.append(span)
    path: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for section in critical_path(trace):
        path[id(section.span)].append((section.start_ns, section.end_ns))
    placed: set[int] = set()
    lines: list[Line] = []
    total_ns = max(1, trace.duration_ns)
    for top in [*tops, *trace.spans]:
        waiting = [(top, 0)]
        while waiting:
            span, depth = waiting.pop()
            if id(span) in placed:
                continue
            placed.add(id(span))
            left = (span.start_ns - trace.start_ns) / total_ns
            orphan = bool(span.parent_id) and span.parent_id not in known
            parts = path.get(id(span), ())
            critical = tuple(((begin - trace.start_ns) / total_ns, (end - begin) / total_ns) for begin, end in parts)
            critical_ns = sum(end - begin for begin, end in parts)
            width = min(1.0 - left, span.duration_ns / total_ns)
            lines.append(Line(span, depth, left, width, orphan, critical, critical_ns))
            waiting.extend((child, depth + 1) for child in reversed(children[span.span_id]))
    ticks = tuple(trace.duration_ns * place / (TICKS - 1) for place in range(TICKS))
    services = tuple(dict.fromkeys(line.span.resource.service for line in lines))
    return Waterfall(tuple(lines), ticks, services, max(line.depth for line in lines))
