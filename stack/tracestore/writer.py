"""The one thread that writes. It takes whatever has been submitted since its last commit and commits that at once.

A submission is answered only after its commit. Nobody else writes; the event loop never waits for the disk.
"""

from __future__ import annotations

import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from stack.tracestore import journal
from stack.tracestore.blocks import Block, build
from stack.tracestore.database import is_damage, is_full, open_writer, put_aside
from stack.tracestore.errors import PayloadError, StoreBusy, StoreStopped, StoreUnavailable, TraceStoreError
from stack.tracestore.limits import Limits
from stack.tracestore.otlp import SIGNALS, Coding, Export, Format, Signal, gunzip, parse
from stack.tracestore.retention import Retention
from stack.tracestore.telemetry import StoreMetrics

GROUP_BYTES = 8 * 1024 * 1024
"""One commit takes about so many bytes of exports at most, and no more than an eighth of what may be stored."""
UPKEEP_S = 5.0
MOST_NOTICES = 5
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """What became of an export."""

    accepted: int
    rejected: int
    reason: str


@dataclass(frozen=True)
class Submission:
    """One export body as it came in."""

    signal: Signal
    raw: bytes
    coding: Coding
    form: Format
    done: Future[Outcome] = field(default_factory=Future)


class Writer:
    """Owns the writing connection. ``exclusively`` runs a function while no reader has the file open."""

    def __init__(
        self,
        path: Path,
        limits: Limits,
        metrics: StoreMetrics,
        *,
        now: Callable[[], float],
        exclusively: Callable[[Callable[[], None]], None],
    ) -> None:
        self._path, self._limits, self._metrics, self._now = path, limits, metrics, now
        self._exclusively = exclusively
        self._group_bytes = min(GROUP_BYTES, limits.max_bytes // 8)
        self._queue: queue.SimpleQueue[Submission | Literal["stop", "wake"]] = queue.SimpleQueue()
        self._pending_bytes = 0
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._retention = Retention(path, limits, metrics, now)
        self._suspected = threading.Event()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="tracestore-writer", daemon=True)
        self._untidy = ""
        self.trouble = ""
        self.notices: tuple[str, ...] = ()

    def start(self) -> None:
        """Open the database and begin to write; raise ``StoreUnavailable`` when it cannot be opened.

        A full disk is no reason to stay away: it is in ``trouble`` until it takes something again.
        """
        opened: Future[None] = Future()
        self._opened = opened
        self._thread.start()
        opened.result()

    def submit(self, submission: Submission) -> Future[Outcome]:
        """Queue an export; its future ends after the commit. Raises ``StoreBusy``, ``StoreStopped``. Thread-safe."""
        with self._lock:
            if self._stopped:
                raise StoreStopped
            if self._pending_bytes and self._pending_bytes + len(submission.raw) > self._limits.max_pending_bytes:
                raise StoreBusy(self._pending_bytes)
            self._pending_bytes += len(submission.raw)
            submission.done.set_running_or_notify_cancel()  # a client that hangs up takes nothing back
            self._queue.put(submission)
        self._metrics.pending_bytes.set(self._pending_bytes)
        return submission.done

    def suspect(self) -> None:
        """Say that a reader found the file damaged: the writer replaces it."""
        self._suspected.set()
        self._queue.put("wake")

    def stop(self) -> None:
        """Write what is queued, close the database, end the thread."""
        with self._lock:
            self._stopped = True  # nothing is queued behind the order to stop
            self._queue.put("stop")
        self._thread.join()

    def _run(self) -> None:
        try:
            self._measure()
        except (TraceStoreError, sqlite3.Error) as error:
            if not is_full(self._path, error):
                self._opened.set_exception(error)
                return
            self._say(str(error))
        self._opened.set_result(None)
        next_upkeep = time.monotonic()
        running = True
        while running:
            group, running = self._next_group(max(0.0, next_upkeep - time.monotonic()))
            if self._suspected.is_set():
                self._suspected.clear()
                self._replace("a reader found it damaged")
            if group:
                self._write(group)
            if group or time.monotonic() >= next_upkeep:
                self._upkeep()
                next_upkeep = time.monotonic() + UPKEEP_S
        self._close()

    def _next_group(self, timeout_s: float) -> tuple[list[Submission], bool]:
        """Return everything that waits, up to a bound, and whether to go on."""
        group: list[Submission] = []
        size = 0
        try:
            item = self._queue.get(timeout=timeout_s)
            while isinstance(item, Submission):
                group.append(item)
                size += len(item.raw)
                if size >= self._group_bytes:
                    return group, True
                item = self._queue.get_nowait()
        except queue.Empty:
            return group, True
        return group, item == "wake"

    def _write(self, group: list[Submission]) -> None:
        exports: list[tuple[Submission, Export]] = []
        try:
            size = 0
            for submission in group:
                try:
                    export = self._read(submission)
                except PayloadError as error:
                    submission.done.set_exception(error)
                    continue
                exports.append((submission, export))
                size += len(export.body)
                if size >= self._group_bytes:
                    self._commit(exports)
                    exports, size = [], 0
            if exports:
                self._commit(exports)
        except Exception as error:  # noqa: BLE001 - every exporter gets an answer and the thread goes on, whatever failed
            _log.exception("an export could not be stored")
            for submission in group:
                if not submission.done.done():
                    submission.done.set_exception(StoreUnavailable(str(self._path), repr(error)))
        with self._lock:
            self._pending_bytes -= sum(len(submission.raw) for submission in group)
        self._metrics.pending_bytes.set(self._pending_bytes)

    def _read(self, submission: Submission) -> Export:
        body = submission.raw
        if submission.coding == "gzip":
            body = gunzip(body, submission.signal, self._limits.max_payload_bytes)
        self._metrics.bytes.labels(submission.signal).inc(len(body))
        return parse(submission.signal, body, submission.form)

    def _commit(self, exports: list[tuple[Submission, Export]]) -> None:
        with self._metrics.commit.time():
            blocks = [
                build(signal, (export for _, export in exports if export.signal == signal))
                for signal in SIGNALS
                if any(export.signal == signal and export.items for _, export in exports)
            ]
            failure = self._append(blocks) if blocks else None
        for submission, export in exports:
            received = self._metrics.spans if export.signal == "traces" else self._metrics.logs
            received.inc(export.items + export.rejected)
            self._metrics.dropped.labels(export.signal, "invalid_id").inc(export.rejected)
            if failure is not None:
                self._metrics.dropped.labels(export.signal, "not_written").inc(export.items)
                submission.done.set_exception(failure)
                continue
            submission.done.set_result(Outcome(export.items, export.rejected, export.reason))

    def _append(self, blocks: list[Block]) -> StoreUnavailable | None:
        """Write blocks; make room or replace a damaged file once where that is what it takes."""
        for last_try in (False, True):
            try:
                journal.append(self._open(), blocks, self._now())
            except (sqlite3.Error, StoreUnavailable) as error:
                if not last_try and self._cure(error, blocks):
                    continue
                self._say(str(error))
                return StoreUnavailable(str(self._path), str(error))
            self._well()
            self._retention.added(blocks)
            return None
        return None

    def _cure(self, error: Exception, blocks: list[Block]) -> bool:
        """Do what an error asks for; return whether to try again."""
        if not isinstance(error, sqlite3.Error):
            return False
        if is_damage(error):
            self._replace(str(error))
            return True
        if not is_full(self._path, error):
            return False
        try:
            return self._retention.make_room(self._open(), blocks)
        except (sqlite3.Error, OSError, StoreUnavailable):
            return False  # so full that nothing can even be deleted

    def _say(self, trouble: str) -> None:
        if self.trouble != trouble:
            _log.error("the trace store cannot write %s: %s", self._path, trouble)
        self.trouble = trouble
        self._metrics.writable.set(0)

    def _well(self) -> None:
        if self.trouble:
            _log.warning("the trace store writes %s again", self._path)
            self.trouble = ""
            self._metrics.writable.set(1)

    def _upkeep(self) -> None:
        try:
            if self._connection is None:  # there was no room for one at the start
                self._measure()
                self._well()
            elif not self._path.exists():
                self._replace("somebody deleted it")
            self._retention.tidy(self._open(), lambda: not self._queue.empty())
        except (sqlite3.Error, OSError, StoreUnavailable) as error:
            if isinstance(error, sqlite3.Error) and is_damage(error):
                self._replace(str(error))
            elif str(error) not in {self.trouble, self._untidy}:
                self._untidy = str(error)
                _log.warning("the trace store cannot tidy %s now: %s", self._path, error)

    def _replace(self, reason: str) -> None:
        """Put the damaged file aside and go on with an empty one."""
        self._close()
        try:
            self._exclusively(lambda: self._put_aside(put_aside(self._path, reason)))
            self._measure()
        except (sqlite3.Error, OSError, StoreUnavailable) as error:
            _log.error("the damaged trace database %s cannot be replaced: %s", self._path, error)

    def _put_aside(self, notice: str) -> None:
        """Count and keep what was said about a damaged file, for ``/health``."""
        self._metrics.damaged.inc()
        self._retention.lost()
        self.notices = (*self.notices, notice)[-MOST_NOTICES:]

    def _measure(self) -> None:
        self._retention.measure(self._open())

    def _open(self) -> sqlite3.Connection:
        """Return the connection; open it where it is not. Raises ``StoreUnavailable``."""
        if self._connection is None:
            self._connection = open_writer(self._path, self._limits.max_bytes, self._put_aside)
        return self._connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
