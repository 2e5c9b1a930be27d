"""Structured logs: one JSON object or text line an event, and the same event over OTLP, joined to its trace.

No global configuration of logging or structlog is touched.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Mapping, MutableMapping
from time import time_ns
from types import MappingProxyType
from typing import Any, TextIO

import structlog
from opentelemetry._logs import LoggerProvider, SeverityNumber
from opentelemetry.trace import get_current_span
from pydantic_core import PydanticSerializationError, to_json
from structlog.typing import FilteringBoundLogger, WrappedLogger

from service.clock import Clock, nanoseconds, utc
from service.settings import Settings
from service.telemetry.export import Exporter
from service.telemetry.records import CheapLoggerProvider
from service.telemetry.tracing import CLOSE_TIMEOUT_S, build_exporter

Log = FilteringBoundLogger
Event = MutableMapping[str, Any]
Processor = Callable[[WrappedLogger, str, Event], Any]

_SEVERITY: Mapping[str, SeverityNumber] = MappingProxyType(
    {
        "debug": SeverityNumber.DEBUG,
        "info": SeverityNumber.INFO,
        "warning": SeverityNumber.WARN,
        "error": SeverityNumber.ERROR,
        "critical": SeverityNumber.FATAL,
    }
)
_NOT_ATTRIBUTES = frozenset({"event", "level", "timestamp", "trace_id", "span_id", "exc_info"})


def build_log(settings: Settings, provider: LoggerProvider | None, clock: Clock, stream: TextIO | None = None) -> Log:
    """Return the log of one app. It writes to ``stream``, else where the settings say, and to ``provider``."""
    level = logging.DEBUG if settings.debug else logging.getLevelNamesMapping()[settings.log_level.upper()]
    processors: list[Processor] = [_stamper(clock), structlog.processors.format_exc_info]
    if provider is not None:
        processors.append(_exporter_of(provider, clock))
    processors.append(_render_json if settings.log_format == "json" else structlog.dev.ConsoleRenderer(colors=False))
    log: Log = structlog.wrap_logger(
        structlog.WriteLogger(stream or _stream(settings)),
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        context_class=dict,
    ).bind()
    return log


class LiveLoggerProvider(CheapLoggerProvider):
    """Log records on the wall clock, sent by ``exporter``."""

    def __init__(self, exporter: Exporter) -> None:
        super().__init__(exporter.offer, time_ns)
        self.exporter = exporter

    def shutdown(self) -> None:
        """Send what is left, as far as that is possible within ``CLOSE_TIMEOUT_S``."""
        self.exporter.close(CLOSE_TIMEOUT_S)


def build_logger_provider(settings: Settings, instance: str = "") -> LiveLoggerProvider | None:
    """Return the live provider, or ``None`` where log records are not sent."""
    if not settings.enable_tracing or settings.otel_logs_exporter == "none":
        return None
    return LiveLoggerProvider(build_exporter(settings, "logs", instance))


def _stream(settings: Settings) -> TextIO:
    """Return standard output, or the log file opened for appending line by line."""
    if settings.log_output == "stdout":
        return sys.stdout
    settings.log_file.parent.mkdir(parents=True, exist_ok=True)
    return settings.log_file.open("a", encoding="utf-8", buffering=1)


def _stamper(clock: Clock) -> Processor:
    """Return a processor that adds level, time and, where they are not given, the current span's ids."""

    def stamp(_logger: WrappedLogger, method: str, event: Event) -> Event:
        event["level"] = method
        event["timestamp"] = utc(clock.time())
        if "trace_id" not in event:
            context = get_current_span().get_span_context()
            if context.is_valid:
                event["trace_id"], event["span_id"] = f"{context.trace_id:032x}", f"{context.span_id:016x}"
        return event

    return stamp


def _render_json(_logger: WrappedLogger, _method: str, event: Event) -> str:
    """Return the line: by pydantic's serialiser, five times as fast; by ``json`` where it is not plain ASCII."""
    try:
        line = to_json(event, fallback=str)
    except PydanticSerializationError:  # a lone surrogate
        return json.dumps(event, default=str)
    return line.decode() if line.isascii() else json.dumps(event, default=str)


def _exporter_of(provider: LoggerProvider, clock: Clock) -> Processor:
    """Return a processor that emits each event as an OTLP log record within the current span."""
    logger = provider.get_logger("firedrill.service")

    def emit(_logger: WrappedLogger, method: str, event: Event) -> Event:
        now = nanoseconds(clock.time())
        logger.emit(
            timestamp=now,
            observed_timestamp=now,
            severity_number=_SEVERITY[method],
            severity_text=method.upper(),
            body=event["event"],
            attributes={
                key: value if isinstance(value, str | bool | int | float) else str(value)
                for key, value in event.items()
                if key not in _NOT_ATTRIBUTES and value is not None
            },
        )
        return event

    return emit
