"""The critical path: known traces by hand, and what holds for every tree of spans."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stack.tracestore.critical_path import critical_path
from stack.tracestore.model import Resource, Scope, StoredSpan, StoredTrace

Shape = tuple[int, int, int, int]
"""Number, parent's number (0 for none), start, end."""


def trace_of(*shapes: Shape) -> StoredTrace:
    """Return a trace of spans by number, in the order of their starts."""
    spans = [
        StoredSpan(
            trace_id=b"t" * 16,
            span_id=number.to_bytes(8, "big"),
            parent_id=parent.to_bytes(8, "big") if parent else b"",
            name=str(number),
            kind=0,
            start_ns=start,
            end_ns=end,
            attributes={},
            events=(),
            links=(),
            status=0,
            status_message="",
            trace_state="",
            resource=Resource("s", {}),
            scope=Scope("", "", {}),
        )
        for number, parent, start, end in shapes
    ]
    return StoredTrace(b"t" * 16, tuple(sorted(spans, key=lambda span: span.start_ns)))


@pytest.mark.parametrize(
    ("shapes", "path"),
    [
        ([(1, 0, 0, 10)], [("1", 0, 10)]),
        # One child: the root before and after it.
        ([(1, 0, 0, 100), (2, 1, 20, 80)], [("1", 80, 100), ("2", 20, 80), ("1", 0, 20)]),
        # One after the other, with a gap: back from the last.
        (
            [(1, 0, 0, 100), (2, 1, 10, 30), (3, 1, 50, 90)],
            [("1", 90, 100), ("3", 50, 90), ("1", 30, 50), ("2", 10, 30), ("1", 0, 10)],
        ),
        # Side by side: only the one that ends last.
        ([(1, 0, 0, 100), (2, 1, 10, 60), (3, 1, 10, 90)], [("1", 90, 100), ("3", 10, 90), ("1", 0, 10)]),
        # Back to back: no gap, no root in between.
        ([(1, 0, 0, 100), (2, 1, 0, 40), (3, 1, 40, 100)], [("3", 40, 100), ("2", 0, 40)]),
        # A child that outlives its parent is cut, one that begins after it does not count.
        ([(1, 0, 0, 50), (2, 1, 20, 90), (3, 1, 60, 70)], [("2", 20, 50), ("1", 0, 20)]),
        # A child that began before its parent (clocks) is cut, too; its own child goes with it.
        ([(1, 0, 50, 100), (2, 1, 10, 80), (3, 2, 20, 60)], [("1", 80, 100), ("2", 60, 80), ("3", 50, 60)]),
        # Grandchildren.
        (
            [(1, 0, 0, 100), (2, 1, 10, 90), (3, 2, 30, 70)],
            [("1", 90, 100), ("2", 70, 90), ("3", 30, 70), ("2", 10, 30), ("1", 0, 10)],
        ),
        # A child without length, next to another.
        ([(1, 0, 0, 10), (2, 1, 5, 5), (3, 1, 5, 5)], [("1", 5, 10), ("1", 0, 5)]),
        # Without a root: the first whose parent is missing.
        ([(2, 9, 0, 10), (3, 2, 0, 10)], [("3", 0, 10)]),
        # A circle, and a root without length.
        ([(1, 2, 0, 10), (2, 1, 0, 10)], []),
        ([(1, 0, 5, 5)], []),
    ],
)
def test_known_paths(shapes: list[Shape], path: list[tuple[str, int, int]]) -> None:
    """Sections from the end of the root back to its start."""
    found = [(section.span.name, section.start_ns, section.end_ns) for section in critical_path(trace_of(*shapes))]
    assert found == path


@st.composite
def shapes(draw: st.DrawFn) -> list[Shape]:
    """Draw up to 12 spans whose parents may be anyone: earlier, later, missing, themselves."""
    count = draw(st.integers(1, 12))
    times = st.tuples(st.integers(0, 30), st.integers(0, 30))
    return [(number, draw(st.integers(0, count + 2)), *draw(times)) for number in range(1, count + 1)]


@given(shapes())
def test_the_path_covers_the_roots_time_once(drawn: list[Shape]) -> None:
    """Whatever the tree: sections follow each other without gap or overlap from the root's end to its start."""
    trace = trace_of(*drawn)
    path = critical_path(trace)
    known = {span.span_id for span in trace.spans}
    roots = [span for span in trace.spans if not span.parent_id]
    roots = roots or [span for span in trace.spans if span.parent_id not in known]
    if not path:
        assert not roots or roots[0].duration_ns == 0
        return
    assert (path[0].end_ns, path[-1].start_ns) == (roots[0].end_ns, roots[0].start_ns)
    for later, earlier in itertools.pairwise(path):
        assert later.start_ns == earlier.end_ns
    assert all(section.start_ns < section.end_ns for section in path)
    assert all(section.span.start_ns <= section.start_ns and section.end_ns <= section.span.end_ns for section in path)


def test_a_deep_and_a_wide_trace_end() -> None:
    """Ten thousand spans below, or beside, each other are walked without recursion and without a square of steps."""
    depth = 10_000
    deep = trace_of(*((n, n - 1, n, 3 * depth - n) for n in range(1, depth + 1)))
    assert len(critical_path(deep)) == 2 * depth - 1
    wide = trace_of((1, 0, 0, 2 * depth + 10), *((n, 1, 2 * n, 2 * n + 1) for n in range(2, depth)))
    assert len(critical_path(wide)) == 2 * (depth - 2) + 1
