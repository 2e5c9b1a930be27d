"""Which service calls which: counted from the spans in the store. Its work is bounded, however much is stored.

A call is a span whose parent belongs to another service, as in Jaeger. The newest ``MOST_SPANS`` spans of the window
are read; calls before those are not counted.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from stack.tracestore.attributes import text_of, value_of
from stack.tracestore.blocks import spans_in
from stack.tracestore.model import NO_SERVICE

MOST_SPANS = 100_000


@dataclass(frozen=True, slots=True)
class Dependency:
    """So many calls from one service to another."""

    parent: str
    child: str
    calls: int


def dependencies(
    connection: sqlite3.Connection, start_ns: int, end_ns: int, most_spans: int = MOST_SPANS
) -> tuple[Dependency, ...]:
    """Return the calls between services of spans that started in a window (nanoseconds), by the services' names."""
    if len(_services(connection, start_ns, end_ns)) < 2:
        return ()
    owners: dict[tuple[bytes, bytes], str] = {}
    calls: dict[tuple[bytes, bytes], tuple[tuple[bytes, bytes], str]] = {}  # by span: one sent again counts once
    for body in _bodies(connection, start_ns, end_ns, most_spans):
        for resource in spans_in(body).resource_spans:
            named = (pair for pair in resource.resource.attributes if pair.key == "service.name")
            service = next((text_of(value_of(pair.value)) for pair in named), "") or NO_SERVICE
            for scope in resource.scope_spans:
                for span in scope.spans:
                    trace_id = span.trace_id
                    owners[trace_id, span.span_id] = service
                    if span.parent_span_id and start_ns <= span.start_time_unix_nano <= end_ns:
                        calls[trace_id, span.span_id] = ((trace_id, span.parent_span_id), service)
    counted = Counter(
        (owners[parent], service) for parent, service in calls.values() if owners.get(parent, service) != service
    )
    return tuple(Dependency(parent, child, calls) for (parent, child), calls in sorted(counted.items()))


def _services(connection: sqlite3.Connection, start_ns: int, end_ns: int) -> list[str]:
    """Return the services that have spans in the window."""
    found = connection.execute(
        "SELECT DISTINCT service FROM entry WHERE last_ns >= ? AND first_ns <= ?", (start_ns, end_ns)
    )
    return [service for (service,) in found]


def _bodies(connection: sqlite3.Connection, start_ns: int, end_ns: int, most_spans: int) -> Iterator[bytes]:
    """Yield the bodies of the blocks with spans in the window, the newest first, until they hold enough spans."""
    left = most_spans
    rows = connection.execute(
        "SELECT block_id, max(last_ns) AS newest FROM entry WHERE last_ns >= ? AND first_ns <= ?"
        " GROUP BY block_id ORDER BY newest DESC",
        (start_ns, end_ns),
    ).fetchall()
    for block_id, _ in rows:
        if left <= 0:
            return
        row = connection.execute("SELECT items, body FROM block WHERE id = ?", (block_id,)).fetchone()
        if row is not None:
            left -= row[0]
            yield row[1]
