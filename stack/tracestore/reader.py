"""Reading: searches and whole traces from one read-only connection. Blocking; no locks."""

from __future__ import annotations

import heapq
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import cast

from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.trace.v1.trace_pb2 import Span, TracesData

from stack.tracestore.attributes import text_of, value_of, values_of
from stack.tracestore.blocks import logs_in, rows_of, spans_in
from stack.tracestore.model import (
    KINDS,
    NO_SERVICE,
    Event,
    Link,
    Operation,
    Resource,
    Scope,
    StoredLog,
    StoredSpan,
    StoredTrace,
    TraceQuery,
)
from stack.tracestore.terms import needles

_FOREVER_NS = 2**63 - 1


def services(connection: sqlite3.Connection) -> tuple[str, ...]:
    """Return the services that have spans in the store, by name."""
    return tuple(row[0] for row in connection.execute("SELECT DISTINCT service FROM entry ORDER BY service"))


def operations(connection: sqlite3.Connection, service: str, kind: str = "") -> tuple[Operation, ...]:
    """Return the operations of a service, of one span kind or of all, by name."""
    rows = connection.execute(
        "SELECT DISTINCT operation, kind FROM entry WHERE service = ? ORDER BY operation, kind", (service,)
    )
    found = (Operation(name, _kind_name(number)) for name, number in rows)
    return tuple(operation for operation in found if kind in {"", operation.kind})


def search(connection: sqlite3.Connection, query: TraceQuery) -> tuple[StoredTrace, ...]:
    """Return the newest traces of which one span matches all of the query, newest first."""
    found = traces(connection, find(connection, query))
    return tuple(sorted(found.values(), key=lambda trace: trace.start_ns, reverse=True))


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


def traces(connection: sqlite3.Connection, trace_ids: Iterable[bytes]) -> dict[bytes, StoredTrace]:
    """Return whole traces by id; ids that the store does not have are left out."""
    spans: dict[bytes, list[StoredSpan]] = defaultdict(list)
    for wanted, body in _bodies(connection, trace_ids, "traces"):
        for span in _spans(spans_in(body), wanted):
            spans[span.trace_id].append(span)
    return {trace_id: StoredTrace(trace_id, _ordered(found)) for trace_id, found in spans.items()}


def logs(connection: sqlite3.Connection, trace_id: bytes) -> tuple[StoredLog, ...]:
    """Return the log records of one trace, by time."""
    found = [
        record for _, body in _bodies(connection, [trace_id], "logs") for record in _records(logs_in(body), trace_id)
    ]
    return tuple(sorted(found, key=lambda record: record.time_ns))


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


def _bodies(
    connection: sqlite3.Connection, trace_ids: Iterable[bytes], signal: str
) -> Iterator[tuple[set[bytes], bytes]]:
    """Yield the bodies of the blocks that hold any of the traces, with the ids of those that each holds."""
    wanted: dict[int, set[bytes]] = defaultdict(set)
    for trace_id in trace_ids:
        for (block_id,) in connection.execute("SELECT block_id FROM trace_block WHERE trace_id = ?", (trace_id,)):
            wanted[block_id].add(trace_id)
    for block_id in sorted(wanted):
        row = connection.execute("SELECT body FROM block WHERE id = ? AND signal = ?", (block_id, signal)).fetchone()
        if row is not None:
            yield wanted[block_id], row[0]


def _spans(data: TracesData, wanted: set[bytes]) -> Iterator[StoredSpan]:
    for resource_spans in data.resource_spans:
        resource: Resource | None = None
        for scope_spans in resource_spans.scope_spans:
            scope: Scope | None = None
            for span in scope_spans.spans:
                if span.trace_id in wanted:
                    if resource is None:
                        attributes = values_of(resource_spans.resource.attributes)
                        resource = Resource(text_of(attributes.pop("service.name", "")) or NO_SERVICE, attributes)
                    if scope is None:
                        made_by = scope_spans.scope
                        scope = Scope(made_by.name, made_by.version, values_of(made_by.attributes))
                    yield _span(span, resource, scope)


def _span(span: Span, resource: Resource, scope: Scope) -> StoredSpan:
    return StoredSpan(
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_id=span.parent_span_id if any(span.parent_span_id) else b"",
        name=span.name,
        kind=span.kind,
        start_ns=span.start_time_unix_nano,
        end_ns=span.end_time_unix_nano,
        attributes=values_of(span.attributes),
        events=tuple(Event(event.time_unix_nano, event.name, values_of(event.attributes)) for event in span.events),
        links=tuple(Link(link.trace_id, link.span_id, values_of(link.attributes)) for link in span.links),
        status=span.status.code,
        status_message=span.status.message,
        trace_state=span.trace_state,
        resource=resource,
        scope=scope,
    )


def _records(data: LogsData, trace_id: bytes) -> Iterator[StoredLog]:
    for resource_logs in data.resource_logs:
        attributes = values_of(resource_logs.resource.attributes)
        service = text_of(attributes.get("service.name", "")) or NO_SERVICE
        for scope_logs in resource_logs.scope_logs:
            for record in scope_logs.log_records:
                if record.trace_id == trace_id:
                    yield StoredLog(
                        record.time_unix_nano or record.observed_time_unix_nano,
                        record.severity_text,
                        text_of(value_of(record.body)),
                        record.span_id,
                        values_of(record.attributes),
                        service,
                    )


def _ordered(spans: list[StoredSpan]) -> tuple[StoredSpan, ...]:
    """Return spans by start time, each once: an exporter that missed an answer sends its batch again."""
    unique: dict[tuple[bytes, int, int, str], StoredSpan] = {}
    for span in spans:
        unique.setdefault((span.span_id, span.kind, span.start_ns, span.name), span)
    return tuple(sorted(unique.values(), key=lambda span: span.start_ns))


def _kind_name(number: int) -> str:
    return KINDS[number] if 0 <= number < len(KINDS) else ""
