"""Reading: searches and whole traces from one read-only connection. Blocking; no locks."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator

from opentelemetry.proto.trace.v1.trace_pb2 import Span, TracesData

from stack.tracestore.assembly import Assembly
from stack.tracestore.attributes import text_of, values_of
from stack.tracestore.blocks import spans_in
from stack.tracestore.finder import find
from stack.tracestore.model import (
    KINDS,
    NO_SERVICE,
    Event,
    Link,
    Operation,
    Resource,
    Scope,
    StoredSpan,
    StoredTrace,
    TraceQuery,
)


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


def traces(connection: sqlite3.Connection, trace_ids: Iterable[bytes]) -> dict[bytes, StoredTrace]:
    """Return whole traces by id; ids that the store does not have are left out."""
    spans: dict[bytes, list[StoredSpan]] = defaultdict(list)
    for wanted, body in _bodies(connection, trace_ids):
        for span in _spans(spans_in(body), wanted):
            spans[span.trace_id].append(span)
    return {trace_id: StoredTrace(trace_id, _ordered(found)) for trace_id, found in spans.items()}


def exports(connection: sqlite3.Connection, trace_ids: Iterable[bytes]) -> list[TracesData]:
    """Return whole traces as they came, one message a trace, the newest first; a span that came twice comes once."""
    found: dict[bytes, Assembly] = defaultdict(Assembly)
    for wanted, body in _bodies(connection, trace_ids):
        for resource in spans_in(body).resource_spans:
            for scope in resource.scope_spans:
                for span in scope.spans:
                    if span.trace_id in wanted:
                        found[span.trace_id].add(resource, scope, span)
    return [part.data for part in sorted(found.values(), key=lambda part: part.start_ns, reverse=True)]


def _bodies(connection: sqlite3.Connection, trace_ids: Iterable[bytes]) -> Iterator[tuple[set[bytes], bytes]]:
    """Yield the bodies of the blocks that hold any of the traces, with the ids of those that each holds."""
    wanted: dict[int, set[bytes]] = defaultdict(set)
    for trace_id in trace_ids:
        for (block_id,) in connection.execute("SELECT block_id FROM trace_block WHERE trace_id = ?", (trace_id,)):
            wanted[block_id].add(trace_id)
    for block_id in sorted(wanted):
        row = connection.execute("SELECT body FROM block WHERE id = ? AND signal = 'traces'", (block_id,)).fetchone()
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


def _ordered(spans: list[StoredSpan]) -> tuple[StoredSpan, ...]:
    """Return spans by start time, each once: an exporter that missed an answer sends its batch again."""
    unique: dict[tuple[bytes, int, int, str], StoredSpan] = {}
    for span in spans:
        unique.setdefault((span.span_id, span.kind, span.start_ns, span.name), span)
    return tuple(sorted(unique.values(), key=lambda span: span.start_ns))


def _kind_name(number: int) -> str:
    return KINDS[number] if 0 <= number < len(KINDS) else ""
