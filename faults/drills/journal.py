"""The journal: what was done by whom, how drills ran, what is still to be undone, what the webhook was told.

One SQLite file in WAL mode, written by the conductor alone, every write committed before the next thing happens, so
that a conductor killed in mid-drill finds out what it had lit. It never decides anything.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import JsonValue

from faults.drills.errors import JournalUnusable
from faults.drills.wire import DrillRun, JournalEntry, Notification
from stack.configuration import OWN_LABEL, OWN_VALUE

KEEP_ENTRIES = 10_000
KEEP_RUNS = 1_000
_PRUNE_EVERY = 500

_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL,
    subject TEXT NOT NULL, facts TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS runs (
    id TEXT PRIMARY KEY, queued_at REAL NOT NULL, ended INTEGER NOT NULL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS runs_by_time ON runs (queued_at);
CREATE TABLE IF NOT EXISTS intents (
    id INTEGER PRIMARY KEY AUTOINCREMENT, run_id TEXT NOT NULL, at REAL NOT NULL, what TEXT NOT NULL,
    body TEXT NOT NULL, fault_id TEXT, open INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS intents_open ON intents (open) WHERE open;
CREATE TABLE IF NOT EXISTS notifications (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, alert TEXT NOT NULL, starts_at REAL NOT NULL,
    body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS notifications_by_alert ON notifications (alert, starts_at);
"""

What = Literal["fault", "traffic", "history"]


@dataclass(frozen=True)
class Intent:
    """Something that a run is about to change, written before it changes: how to undo it is in ``body`` (JSON).

    ``fault``: the request, whose seed marks it out; ``fault_id`` is set as soon as the service has said it.
    ``traffic``: the settings to put back. ``history``: what was put into Prometheus's storage.
    """

    id: int
    run_id: str
    at: float
    what: What
    body: str
    fault_id: str | None


class Journal:
    """The open journal. Not for use from more than one thread."""

    def __init__(self, path: Path, *, now: Callable[[], float] = time.time) -> None:
        self.path, self._now, self._writes = path, now, 0
        path.parent.mkdir(parents=True, exist_ok=True)
        self.moved_aside: Path | None = None
        try:
            self._db = _open(path)
        except sqlite3.OperationalError as error:  # locked, read-only, disk full: the file may be sound, it stays
            raise JournalUnusable(path, str(error)) from error
        except sqlite3.DatabaseError as error:
            self.moved_aside = _move_aside(path, int(now()))
            self._db = _open(path)
            self.write(
                "conductor", "journal_damaged", str(path), {"reason": str(error), "moved_to": str(self.moved_aside)}
            )

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def write(
        self, actor: str, action: str, subject: str, facts: Mapping[str, JsonValue] | None = None
    ) -> JournalEntry:
        """Add a line: ``actor`` did ``action`` to ``subject``. On disk when this returns."""
        at, stated = self._now(), dict(facts or {})
        cursor = self._db.execute(
            "INSERT INTO entries (at, actor, action, subject, facts) VALUES (?, ?, ?, ?, ?)",
            (at, actor, action, subject, json.dumps(stated)),
        )
        self._prune()
        return JournalEntry(id=cursor.lastrowid or 0, at=at, actor=actor, action=action, subject=subject, facts=stated)

    def entries(self, limit: int = 100, *, since: float = 0.0, actor: str = "") -> list[JournalEntry]:
        """Return the newest lines, newest first: not before ``since`` (Unix seconds), of this ``actor`` or of all."""
        return _entries(self._db, limit, since, actor)

    def save_run(self, run: DrillRun) -> None:
        """Store ``run`` as it is now."""
        self._db.execute(
            "INSERT INTO runs (id, queued_at, ended, body) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET ended = excluded.ended, body = excluded.body",
            (run.id, run.queued_at, run.phase == "done", run.model_dump_json()),
        )

    def run(self, run_id: str) -> DrillRun | None:
        """Return the run ``run_id``, or ``None``."""
        row = self._db.execute("SELECT body FROM runs WHERE id = ?", (run_id,)).fetchone()
        return DrillRun.model_validate_json(row[0]) if row else None

    def runs(self, limit: int = 20) -> list[DrillRun]:
        """Return the newest runs, newest first."""
        rows = self._db.execute("SELECT body FROM runs ORDER BY queued_at DESC, rowid DESC LIMIT ?", (limit,))
        return [DrillRun.model_validate_json(row[0]) for row in rows]

    def unfinished(self) -> list[DrillRun]:
        """Return the runs that have no end: what a conductor that was killed left behind."""
        rows = self._db.execute("SELECT body FROM runs WHERE NOT ended ORDER BY queued_at")
        return [DrillRun.model_validate_json(row[0]) for row in rows]

    def intend(self, run_id: str, what: What, body: str) -> Intent:
        """Write down what ``run_id`` is about to change. On disk when this returns."""
        at = self._now()
        cursor = self._db.execute(
            "INSERT INTO intents (run_id, at, what, body, open) VALUES (?, ?, ?, ?, 1)", (run_id, at, what, body)
        )
        return Intent(cursor.lastrowid or 0, run_id, at, what, body, None)

    def lit(self, intent: Intent, fault_id: str) -> None:
        """Note the id that the service gave to the fault of ``intent``."""
        self._db.execute("UPDATE intents SET fault_id = ? WHERE id = ?", (fault_id, intent.id))

    def settle(self, intent: Intent) -> None:
        """Note that what ``intent`` announced is undone, or never happened."""
        self._db.execute("UPDATE intents SET open = 0 WHERE id = ?", (intent.id,))

    def open_intents(self) -> list[Intent]:
        """Return what is still to be undone, newest first."""
        rows = self._db.execute("SELECT id, run_id, at, what, body, fault_id FROM intents WHERE open ORDER BY id DESC")
        return [Intent(*row) for row in rows]

    def notify(self, notification: Notification) -> Notification:
        """Store what the webhook was told (its ``id`` is given here) and return it."""
        cursor = self._db.execute(
            "INSERT INTO notifications (at, alert, starts_at, body) VALUES (?, ?, ?, ?)",
            (notification.at, notification.alert, notification.starts_at, notification.model_dump_json()),
        )
        self._prune()
        return notification.model_copy(update={"id": cursor.lastrowid or 0})

    def notifications(self, limit: int = 100) -> list[Notification]:
        """Return the newest notifications, newest first."""
        rows = self._db.execute("SELECT id, body FROM notifications ORDER BY id DESC LIMIT ?", (limit,))
        return [Notification.model_validate_json(row[1]).model_copy(update={"id": row[0]}) for row in rows]

    def deliveries(self, alert: str, since: float) -> list[Notification]:
        """Return what was delivered of ``alert`` for episodes that fired at or after ``since``, oldest first.

        Alerts of the user's own rules are not the stack's, whatever their names; they are left out.
        """
        rows = self._db.execute(
            "SELECT id, body FROM notifications WHERE alert = ? AND starts_at >= ? ORDER BY id", (alert, since)
        )
        told = [Notification.model_validate_json(row[1]).model_copy(update={"id": row[0]}) for row in rows]
        return [one for one in told if one.labels.get(OWN_LABEL) != OWN_VALUE]

    def _prune(self) -> None:
        self._writes += 1
        if self._writes % _PRUNE_EVERY:
            return
        for table in ("entries", "notifications"):
            self._db.execute(
                f"DELETE FROM {table} WHERE id <= (SELECT max(id) FROM {table}) - ?",  # noqa: S608 - two fixed names
                (KEEP_ENTRIES,),
            )
        self._db.execute("DELETE FROM intents WHERE NOT open AND id <= (SELECT max(id) FROM intents) - ?", (KEEP_RUNS,))
        self._db.execute(
            "DELETE FROM runs WHERE ended AND id NOT IN (SELECT id FROM runs ORDER BY queued_at DESC LIMIT ?)",
            (KEEP_RUNS,),
        )


def read_entries(path: Path, limit: int = 100, *, since: float = 0.0, actor: str = "") -> list[JournalEntry]:
    """Return the newest lines of the journal at ``path`` without a conductor, and without writing to it.

    Raises ``JournalUnusable``.
    """
    try:
        with contextlib.closing(
            sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=5.0)
        ) as database:
            return _entries(database, limit, since, actor)
    except (sqlite3.DatabaseError, ValueError) as error:
        raise JournalUnusable(path, str(error)) from error


def _entries(database: sqlite3.Connection, limit: int, since: float, actor: str) -> list[JournalEntry]:
    rows = database.execute(
        "SELECT id, at, actor, action, subject, facts FROM entries WHERE at >= ? AND (? = '' OR actor = ?) "
        "ORDER BY id DESC LIMIT ?",
        (since, actor, actor, limit),
    )
    return [
        JournalEntry(id=row[0], at=row[1], actor=row[2], action=row[3], subject=row[4], facts=json.loads(row[5]))
        for row in rows
    ]


def _open(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=5.0, isolation_level=None)
    try:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.executescript(_SCHEMA)
        _check(database)
    except sqlite3.DatabaseError:
        database.close()
        raise
    return database


def _check(database: sqlite3.Connection) -> None:
    found = database.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise sqlite3.DatabaseError(found)


def _move_aside(path: Path, stamp: int) -> Path:
    """Rename the damaged file, with its log, and return its new name."""
    aside = path.with_name(f"{path.name}.damaged-{stamp}")
    for suffix in ("-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
    path.rename(aside)
    return aside
