"""A search of log records together with how many there are over time, in one walk over the blocks. Blocking; no locks.

The walk is bounded: where more records would have to be read, the counts say from when on they are complete.
"""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord as LogMessage
from opentelemetry.proto.logs.v1.logs_pb2 import ResourceLogs

from stack.tracestore.blocks import logged_ns, service_of, unpacked
from stack.tracestore.logs import LogQuery, LogRecord, candidates, matches, messages, record_of

MOST_READ = 100_000
"""So many records one survey looks at; half a second of work."""
SEVERITIES = ("UNSET", "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
"""OTLP's ranges of severity numbers: none, 1 to 4, 5 to 8, and so on."""
_Found = tuple[int, ResourceLogs, str, LogMessage]


@dataclass(frozen=True, slots=True)
class Survey:
    """The newest matches, and how many there are in each slot of ``[start_ns, start_ns + slots * step_ns)``.

    ``counts`` has a row of slots for each severity that occurs. They are complete from ``complete_from_ns`` on;
    ``matched`` is their sum.
    """

    records: tuple[LogRecord, ...]
    matched: int
    start_ns: int
    step_ns: int
    complete_from_ns: int
    counts: Mapping[str, tuple[int, ...]]


def severity_name(number: int) -> str:
    """Return the name of the range that a severity number belongs to."""
    return SEVERITIES[min((number + 3) // 4, len(SEVERITIES) - 1)] if number > 0 else SEVERITIES[0]


def survey(connection: sqlite3.Connection, query: LogQuery, *, slots: int, most_read: int = MOST_READ) -> Survey:
    """Return the newest ``query.limit`` matches, newest first, and the counts of all. Both times of ``query`` are set.

    A record that came twice counts once.
    """
    start_ns, end_ns = query.start_ns or 0, query.end_ns or 0
    step_ns = max(1, -(-(end_ns + 1 - start_ns) // slots))
    counts: dict[str, list[int]] = {}
    newest: list[tuple[int, int, _Found]] = []
    seen: set[tuple[str, bytes]] = set()
    read, complete_from_ns = 0, start_ns
    text = query.text.encode("utf-8", "surrogatepass")
    for last_ns, compressed in candidates(connection, query):
        if read >= most_read:
            complete_from_ns = max(start_ns, last_ns + 1)
            break
        body = unpacked(compressed)
        if text not in body:
            continue
        for resource, scope, message in messages(body):
            read += 1
            time_ns = logged_ns(message)
            if not matches(resource, message, time_ns, query):
                continue
            key = service_of(resource.resource.attributes), message.SerializeToString()
            if key in seen:
                continue
            seen.add(key)
            row = counts.setdefault(severity_name(message.severity_number), [0] * slots)
            row[(time_ns - start_ns) // step_ns] += 1
            heapq.heappush(newest, (time_ns, len(seen), (time_ns, resource, scope, message)))
            if len(newest) > query.limit:
                heapq.heappop(newest)
    records = tuple(record_of(*found[1:]) for _, _, found in sorted(newest, key=lambda item: item[:2], reverse=True))
    return Survey(
        records,
        len(seen),
        start_ns,
        step_ns,
        complete_from_ns,
        {name: tuple(counts[name]) for name in SEVERITIES if name in counts},
    )
