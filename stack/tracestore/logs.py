"""Log records out of the store: those of one trace, and a search by service, severity, time, text. Blocking; no locks.

Never writes, and never reads a block that its index entry rules out.
"""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord as LogMessage
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData, ResourceLogs

from stack.tracestore.attributes import text_of, value_of, values_of
from stack.tracestore.blocks import logged_ns, service_of, unpacked
from stack.tracestore.model import Value

_FOREVER_NS = 2**63 - 1


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One log record. Its time is that of the record, else that of its observation; ids are hex, empty for none.

    ``severity_number`` is OTLP's, 1 to 24, 0 where it is unset; ``severity_text`` as its logger wrote it. A body that
    is a map or an array is its JSON text. ``resource`` is without ``service.name``.
    """

    time_unix_nano: int
    severity_number: int
    severity_text: str
    body: str
    attributes: Mapping[str, Value]
    trace_id: str
    span_id: str
    service: str
    scope: str
    resource: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class LogQuery:
    """What a search asks for. Times in nanoseconds, bounds inclusive.

    ``text`` must occur, letter by letter, in a string of the record: its body or the value of an attribute. Of
    ``attributes`` the record must have every one; their values compare as text. An empty ``trace_id`` is any.
    """

    service: str | None = None
    text: str = ""
    trace_id: bytes = b""
    attributes: tuple[tuple[str, str], ...] = ()
    severity_min: int = 0
    start_ns: int | None = None
    end_ns: int | None = None
    limit: int = 100


def log_services(connection: sqlite3.Connection) -> tuple[str, ...]:
    """Return the services that have log records in the store, by name."""
    return tuple(row[0] for row in connection.execute("SELECT DISTINCT service FROM log_entry ORDER BY service"))


def logs_of(connection: sqlite3.Connection, trace_id: bytes) -> tuple[LogRecord, ...]:
    """Return the log records of one trace, by time; a record that came twice comes once."""
    rows = connection.execute(
        "SELECT block.body FROM trace_block JOIN block ON block.id = trace_block.block_id"
        " WHERE trace_block.trace_id = ? AND block.signal = 'logs' ORDER BY block.id",
        (trace_id,),
    )
    found: dict[tuple[str, bytes], LogRecord] = {}
    for (body,) in rows:
        for resource, scope, message in messages(unpacked(body)):
            if message.trace_id == trace_id:
                key = service_of(resource.resource.attributes), message.SerializeToString()
                found.setdefault(key, record_of(resource, scope, message))
    return tuple(sorted(found.values(), key=lambda record: record.time_unix_nano))


def search_logs(connection: sqlite3.Connection, query: LogQuery) -> tuple[LogRecord, ...]:
    """Return the newest records that match all of the query, newest first, at most ``query.limit``."""
    if query.limit < 1:
        return ()
    text = query.text.encode("utf-8", "surrogatepass")
    found: dict[tuple[str, bytes], tuple[int, ResourceLogs, str, LogMessage]] = {}
    threshold_ns = -1
    for last_ns, compressed in candidates(connection, query):
        if len(found) >= query.limit and last_ns < threshold_ns:
            break
        body = unpacked(compressed)
        if text not in body:
            continue
        for resource, scope, message in messages(body):
            time_ns = logged_ns(message)
            if time_ns >= threshold_ns and matches(resource, message, time_ns, query):
                key = service_of(resource.resource.attributes), message.SerializeToString()
                found.setdefault(key, (time_ns, resource, scope, message))
        if len(found) >= query.limit:
            found = dict(heapq.nlargest(query.limit, found.items(), key=lambda item: item[1][0]))
            threshold_ns = min(time_ns for time_ns, *_ in found.values())
    newest = sorted(found.values(), key=lambda item: item[0], reverse=True)
    return tuple(record_of(resource, scope, message) for _, resource, scope, message in newest)


def candidates(connection: sqlite3.Connection, query: LogQuery) -> Iterator[tuple[int, bytes]]:
    """Yield the compressed bodies of blocks that may hold a match, with their newest time, the newest first."""
    conditions = ["last_ns >= ?", "first_ns <= ?", "severest >= ?"]
    arguments: list[str | int | bytes] = [
        query.start_ns or 0,
        _FOREVER_NS if query.end_ns is None else query.end_ns,
        query.severity_min,
    ]
    if query.service is not None:
        conditions.append("service = ?")
        arguments.append(query.service)
    if query.trace_id:
        conditions.append("block_id IN (SELECT block_id FROM trace_block WHERE trace_id = ?)")
        arguments.append(query.trace_id)
    blocks = connection.execute(
        f"SELECT block_id, max(last_ns) AS newest FROM log_entry WHERE {' AND '.join(conditions)}"  # noqa: S608 - ours
        " GROUP BY block_id ORDER BY newest DESC",
        arguments,
    ).fetchall()
    for block_id, last_ns in blocks:
        row = connection.execute("SELECT body FROM block WHERE id = ?", (block_id,)).fetchone()
        if row is not None:
            yield last_ns, row[0]


def messages(body: bytes) -> Iterator[tuple[ResourceLogs, str, LogMessage]]:
    """Yield the records in a block's body, each with its resource and the name of its scope."""
    data = LogsData()
    data.ParseFromString(body)
    for resource in data.resource_logs:
        for scope in resource.scope_logs:
            for message in scope.log_records:
                yield resource, scope.scope.name, message


def matches(resource: ResourceLogs, message: LogMessage, time_ns: int, query: LogQuery) -> bool:
    """Say whether a record is what ``query`` asks for."""
    if message.severity_number < query.severity_min or time_ns < (query.start_ns or 0):
        return False
    if query.end_ns is not None and time_ns > query.end_ns:
        return False
    if query.service is not None and service_of(resource.resource.attributes) != query.service:
        return False
    if query.trace_id and message.trace_id != query.trace_id:
        return False
    if query.attributes:
        known = {pair.key: text_of(value_of(pair.value)) for pair in message.attributes}
        if any(known.get(key) != wanted for key, wanted in query.attributes):
            return False
    return not query.text or any(query.text in text for text in _strings(message.body, message.attributes))


def _strings(value: AnyValue, pairs: Iterable[KeyValue] = ()) -> Iterator[str]:
    """Yield every string within a value and within the values of some pairs."""
    which = value.WhichOneof("value")
    if which == "string_value":
        yield value.string_value
    elif which == "array_value":
        for item in value.array_value.values:
            yield from _strings(item)
    elif which == "kvlist_value":
        for pair in value.kvlist_value.values:
            yield from _strings(pair.value)
    for pair in pairs:
        yield from _strings(pair.value)


def record_of(resource: ResourceLogs, scope: str, message: LogMessage) -> LogRecord:
    """Return a record as it is given out."""
    attributes = values_of(resource.resource.attributes)
    attributes.pop("service.name", None)
    return LogRecord(
        time_unix_nano=logged_ns(message),
        severity_number=message.severity_number,
        severity_text=message.severity_text,
        body=text_of(value_of(message.body)),
        attributes=values_of(message.attributes),
        trace_id=message.trace_id.hex() if len(message.trace_id) == 16 and any(message.trace_id) else "",
        span_id=message.span_id.hex() if len(message.span_id) == 8 and any(message.span_id) else "",
        service=service_of(resource.resource.attributes),
        scope=scope,
        resource=attributes,
    )
