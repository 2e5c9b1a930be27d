"""Blocks: what one commit writes. A compressed OTLP body, and beside it an index of a few rows instead of one a tag.

An index entry stands for the spans of one service, operation, kind, resource and scope in one block. Its bounds rule
most entries out; of the rest, lines of text are scanned (see ``terms``).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.trace.v1.trace_pb2 import Span, TracesData

from stack.tracestore.attributes import text_of, value_of
from stack.tracestore.model import NO_SERVICE
from stack.tracestore.otlp import Export, Signal
from stack.tracestore.terms import line_of, shared_line

_ROW = struct.Struct("<16sQQ")
_MOST = 2**63 - 1


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
class Block:
    """What one row of the block table holds, with its index."""

    signal: Signal
    body: bytes
    items: int
    trace_ids: frozenset[bytes]
    entries: tuple[Entry, ...]


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
    for export in exports:
        bodies.append(export.body)
        items += export.items
        if isinstance(export.data, LogsData):
            trace_ids.update(_log_trace_ids(export.data))
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
    return Block(signal, zlib.compress(b"".join(bodies), 1), items, frozenset(trace_ids), entries)


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
        zlib.compress(b"".join(zlib.decompress(block.body) for block in merged), 1),
        sum(block.items for block in merged),
        frozenset().union(*(block.trace_ids for block in merged)),
        entries,
    )


def rows_of(rows: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield trace id, start and duration (nanoseconds) of each span of an entry."""
    return _ROW.iter_unpack(rows)


def spans_in(body: bytes) -> TracesData:
    """Return the spans of a block's body."""
    data = TracesData()
    data.ParseFromString(zlib.decompress(body))
    return data


def logs_in(body: bytes) -> LogsData:
    """Return the log records of a block's body."""
    data = LogsData()
    data.ParseFromString(zlib.decompress(body))
    return data


def _index(data: TracesData, drafts: dict[tuple[str, str, int, bytes], _Draft], trace_ids: set[bytes]) -> None:
    for resource in data.resource_spans:
        attributes = resource.resource.attributes
        service = next((text_of(value_of(a.value)) for a in attributes if a.key == "service.name"), "") or NO_SERVICE
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
                if len(record.trace_id) == 16:
                    yield record.trace_id
