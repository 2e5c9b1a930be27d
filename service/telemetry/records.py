"""OpenTelemetry log records that cost little: the API's ``LoggerProvider`` and ``Logger``; records leave as bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from opentelemetry._logs import Logger, LoggerProvider, LogRecord, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.trace import get_current_span
from opentelemetry.util.types import AnyValue, Attributes

from service.telemetry import wire
from service.telemetry.spans import RecordedSpan, Sink


class CheapLogger(Logger):
    """Emits log records of one instrumentation scope."""

    def __init__(self, name: str, version: str | None, sink: Sink, now_ns: Callable[[], int]) -> None:
        super().__init__(name, version)
        self._scope, self._sink, self._now_ns = wire.scope_message(name, version), sink, now_ns

    def emit(
        self,
        record: LogRecord | None = None,
        *,
        timestamp: int | None = None,
        observed_timestamp: int | None = None,
        context: Context | None = None,
        severity_number: SeverityNumber | None = None,
        severity_text: str | None = None,
        body: AnyValue | None = None,
        attributes: Attributes = None,
        event_name: str | None = None,
        exception: BaseException | None = None,  # noqa: ARG002 - the API's; exceptions come as text here
    ) -> None:
        """Emit what is given, within the span of ``context``, by default the current one."""
        if record is not None:
            self.emit(
                timestamp=record.timestamp,
                observed_timestamp=record.observed_timestamp,
                context=record.context,
                severity_number=record.severity_number,
                severity_text=record.severity_text,
                body=record.body,
                attributes=record.attributes,
                event_name=record.event_name,
            )
            return
        span = get_current_span(context)
        trace_id = span_id = flags = 0
        if isinstance(span, RecordedSpan):
            trace_id, span_id, flags = span.trace_id, span.span_id, 1
        elif (within := span.get_span_context()).is_valid:
            trace_id, span_id, flags = within.trace_id, within.span_id, within.trace_flags
        observed = self._now_ns() if observed_timestamp is None else observed_timestamp
        said = attributes or {}
        self._sink(
            self._scope,
            wire.record_message(
                time_ns=observed if timestamp is None else timestamp,
                observed_ns=observed,
                severity=severity_number.value if severity_number else 0,
                severity_text=severity_text or "",
                body=body,
                attributes_={**said, "event.name": event_name} if event_name else said,
                trace_id=trace_id,
                span_id=span_id,
                flags=flags,
            ),
        )

    def enabled(
        self,
        *,
        context: Context | None = None,  # noqa: ARG002 - the API's
        severity_number: SeverityNumber | None = None,  # noqa: ARG002 - as above; levels are filtered before
        event_name: str | None = None,  # noqa: ARG002 - as above
    ) -> bool:
        """Return that records are taken."""
        return True


class CheapLoggerProvider(LoggerProvider):
    """Hands out loggers whose records go to ``sink``."""

    def __init__(self, sink: Sink, now_ns: Callable[[], int]) -> None:
        self._sink, self._now_ns = sink, now_ns

    def get_logger(
        self,
        name: str,
        version: str | None = None,
        schema_url: str | None = None,  # noqa: ARG002 - the API's; one schema is as good as another here
        attributes: Any = None,  # noqa: ARG002 - the API's; scopes have names and versions here
    ) -> Logger:
        """Return a logger of the named scope."""
        return CheapLogger(name, version, self._sink, self._now_ns)
