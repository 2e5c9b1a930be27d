"""The critical path of a trace: which span the trace was waiting for at every moment. No HTML, no storage.

Source: the algorithm of Jaeger (its interface's ``CriticalPath`` and ``internal/criticalpath`` in its query extension):
children are first cut to their parent's extent; then the walk goes back from the root's end through the child that
finished last, and on from where that child started. Unlike there, a child that ends in the very nanosecond in which the
next one starts belongs to the path, the walk is a loop (deep traces), and spans in a circle are left out.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from stack.tracestore.model import StoredSpan, StoredTrace


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch of the path that a span itself took. Nanoseconds since the epoch."""

    span: StoredSpan
    start_ns: int
    end_ns: int


@dataclass(slots=True)
class _Visit:
    """A span on the walk: what of it is not accounted for yet (up to ``cursor_ns``), and its children by their end."""

    span: StoredSpan
    start_ns: int
    cursor_ns: int
    children: list[tuple[int, int, StoredSpan]]


def critical_path(trace: StoredTrace) -> tuple[Section, ...]:
    """Return the sections of the path, the last first: together they cover the root's time without gap or overlap.

    The root is the first span without a parent, else the first whose parent is not stored; of the rest of such a trace
    nothing is on the path. A trace that has neither (a circle), or whose root takes no time, has no path.
    """
    known = {span.span_id for span in trace.spans}
    children: defaultdict[bytes, list[StoredSpan]] = defaultdict(list)
    for span in trace.spans:
        if span.parent_id != span.span_id:
            children[span.parent_id].append(span)
    root = next((span for span in trace.spans if not span.parent_id), None) or next(
        (span for span in trace.spans if span.parent_id not in known), None
    )
    if root is None:
        return ()
    sections: list[Section] = []
    seen: set[bytes] = {root.span_id}
    walk = [_visit(root, root.start_ns, root.start_ns + root.duration_ns, children, seen)]
    while walk:
        here = walk[-1]
        while here.children and here.children[-1][0] > here.cursor_ns:
            here.children.pop()
        begin_ns = here.children[-1][0] if here.children else here.start_ns
        if begin_ns < here.cursor_ns:
            sections.append(Section(here.span, begin_ns, here.cursor_ns))
        if not here.children:
            walk.pop()
            continue
        end_ns, start_ns, child = here.children.pop()
        here.cursor_ns = start_ns
        walk.append(_visit(child, start_ns, end_ns, children, seen))
    return tuple(sections)


def _visit(
    span: StoredSpan, start_ns: int, end_ns: int, children: dict[bytes, list[StoredSpan]], seen: set[bytes]
) -> _Visit:
    """Return the visit of a span that was cut to an extent, with its children cut to the same, the last to end last."""
    inside: list[tuple[int, int, StoredSpan]] = []
    for child in children.get(span.span_id, ()):
        child_start_ns, child_end_ns = child.start_ns, child.start_ns + child.duration_ns
        if child_start_ns >= end_ns or child_end_ns <= start_ns or child.span_id in seen:
            continue
        seen.add(child.span_id)
        inside.append((min(child_end_ns, end_ns), max(child_start_ns, start_ns), child))
    inside.sort(key=lambda item: (item[0], -item[1]))
    return _Visit(span, start_ns, end_ns, inside)
