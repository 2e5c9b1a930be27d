"""The store as the rest sees it: submit exports, search, fetch a trace. Asyncio outside, threads inside."""

from __future__ import annotations

import asyncio
import logging
import queue
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from stack.tracestore import reader
from stack.tracestore.database import is_damage, open_reader
from stack.tracestore.errors import StoreUnavailable
from stack.tracestore.limits import Limits
from stack.tracestore.logs import LogQuery, LogRecord, logs_of, search_logs
from stack.tracestore.model import Operation, StoredTrace, TraceQuery
from stack.tracestore.otlp import Coding, Format, Signal
from stack.tracestore.telemetry import StoreMetrics
from stack.tracestore.writer import Outcome, Submission, Writer

READERS = 2
Result = TypeVar("Result")
_log = logging.getLogger(__name__)


class TraceStore:
    """Traces and logs in one SQLite file at ``path``. ``now`` gives Unix seconds and decides what is old."""

    def __init__(
        self, path: Path, limits: Limits, metrics: StoreMetrics, *, now: Callable[[], float] = time.time
    ) -> None:
        self.path, self.limits, self._metrics = path.resolve(), limits, metrics
        self._writer = Writer(self.path, limits, metrics, now=now, exclusively=self._exclusively)
        self._readers: queue.SimpleQueue[sqlite3.Connection | None] = queue.SimpleQueue()
        self._pool = ThreadPoolExecutor(READERS, thread_name_prefix="tracestore-reader")

    def start(self) -> None:
        """Open the database; raise ``StoreUnavailable`` when that is not possible."""
        self._writer.start()
        for _ in range(READERS):
            self._readers.put(None)  # opened by the first who needs it

    def stop(self) -> None:
        """Write what was submitted and close the database."""
        self._pool.shutdown()
        self._close_readers()  # before the writer: who closes last checkpoints the log, and readers cannot
        self._writer.stop()

    @property
    def trouble(self) -> str:
        """Why the last write failed; empty when it did not."""
        return self._writer.trouble

    @property
    def notices(self) -> tuple[str, ...]:
        """What happened to the file since the start that somebody should know: a damaged one was put aside."""
        return self._writer.notices

    async def submit(self, signal: Signal, raw: bytes, coding: Coding, form: Format) -> Outcome:
        """Store an export; return after its commit. Raises ``PayloadError``, ``StoreBusy``, ``StoreUnavailable``.

        ``StoreStopped`` where the store has written its last.
        """
        return await asyncio.wrap_future(self.hand_in(signal, raw, coding, form))

    def hand_in(self, signal: Signal, raw: bytes, coding: Coding, form: Format) -> Future[Outcome]:
        """Queue an export for the next commit, from any thread. Raises ``StoreBusy`` and ``StoreStopped``."""
        return self._writer.submit(Submission(signal, raw, coding, form))

    async def services(self) -> tuple[str, ...]:
        """Return the services that have spans, by name."""
        return await self._read(reader.services)

    async def operations(self, service: str, kind: str = "") -> tuple[Operation, ...]:
        """Return the operations of a service, of one span kind or of all."""
        return await self._read(lambda connection: reader.operations(connection, service, kind))

    async def search(self, query: TraceQuery) -> tuple[StoredTrace, ...]:
        """Return the newest traces that match, whole, newest first."""
        with self._metrics.search.time():
            return await self._read(lambda connection: reader.search(connection, query))

    async def trace(self, trace_id: bytes) -> StoredTrace | None:
        """Return one whole trace, or ``None`` where the store does not have it."""
        return (await self._read(lambda connection: reader.traces(connection, [trace_id]))).get(trace_id)

    async def logs_of(self, trace_id: bytes) -> tuple[LogRecord, ...]:
        """Return the log records of one trace, by time."""
        return await self.read(lambda connection: logs_of(connection, trace_id))

    async def search_logs(self, query: LogQuery) -> tuple[LogRecord, ...]:
        """Return the newest log records that match, newest first."""
        with self._metrics.search.time():
            return await self.read(lambda connection: search_logs(connection, query))

    async def compute(self, function: Callable[[], Result]) -> Result:
        """Run a function that takes a while (rendering traces) beside the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, function)

    async def read(self, function: Callable[[sqlite3.Connection], Result]) -> Result:
        """Run a function on a reading connection, beside the event loop. Raises ``StoreUnavailable``."""
        return await self._read(function)

    async def _read(self, function: Callable[[sqlite3.Connection], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._borrow, function)

    def _borrow(self, function: Callable[[sqlite3.Connection], Result]) -> Result:
        connection = self._readers.get()
        try:
            if connection is None:
                connection = open_reader(self.path)
            return function(connection)
        except sqlite3.Error as error:
            if is_damage(error):
                self._writer.suspect()
            raise StoreUnavailable(str(self.path), str(error)) from error
        finally:
            self._readers.put(connection)

    def _exclusively(self, action: Callable[[], None]) -> None:
        """Close all readers, then act. A database may not be renamed while someone has it open."""
        self._close_readers()
        try:
            action()
        finally:
            for _ in range(READERS):
                self._readers.put(None)

    def _close_readers(self) -> None:
        for _ in range(READERS):
            connection = self._readers.get()
            if connection is not None:
                connection.close()
