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
from opentelemetry._logs import Logger, LoggerProvider, SeverityNumber
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
_PLAIN = (str, bool, int, float)


def build_log(
    settings: Settings,
    provider: LoggerProvider | None,
    clock: Clock,
    stream: TextIO | None = None,
    *,
    instance: str = "",
) -> Log:
    """Return the log of one app. It writes to ``stream``, else where the settings say, and to ``provider``.

    Every line carries ``instance`` where one is given: which of several replicas wrote it.
    """
    level = logging.DEBUG if settings.debug else logging.getLevelNamesMapping()[settings.log_level.upper()]
    render = _render_json if settings.log_format == "json" else _render_text
    log: Log = structlog.wrap_logger(
        stream or _stream(settings),
        processors=[_Recorder(provider, clock, render)],
        wrapper_class=_writing(level),
        context_class=dict,
    ).bind()
    return log.bind(instance=instance) if instance else log


def _writing(level: int) -> type[FilteringBoundLogger]:
    """Return structlog's bound logger from ``level`` on, its one processor called without detours.

    structlog's own way through a chain of four takes as long as all that they do.
    """
    filtering: Any = structlog.make_filtering_bound_logger(level)

    class Writing(filtering):  # type: ignore[misc]  # made by structlog at run time
        """Writes each event as one line."""

        def _proxy_to_logger(self, method_name: str, event: str | None = None, **said: Any) -> None:
            line = self._processors[0](None, method_name, {**self._context, **said, "event": event})
            self._logger.write(line)
            self._logger.flush()

    written: type[FilteringBoundLogger] = Writing
    return written


class _Recorder:
    """The one processor: stamps an event, emits it as an OTLP log record within the current span, renders its line."""

    def __init__(self, provider: LoggerProvider | None, clock: Clock, render: Callable[[Event], str]) -> None:
        self._logger = provider.get_logger("firedrill.service") if provider is not None else None
        self._clock, self._render = clock, render

    def __call__(self, _logger: WrappedLogger, method: str, event: Event) -> str:
        """Return the line of ``event``, which gets its level, its time and, where it has none, the ids of the span."""
        now = self._clock.time()
        event["level"], event["timestamp"] = method, utc(now)
        if "trace_id" not in event:
            context = get_current_span().get_span_context()
            if context.is_valid:
                event["trace_id"], event["span_id"] = f"{context.trace_id:032x}", f"{context.span_id:016x}"
        if "exc_info" in event:
            event = structlog.processors.format_exc_info(None, method, event)
        if self._logger is not None:
            self._emit(self._logger, method, event, nanoseconds(now))
        return self._render(event)

    @staticmethod
    def _emit(logger: Logger, method: str, event: Event, now_ns: int) -> None:
        logger.emit(
            timestamp=now_ns,
            observed_timestamp=now_ns,
            severity_number=_SEVERITY[method],
            severity_text=method.upper(),
            body=event["event"],
            attributes={
                key: value if isinstance(value, _PLAIN) else str(value)
                for key, value in event.items()
                if key not in _NOT_ATTRIBUTES and value is not None
            },
        )


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


def _render_json(event: Event) -> str:
    """Return the line: by pydantic's serialiser, five times as fast; by ``json`` where it is not plain ASCII."""
    try:
        line = to_json(event, fallback=str)
    except PydanticSerializationError:  # a lone surrogate
        return json.dumps(event, default=str) + "\n"
    return line.decode("ascii") + "\n" if line.isascii() else json.dumps(event, default=str) + "\n"


_console = structlog.dev.ConsoleRenderer(colors=False)


def _render_text(event: Event) -> str:
    """Return the line for people."""
    return f"{_console(None, str(event['level']), event)}\n"
