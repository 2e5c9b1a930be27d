"""Sending finished spans and log records: a bounded queue, one thread a signal, counts of what was lost.

The request path pays one append. A collector that is slow, away or refusing costs the request nothing: the queue fills,
what does not fit is dropped, and both are counted.
"""

from __future__ import annotations

import logging
import random
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import StrEnum
from threading import Event, Lock, Thread
from typing import Protocol

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from service.telemetry import wire

FIRST_PAUSE_S, PAUSE_FACTOR = 1.0, 1.5
CLOSING_TIMEOUT_S = 1.0


class Failure(StrEnum):
    """Why an export failed: the ``reason`` label of ``otel_export_failures_total``."""

    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    UNAVAILABLE = "unavailable"
    REFUSED = "refused"


class Drop(StrEnum):
    """Why an item was lost: the ``reason`` label of ``otel_dropped_items_total``."""

    QUEUE_FULL = "queue_full"
    EXPORT_FAILED = "export_failed"
    REJECTED = "rejected"
    FILTERED = "filtered"


class ExportFailed(Exception):  # noqa: N818 - reads as a fact where it is raised
    """One export that did not go through; ``pause_s`` is how long the collector asks to wait."""

    def __init__(self, failure: Failure, detail: str, pause_s: float | None = None) -> None:
        self.failure, self.pause_s = failure, pause_s
        super().__init__(f"{failure}: {detail}")


class Transport(Protocol):
    """Carries export requests of one signal to a collector."""

    @property
    def target(self) -> str:
        """Where to, for people."""

    def send(self, body: bytes, timeout_s: float) -> int:
        """Deliver ``body`` and return how many of its items the collector rejected; raise ``ExportFailed``."""

    def close(self) -> None:
        """End the connection."""


class Exporter:
    """The queue of one signal and the thread that empties it. ``exported`` and the like are counts since the start."""

    def __init__(
        self,
        signal: str,
        transport: Transport,
        *,
        resource: bytes,
        rng: random.Random,
        queue_limit: int,
        batch_limit: int,
        every_s: float,
        timeout_s: float,
        filters: Sequence[Callable[[], bool]] = (),
    ) -> None:
        """Each of ``filters`` is asked about every item that is offered; one that says False has it dropped."""
        self._filters = filters
        self.signal, self.queue_limit = signal, queue_limit
        self.exported = 0
        self.failures = dict.fromkeys(Failure, 0)
        self.dropped = dict.fromkeys(Drop, 0)
        self._transport, self._resource, self._rng = transport, resource, rng
        self._batch_limit, self._every_s, self._timeout_s = batch_limit, every_s, timeout_s
        self._queue: deque[tuple[bytes, bytes]] = deque()
        self._wake, self._closing, self._lock = Event(), Event(), Lock()
        self._failing = False
        self._log = logging.getLogger(__name__)
        self._thread = Thread(target=self._work, name=f"export-{signal}", daemon=True)
        self._thread.start()

    @property
    def queued(self) -> int:
        """Items that wait."""
        return len(self._queue)

    def offer(self, scope: bytes, item: bytes) -> None:
        """Take an item, or drop it where the queue is full. Never waits, never raises."""
        for passes in self._filters:
            if not passes():
                self._lose(Drop.FILTERED, 1)
                return
        waiting = len(self._queue)
        if waiting >= self.queue_limit:
            with self._lock:
                self.dropped[Drop.QUEUE_FULL] += 1
            return
        self._queue.append((scope, item))
        if waiting == self._batch_limit:
            self._wake.set()

    def close(self, timeout_s: float) -> None:
        """Send what waits, one attempt a batch, for ``timeout_s`` at most."""
        self._closing.set()
        self._wake.set()
        self._thread.join(timeout_s)

    def flush(self, timeout_s: float) -> bool:
        """Send what waits now and return whether nothing was left within ``timeout_s``."""
        deadline = time.monotonic() + timeout_s
        while self._queue and time.monotonic() < deadline:
            self._wake.set()
            time.sleep(0.005)
        return not self._queue

    def _work(self) -> None:
        while not self._closing.is_set():
            self._wake.wait(self._every_s)
            self._wake.clear()
            self._empty()
        self._empty()
        self._transport.close()

    def _empty(self) -> None:
        while self._queue:
            scopes: dict[bytes, list[bytes]] = {}
            count = min(self._batch_limit, len(self._queue))
            for _ in range(count):
                scope, item = self._queue.popleft()
                scopes.setdefault(scope, []).append(item)
            self._deliver(wire.request_message(self._resource, scopes), count)

    def _deliver(self, body: bytes, count: int) -> None:
        """Send one batch; try again with growing pauses while the timeout lasts and the failure may pass.

        Source: OTLP specification 1.x, "Failures" and "All Failures are Retryable / Throttling".
        """
        deadline, pause_s = time.monotonic() + self._timeout_s, FIRST_PAUSE_S
        while True:
            left_s = deadline - time.monotonic()
            try:
                rejected = self._transport.send(
                    body, min(left_s, CLOSING_TIMEOUT_S) if self._closing.is_set() else left_s
                )
            except ExportFailed as error:
                self.failures[error.failure] += 1
                self._say_once(error)
                wait_s = pause_s * self._rng.uniform(0.8, 1.2) if error.pause_s is None else error.pause_s
                pause_s *= PAUSE_FACTOR
                hopeless = error.failure is Failure.REFUSED or time.monotonic() + wait_s >= deadline
                if hopeless or self._closing.wait(wait_s):
                    self._lose(Drop.EXPORT_FAILED, count)
                    return
            else:
                self._failing = False
                self.exported += count - rejected
                self._lose(Drop.REJECTED, rejected)
                return

    def _lose(self, why: Drop, count: int) -> None:
        with self._lock:
            self.dropped[why] += count

    def _say_once(self, error: ExportFailed) -> None:
        """Say the first failure of a row; the metrics count the others."""
        if not self._failing:
            self._failing = True
            self._log.warning("%s do not reach %s (%s)", self.signal, self._transport.target, error)


class ExportCollector(Collector):
    """The exporters' counts as metrics, read at scrape time."""

    def __init__(self, exporters: Iterable[Exporter]) -> None:
        self._exporters = tuple(exporters)

    def collect(self) -> Iterator[Metric]:
        """Yield the families, every series born with 0."""
        exported = CounterMetricFamily(
            "otel_exported_items", "Spans and log records that the collector took.", labels=["signal"]
        )
        failures = CounterMetricFamily(
            "otel_export_failures", "Exports that failed, retried ones too.", labels=["signal", "reason"]
        )
        dropped = CounterMetricFamily(
            "otel_dropped_items", "Spans and log records that were lost.", labels=["signal", "reason"]
        )
        queued = GaugeMetricFamily("otel_export_queue_size", "Spans and log records that wait.", labels=["signal"])
        limit = GaugeMetricFamily(
            "otel_export_queue_limit", "Waiting items at which more are dropped.", labels=["signal"]
        )
        for exporter in self._exporters:
            exported.add_metric([exporter.signal], exporter.exported)
            queued.add_metric([exporter.signal], exporter.queued)
            limit.add_metric([exporter.signal], exporter.queue_limit)
            for failure, count in exporter.failures.items():
                failures.add_metric([exporter.signal, failure], count)
            for why, count in exporter.dropped.items():
                dropped.add_metric([exporter.signal, why], count)
        yield from (exported, failures, dropped, queued, limit)
