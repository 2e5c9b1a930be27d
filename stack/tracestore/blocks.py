"""Blocks: what one commit writes. A compressed OTLP body, and beside it an index of a few rows instead of one a tag.

An index entry stands for the spans of one service, operation, kind, resource and scope in one block. Its bounds rule
most entries out; of the rest, lines of text are scanned (see ``terms``). Log records have an entry per service, with
bounds alone.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, LogsData
from opentelemetry.proto.trace.v1.trace_pb2 import Span, TracesData

from stack.tracestore.attributes import text_of, value_of
from stack.tracestore.errors import DatabaseDamaged
from stack.tracestore.model import NO_SERVICE
from stack.tracestore.otlp import Export, Signal
from stack.tracestore.terms import line_of, shared_line

_ROW = struct.Struct("<16sQQ")
_MOST = 2**63 - 1
Data = TypeVar("Data", TracesData, LogsData)


@dataclass(frozen=True, slots=True)
class Entry:
    """One index entry. Times in nanoseconds; ``rows`` and ``lines`` run parallel, one item a span."""

    service: str
    operation: str
    kind: int
    shared: bytes
    first_ns: int
    last_ns: int
    shortest_ns: int
    longest_ns: int
    rows: bytes
    lines: bytes


@dataclass(frozen=True, slots=True)
class LogEntry:
    """The bounds of one service's log records: times in nanoseconds, the highest severity number."""

    service: str
    first_ns: int
    last_ns: int
    severest: int


@dataclass(frozen=True, slots=True)
class Block:
    """What one row of the block table holds, with its index."""

    signal: Signal
    body: bytes
    items: int
    trace_ids: frozenset[bytes]
    entries: tuple[Entry, ...]
    logs: tuple[LogEntry, ...] = ()

    @property
    def size(self) -> int:
        """About how many bytes it takes, index included."""
        index = sum(len(entry.shared) + len(entry.rows) + len(entry.lines) + 512 for entry in self.entries)
        return len(self.body) + index + 128 * len(self.trace_ids)


@dataclass(slots=True)
class _Draft:
    """An index entry that grows."""

    rows: list[bytes] = field(default_factory=list)
    lines: list[bytes] = field(default_factory=list)
    first_ns: int = _MOST
    last_ns: int = 0
    shortest_ns: int = _MOST
    longest_ns: int = 0

    def add(self, span: Span) -> None:
        start_ns = min(span.start_time_unix_nano, _MOST)
        duration_ns = min(max(0, span.end_time_unix_nano - start_ns), _MOST)
        self.rows.append(_ROW.pack(span.trace_id, start_ns, duration_ns))
        self.lines.append(line_of(span).encode("utf-8", "surrogatepass"))
        self.first_ns = min(self.first_ns, start_ns)
        self.last_ns = max(self.last_ns, start_ns)
        self.shortest_ns = min(self.shortest_ns, duration_ns)
        self.longest_ns = max(self.longest_ns, duration_ns)


def build(signal: Signal, exports: Iterable[Export]) -> Block:
    """Return one block of exports of one signal. Concatenated OTLP messages are one message: bodies are just joined."""
    bodies: list[bytes] = []
    items = 0
    trace_ids: set[bytes] = set()
    drafts: dict[tuple[str, str, int, bytes], _Draft] = {}
    logs: list[LogEntry] = []
    for export in exports:
        bodies.append(export.body)
        items += export.items
        if isinstance(export.data, LogsData):
            trace_ids.update(_log_trace_ids(export.data))
            logs.extend(log_entries(export.data))
        else:
            _index(export.data, drafts, trace_ids)
    entries = tuple(
        Entry(
            *key,
            draft.first_ns,
            draft.last_ns,
            draft.shortest_ns,
            draft.longest_ns,
            b"".join(draft.rows),
            b"\n".join(draft.lines),
        )
        for key, draft in drafts.items()
    )
    return Block(signal, zlib.compress(b"".join(bodies), 1), items, frozenset(trace_ids), entries, _joined(logs))


def merge(blocks: Iterable[Block]) -> Block:
    """Return one block in place of several of the same signal, oldest first. At least one block."""
    merged = list(blocks)
    grouped: dict[tuple[str, str, int, bytes], list[Entry]] = {}
    for block in merged:
        for entry in block.entries:
            grouped.setdefault((entry.service, entry.operation, entry.kind, entry.shared), []).append(entry)
    entries = tuple(
        Entry(
            *key,
            min(part.first_ns for part in parts),
            max(part.last_ns for part in parts),
            min(part.shortest_ns for part in parts),
            max(part.longest_ns for part in parts),
            b"".join(part.rows for part in parts),
            b"\n".join(part.lines for part in parts),
        )
        for key, parts in grouped.items()
    )
    return Block(
        merged[0].signal,
        zlib.compress(b"".join(unpacked(block.body) for block in merged), 1),
        sum(block.items for block in merged),
        frozenset().union(*(block.trace_ids for block in merged)),
        entries,
        _joined(entry for block in merged for entry in block.logs),
    )


def rows_of(rows: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield trace id, start and duration (nanoseconds) of each span of an entry."""
    return _ROW.iter_unpack(rows)


def unpacked(body: bytes) -> bytes:
    """Return the OTLP bytes of a block's body; raise ``DatabaseDamaged`` where they are not what was written."""
    try:
        return zlib.decompress(body)
    except zlib.error as error:
        raise DatabaseDamaged(f"a block cannot be decompressed ({error})") from error


def spans_in(body: bytes) -> TracesData:
    """Return the spans of a block's body."""
    return _parsed(TracesData(), unpacked(body))


def logs_in(body: bytes) -> LogsData:
    """Return the log records of a block's body."""
    return _parsed(LogsData(), unpacked(body))


def _parsed(data: Data, body: bytes) -> Data:
    try:
        data.ParseFromString(body)
    except DecodeError as error:
        raise DatabaseDamaged(f"a block cannot be read ({error})") from error
    return data


def service_of(attributes: Iterable[KeyValue]) -> str:
    """Return the service that a resource's attributes name."""
    return next((text_of(value_of(pair.value)) for pair in attributes if pair.key == "service.name"), "") or NO_SERVICE


def logged_ns(record: LogRecord) -> int:
    """Return the time of a log record in nanoseconds: its own, else that of its observation."""
    return min(record.time_unix_nano or record.observed_time_unix_nano, _MOST)


def log_entries(data: LogsData) -> Iterator[LogEntry]:
    """Yield the index of log records, one entry a resource that has any."""
    for resource in data.resource_logs:
        records = [record for scope in resource.scope_logs for record in scope.log_records]
        if records:
            times = [logged_ns(record) for record in records]
            severest = max(record.severity_number for record in records)
            yield LogEntry(service_of(resource.resource.attributes), min(times), max(times), severest)


def _joined(entries: Iterable[LogEntry]) -> tuple[LogEntry, ...]:
    """Return one entry a service in place of several."""
    grouped: dict[str, list[LogEntry]] = {}
    for entry in entries:
        grouped.setdefault(entry.service, []).append(entry)
    return tuple(
        LogEntry(
            service,
            min(part.first_ns for part in parts),
            max(part.last_ns for part in parts),
            max(part.severest for part in parts),
        )
        for service, parts in grouped.items()
    )


def _index(data: TracesData, drafts: dict[tuple[str, str, int, bytes], _Draft], trace_ids: set[bytes]) -> None:
    for resource in data.resource_spans:
        attributes = resource.resource.attributes
        service = service_of(attributes)
        for scope in resource.scope_spans:
            shared: dict[int, bytes] = {}
            for span in scope.spans:
                kind = span.kind
                if kind not in shared:
                    line = shared_line(attributes, scope.scope, kind)
                    shared[kind] = line.encode("utf-8", "surrogatepass")
                draft = drafts.setdefault((service, span.name, kind, shared[kind]), _Draft())
                draft.add(span)
                trace_ids.add(span.trace_id)


def _log_trace_ids(data: LogsData) -> Iterator[bytes]:
    for resource in data.resource_logs:
        for scope in resource.scope_logs:
            for record in scope.log_records:
                if len(record.trace_id) == 16 and any(record.trace_id):
                    yield record.trace_id
