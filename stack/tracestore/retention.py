"""What goes when: bounds by age, by bytes of the file and by what the disk has left, kept a little at a time.

Runs on the writer's thread and connection. Never deletes what is newer than what it keeps, never waits for readers.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from stack.tracestore import journal
from stack.tracestore.blocks import Block
from stack.tracestore.database import free_bytes, used_bytes
from stack.tracestore.limits import MIB, Limits
from stack.tracestore.otlp import SIGNALS, Signal
from stack.tracestore.telemetry import StoreMetrics

ROOM_BYTES = 32 * MIB
"""Where file and disk together have less room than this (a quarter of a small volume), the oldest blocks make some."""
VACUUM_PAGES = 2048


class Retention:
    """Keeps one database within its limits and its metrics true."""

    def __init__(self, path: Path, limits: Limits, metrics: StoreMetrics, now: Callable[[], float]) -> None:
        self._path, self._limits, self._metrics, self._now = path, limits, metrics, now
        self._stored: Counter[Signal] = Counter()

    def measure(self, connection: sqlite3.Connection) -> None:
        """Set the gauges to what the file holds."""
        self._count({signal: journal.stored_items(connection, signal) - self._stored[signal] for signal in SIGNALS})
        self._metrics.stored_bytes.set(used_bytes(connection))

    def added(self, blocks: Iterable[Block]) -> None:
        """Count blocks that were written."""
        for block in blocks:
            self._count({block.signal: block.items})

    def tidy(self, connection: sqlite3.Connection, more_waits: Callable[[], bool]) -> None:
        """Merge small blocks and keep the bounds; stop early where exports wait. Raises ``sqlite3.Error``."""
        for signal in SIGNALS:
            journal.compact(connection, signal)
        while self._evicted("age", journal.evict_older(connection, self._now() - self._limits.max_age_s)):
            if more_waits():
                break
        while journal.over_budget(connection, self._limits.max_bytes):
            if not self._evicted("bytes", journal.evict_oldest(connection)) or more_waits():
                break
        self._keep_room(connection)
        self._shrink(connection)
        self._metrics.stored_bytes.set(used_bytes(connection))

    def make_room(self, connection: sqlite3.Connection, blocks: Iterable[Block]) -> bool:
        """Delete the oldest after a write of ``blocks`` found the file or the disk full; return whether to try again.

        Raises ``sqlite3.Error``.
        """
        most = self._limits.max_bytes - 2 * sum(block.size for block in blocks)
        if used_bytes(connection) < most:
            return self._keep_room(connection)  # it is not the file that is full
        made = False
        while used_bytes(connection) >= most and self._evicted("bytes", journal.evict_oldest(connection)):
            made = True
        return made

    def lost(self) -> None:
        """Count everything that was stored as gone with a damaged file."""
        self._evicted("damage", Counter(self._stored))

    def _keep_room(self, connection: sqlite3.Connection) -> bool:
        """Delete the oldest until freed pages and disk have room for the next commits; return whether any went.

        A disk that others have filled costs at most ``ROOM_BYTES`` of what is stored: freed pages stay with the file.
        """
        disk = shutil.disk_usage(self._path.parent)
        wanted = min(ROOM_BYTES, disk.total // 4) - disk.free
        if wanted <= 0:
            return False
        made = False
        while free_bytes(connection) < wanted and self._evicted("disk", journal.evict_oldest(connection)):
            made = True
        return made

    def _shrink(self, connection: sqlite3.Connection) -> None:
        """Give free pages back to the disk where the file is larger than its limit (which was lowered)."""
        page_bytes = int(connection.execute("PRAGMA page_size").fetchone()[0])
        pages = int(connection.execute("PRAGMA page_count").fetchone()[0])
        if pages * page_bytes > self._limits.max_bytes:
            connection.execute(f"PRAGMA incremental_vacuum({VACUUM_PAGES})").fetchall()

    def _evicted(self, reason: str, gone: Mapping[Signal, int]) -> bool:
        for signal, items in gone.items():
            self._metrics.evicted.labels(signal, reason).inc(items)
        self._count({signal: -items for signal, items in gone.items()})
        return bool(gone)

    def _count(self, change: Mapping[Signal, int]) -> None:
        for signal, items in change.items():
            self._stored[signal] += items
            self._metrics.stored_items.labels(signal).set(self._stored[signal])
