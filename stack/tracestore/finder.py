"""Finding: which traces have a span that matches all of a query. Reads the index alone, never a body. Blocking."""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Iterable, Iterator
from typing import cast

from stack.tracestore.blocks import rows_of
from stack.tracestore.model import TraceQuery
from stack.tracestore.terms import needles

_FOREVER_NS = 2**63 - 1


def find(connection: sqlite3.Connection, query: TraceQuery) -> list[bytes]:
    """Return the ids of the traces with the newest matching spans, at most ``query.limit``.

    Entries are read newest first; reading stops when no further entry can hold a newer match than those found.
    """
    tags = [needles(key, value) for key, value in query.tags]
    newest: dict[bytes, int] = {}
    threshold_ns = -1
    for shared, last_ns, rows, lines in _candidates(connection, query):
        if len(newest) >= query.limit and last_ns < threshold_ns:
            break
        wanted = [own for own, inherited in tags if own not in shared and inherited not in shared]
        for trace_id, start_ns in _matches(rows, lines, wanted, query):
            if start_ns > newest.get(trace_id, -1):
                newest[trace_id] = start_ns
        if len(newest) >= query.limit:
            newest = dict(heapq.nlargest(query.limit, newest.items(), key=lambda item: item[1]))
            threshold_ns = min(newest.values())
    return list(newest)


def _candidates(connection: sqlite3.Connection, query: TraceQuery) -> Iterator[tuple[bytes, int, bytes, bytes]]:
    """Yield the index entries whose bounds allow a match, those with the newest spans first."""
    conditions = ["last_ns >= ?", "first_ns <= ?", "longest_ns >= ?", "shortest_ns <= ?"]
    arguments: list[str | int] = [
        query.start_ns or 0,
        _FOREVER_NS if query.end_ns is None else query.end_ns,
        query.shortest_ns or 0,
        _FOREVER_NS if query.longest_ns is None else query.longest_ns,
    ]
    for column, value in (("service", query.service), ("operation", query.operation)):
        if value:
            conditions.append(f"{column} = ?")
            arguments.append(value)
    index = "entry_service" if query.service else "entry_newest"
    cursor = connection.execute(
        f"SELECT shared, last_ns, rows, lines FROM entry INDEXED BY {index}"  # noqa: S608 - our own names
        f" WHERE {' AND '.join(conditions)} ORDER BY last_ns DESC",
        arguments,
    )
    return cast("Iterator[tuple[bytes, int, bytes, bytes]]", cursor)


def _matches(rows: bytes, lines: bytes, wanted: list[bytes], query: TraceQuery) -> Iterator[tuple[bytes, int]]:
    """Yield trace id and start of the spans of an entry that match."""
    if not all(needle in lines for needle in wanted):
        return
    first_ns = query.start_ns or 0
    last_ns = _FOREVER_NS if query.end_ns is None else query.end_ns
    shortest_ns = query.shortest_ns or 0
    longest_ns = _FOREVER_NS if query.longest_ns is None else query.longest_ns
    spans: Iterable[tuple[bytes, int, int]] = rows_of(rows)
    if wanted:
        texts = lines.split(b"\n")
        remaining = texts
        for needle in wanted:
            remaining = [text for text in remaining if needle in text]
        if not remaining:
            return
        chosen = {id(text) for text in remaining}
        spans = (span for span, text in zip(spans, texts, strict=True) if id(text) in chosen)
    for trace_id, start_ns, duration_ns in spans:
        if first_ns <= start_ns <= last_ns and shortest_ns <= duration_ns <= longest_ns:
            yield trace_id, start_ns
