"""The SQLite file: its schema, how it is opened, and what happens when it turns out to be damaged.

A damaged or foreign file is moved aside with the reason logged; one such copy is kept, and an empty file takes its
place.
"""

from __future__ import annotations

import logging
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

from stack.tracestore.blocks import log_entries, logs_in
from stack.tracestore.errors import DatabaseDamaged, StoreUnavailable

VERSION = 2
_LOG_ENTRY = """
CREATE TABLE log_entry (
    id INTEGER PRIMARY KEY,
    block_id INTEGER NOT NULL,
    service TEXT NOT NULL,
    first_ns INTEGER NOT NULL,
    last_ns INTEGER NOT NULL,
    severest INTEGER NOT NULL
) STRICT;
CREATE INDEX log_entry_service ON log_entry (service, last_ns);
CREATE INDEX log_entry_block ON log_entry (block_id);
"""
SCHEMA = f"""
CREATE TABLE block (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    signal TEXT NOT NULL,
    received_s REAL NOT NULL,
    items INTEGER NOT NULL,
    sealed INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE INDEX block_unsealed ON block (signal, id) WHERE sealed = 0;
CREATE TABLE entry (
    id INTEGER PRIMARY KEY,
    block_id INTEGER NOT NULL,
    service TEXT NOT NULL,
    operation TEXT NOT NULL,
    kind INTEGER NOT NULL,
    first_ns INTEGER NOT NULL,
    last_ns INTEGER NOT NULL,
    shortest_ns INTEGER NOT NULL,
    longest_ns INTEGER NOT NULL,
    shared BLOB NOT NULL,
    rows BLOB NOT NULL,
    lines BLOB NOT NULL
) STRICT;
CREATE INDEX entry_newest ON entry (last_ns);
CREATE INDEX entry_service ON entry (service, last_ns);
CREATE INDEX entry_operation ON entry (service, operation, kind);
CREATE INDEX entry_block ON entry (block_id);
CREATE TABLE trace_block (
    trace_id BLOB NOT NULL,
    block_id INTEGER NOT NULL,
    PRIMARY KEY (trace_id, block_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX trace_block_block ON trace_block (block_id);
{_LOG_ENTRY}"""
WITHOUT_LOG_INDEX = 1
"""The layout of before log records could be searched; it is brought up to date in place."""
LEAST_FREE_BYTES = 262_144
"""A disk with less is full: some errors of SQLite do not say so."""
_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_log = logging.getLogger(__name__)


def is_damage(error: sqlite3.Error) -> bool:
    """Return whether an error says that the file itself is broken (and not, say, that the disk is full)."""
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(error, DatabaseDamaged) or (code is not None and code & 0xFF in _DAMAGE)


def is_full(path: Path, error: Exception) -> bool:
    """Return whether an error comes of a full database or a full disk."""
    code = getattr(error if isinstance(error, sqlite3.Error) else error.__cause__, "sqlite_errorcode", None)
    if code is not None and code & 0xFF == sqlite3.SQLITE_FULL:
        return True
    try:
        return shutil.disk_usage(path.parent).free < LEAST_FREE_BYTES
    except OSError:
        return False


def open_writer(path: Path, max_bytes: int, on_damage: Callable[[str], None]) -> sqlite3.Connection:
    """Return the one writing connection; make the file, or put a damaged one aside, where needed.

    ``on_damage`` hears what was put aside. The connection belongs to the thread that writes. Raises
    ``StoreUnavailable`` when the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            return _open(path, max_bytes)
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            on_damage(put_aside(path, str(error)))
            return _open(path, max_bytes)
    except (sqlite3.Error, OSError) as error:
        raise StoreUnavailable(str(path), str(error)) from error


def open_reader(path: Path) -> sqlite3.Connection:
    """Return a connection that can only read; it may travel between threads, one at a time."""
    reader = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, check_same_thread=False, isolation_level=None)
    reader.execute("PRAGMA query_only = 1")
    reader.execute("PRAGMA cache_size = -4096")
    return reader


def put_aside(path: Path, reason: str) -> str:
    """Rename the database and its log to ``<name>.damaged…``, in place of an earlier such copy; log and return why."""
    aside = path.with_name(f"{path.name}.damaged")
    what = f"moved to {aside}" if path.exists() else "there is nothing to keep"
    for suffix in ("", "-wal", "-shm"):
        source = path.with_name(path.name + suffix)
        if source.exists():
            source.replace(aside.with_name(aside.name + suffix))
    said = f"the trace database {path} cannot be used ({reason}): {what}, starting with an empty one"
    _log.error(said)
    return said


def used_bytes(connection: sqlite3.Connection) -> int:
    """Return the bytes of the file that are in use."""
    pages = int(connection.execute("PRAGMA page_count").fetchone()[0])
    free = int(connection.execute("PRAGMA freelist_count").fetchone()[0])
    return (pages - free) * int(connection.execute("PRAGMA page_size").fetchone()[0])


def free_bytes(connection: sqlite3.Connection) -> int:
    """Return the bytes of the file that are free for what comes next."""
    free = int(connection.execute("PRAGMA freelist_count").fetchone()[0])
    return free * int(connection.execute("PRAGMA page_size").fetchone()[0])


def _open(path: Path, max_bytes: int) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, timeout=5.0)
    try:
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        fresh = version == 0 and not connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        if not fresh and version not in {VERSION, WITHOUT_LOG_INDEX}:
            raise DatabaseDamaged(f"its layout is version {version}, not {VERSION}")  # noqa: TRY301 - closed below
        # Incremental vacuum lets the file shrink after the limit was lowered; it must be chosen before the first table.
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(
            "PRAGMA synchronous = NORMAL"
        )  # survives any death of the process; power loss costs a moment
        connection.execute("PRAGMA journal_size_limit = 16777216")
        connection.execute("PRAGMA cache_size = -8192")
        if fresh:
            connection.executescript(f"BEGIN;{SCHEMA}PRAGMA user_version = {VERSION};COMMIT;")
        elif version == WITHOUT_LOG_INDEX:
            _index_logs(connection)
        page_bytes = int(connection.execute("PRAGMA page_size").fetchone()[0])
        connection.execute(f"PRAGMA max_page_count = {max(1, max_bytes // page_bytes)}")
    except BaseException:
        connection.close()
        raise
    return connection


def _index_logs(connection: sqlite3.Connection) -> None:
    """Bring a file of layout 1 up to date: log blocks get their index."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in filter(str.strip, _LOG_ENTRY.split(";")):
            connection.execute(statement)
        for block_id, body in connection.execute("SELECT id, body FROM block WHERE signal = 'logs'").fetchall():
            connection.executemany(
                "INSERT INTO log_entry (block_id, service, first_ns, last_ns, severest) VALUES (?, ?, ?, ?, ?)",
                (
                    (block_id, entry.service, entry.first_ns, entry.last_ns, entry.severest)
                    for entry in log_entries(logs_in(body))
                ),
            )
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
