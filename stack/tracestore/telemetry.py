"""The trace store's own metrics, on a registry that it is given."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from stack.tracestore.otlp import SIGNALS

DROPPED = ("invalid_id", "not_written")
EVICTED = ("age", "bytes", "disk", "damage")
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class StoreMetrics:
    """Every metric of the trace store. All series exist from the start, with value 0."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.spans = Counter(
            "tracestore_spans_received", "Spans that came in exports which could be read.", registry=registry
        )
        self.logs = Counter(
            "tracestore_log_records_received",
            "Log records that came in exports which could be read.",
            registry=registry,
        )
        self.bytes = Counter(
            "tracestore_received_bytes", "Bytes of export bodies, decompressed.", ("signal",), registry=registry
        )
        self.dropped = Counter(
            "tracestore_dropped_items",
            "Spans and log records that came and were not stored.",
            ("signal", "reason"),
            registry=registry,
        )
        self.requests = Counter(
            "tracestore_export_requests",
            "Export requests by HTTP status or gRPC code.",
            ("signal", "status"),
            registry=registry,
        )
        self.evicted = Counter(
            "tracestore_evicted_items",
            "Spans and log records deleted to stay in bounds.",
            ("signal", "reason"),
            registry=registry,
        )
        self.damaged = Counter(
            "tracestore_database_damaged", "Times a damaged database was put aside.", registry=registry
        )
        self.commit = Histogram(
            "tracestore_commit_duration_seconds", "Duration of one group commit.", buckets=_SECONDS, registry=registry
        )
        self.search = Histogram(
            "tracestore_search_duration_seconds", "Duration of a search.", buckets=_SECONDS, registry=registry
        )
        self.stored_bytes = Gauge("tracestore_stored_bytes", "Bytes of the database file in use.", registry=registry)
        self.stored_items = Gauge(
            "tracestore_stored_items", "Spans and log records in the store.", ("signal",), registry=registry
        )
        self.writable = Gauge(
            "tracestore_writable",
            "Whether the last write went well: 1, or 0 while the disk takes nothing.",
            registry=registry,
        )
        self.writable.set(1)
        self.pending_bytes = Gauge("tracestore_pending_bytes", "Bytes that wait to be written.", registry=registry)
        ProcessCollector(registry=registry)
        for signal in SIGNALS:
            self.bytes.labels(signal)
            self.requests.labels(signal, "200")
            self.requests.labels(signal, "OK")
            self.stored_items.labels(signal)
            for reason in DROPPED:
                self.dropped.labels(signal, reason)
            for reason in EVICTED:
                self.evicted.labels(signal, reason)
