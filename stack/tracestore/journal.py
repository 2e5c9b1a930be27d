"""Writing: blocks in, old blocks out. Every function here is one transaction on the one writing connection."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from stack.tracestore.blocks import Block, Entry, LogEntry, merge
from stack.tracestore.database import used_bytes
from stack.tracestore.otlp import Signal

SEAL_ITEMS = 512
"""A block of at least so many spans or records is final; smaller ones are merged."""
SEAL_BYTES = 256 * 1024
"""A block whose body has so many bytes is final whatever it holds: merging and deleting stay short."""
UNSEALED_BLOCKS = 48
"""At most about so many small blocks of a signal wait to be merged."""
EVICT_BLOCKS = 4
"""So many of the oldest blocks go at a time: ingest waits no longer than that takes."""


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit what happens inside, or roll all of it back."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # SQLite has rolled back by itself after some errors
            connection.execute("ROLLBACK")
        raise


def append(connection: sqlite3.Connection, blocks: Iterable[Block], received_s: float) -> None:
    """Write new blocks. They are durable against the death of this process when this returns."""
    with transaction(connection):
        for block in blocks:
            _insert(connection, block, received_s)


def compact(connection: sqlite3.Connection, signal: Signal) -> bool:
    """Merge the waiting small blocks of a signal when they are enough; return whether they were."""
    count, items, size = connection.execute(
        "SELECT count(*), coalesce(sum(items), 0), coalesce(sum(length(body)), 0) FROM block"
        " WHERE sealed = 0 AND signal = ?",
        (signal,),
    ).fetchone()
    if count < 2 or (items < SEAL_ITEMS and size < SEAL_BYTES and count < UNSEALED_BLOCKS):
        return False
    with transaction(connection):
        rows = connection.execute(
            "SELECT id, body, items, received_s FROM block WHERE sealed = 0 AND signal = ? ORDER BY id", (signal,)
        ).fetchall()
        merged = merge(_block(connection, signal, identity, body, items) for identity, body, items, _ in rows)
        _delete(connection, [identity for identity, *_ in rows])
        _insert(connection, merged, max(received_s for *_, received_s in rows))
    return True


def evict_older(connection: sqlite3.Connection, cutoff_s: float) -> Mapping[Signal, int]:
    """Delete some blocks received before ``cutoff_s`` (Unix seconds); return how many items of what went with them."""
    return _evict(
        connection,
        "SELECT id, signal, items FROM (SELECT id, signal, items, received_s FROM block ORDER BY id LIMIT ?)"
        " WHERE received_s < ?",
        (EVICT_BLOCKS, cutoff_s),
    )


def evict_oldest(connection: sqlite3.Connection) -> Mapping[Signal, int]:
    """Delete the oldest blocks, whatever their age; return how many items of what went with them."""
    return _evict(connection, "SELECT id, signal, items FROM block ORDER BY id LIMIT ?", (EVICT_BLOCKS,))


def over_budget(connection: sqlite3.Connection, max_bytes: int) -> bool:
    """Return whether the file is so full that old blocks must go: the last tenth is room for the next commits."""
    return used_bytes(connection) > max_bytes * 0.9


def stored_items(connection: sqlite3.Connection, signal: Signal) -> int:
    """Return how many spans or log records are stored."""
    return int(
        connection.execute("SELECT coalesce(sum(items), 0) FROM block WHERE signal = ?", (signal,)).fetchone()[0]
    )


def _evict(connection: sqlite3.Connection, select: str, arguments: tuple[float, ...]) -> Mapping[Signal, int]:
    rows = connection.execute(select, arguments).fetchall()
    if rows:
        with transaction(connection):
            _delete(connection, [identity for identity, *_ in rows])
    gone: Counter[Signal] = Counter()
    for _, signal, items in rows:
        gone[signal] += items
    return gone


def _insert(connection: sqlite3.Connection, block: Block, received_s: float) -> None:
    final = block.items >= SEAL_ITEMS or len(block.body) >= SEAL_BYTES
    block_id = connection.execute(
        "INSERT INTO block (signal, received_s, items, sealed, body) VALUES (?, ?, ?, ?, ?)",
        (block.signal, received_s, block.items, int(final), block.body),
    ).lastrowid
    connection.executemany(
        "INSERT INTO entry (block_id, service, operation, kind, shared, first_ns, last_ns, shortest_ns, longest_ns,"
        " rows, lines) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (
                block_id,
                entry.service,
                entry.operation,
                entry.kind,
                entry.shared,
                entry.first_ns,
                entry.last_ns,
                entry.shortest_ns,
                entry.longest_ns,
                entry.rows,
                entry.lines,
            )
            for entry in block.entries
        ),
    )
    connection.executemany(
        "INSERT INTO log_entry (block_id, service, first_ns, last_ns, severest) VALUES (?, ?, ?, ?, ?)",
        ((block_id, entry.service, entry.first_ns, entry.last_ns, entry.severest) for entry in block.logs),
    )
    connection.executemany(
        "INSERT INTO trace_block (trace_id, block_id) VALUES (?, ?)",
        ((trace_id, block_id) for trace_id in sorted(block.trace_ids)),
    )


def _delete(connection: sqlite3.Connection, block_ids: list[int]) -> None:
    for table, column in (
        ("entry", "block_id"),
        ("log_entry", "block_id"),
        ("trace_block", "block_id"),
        ("block", "id"),
    ):
        connection.executemany(f"DELETE FROM {table} WHERE {column} = ?", ((identity,) for identity in block_ids))  # noqa: S608 - our own names


def _block(connection: sqlite3.Connection, signal: Signal, block_id: int, body: bytes, items: int) -> Block:
    """Return a stored block as it was built."""
    entries = tuple(
        Entry(*row)
        for row in connection.execute(
            "SELECT service, operation, kind, shared, first_ns, last_ns, shortest_ns, longest_ns, rows, lines"
            " FROM entry WHERE block_id = ? ORDER BY id",
            (block_id,),
        )
    )
    logs = tuple(
        LogEntry(*row)
        for row in connection.execute(
            "SELECT service, first_ns, last_ns, severest FROM log_entry WHERE block_id = ? ORDER BY id", (block_id,)
        )
    )
    trace_ids = frozenset(
        row[0] for row in connection.execute("SELECT trace_id FROM trace_block WHERE block_id = ?", (block_id,))
    )
    return Block(signal, body, items, trace_ids, entries, logs)
