"""Spans: the provider that exports them when live, and cheap spans whose times come from the given clock."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextvars import Token
from time import time_ns
from types import TracebackType
from urllib.parse import unquote

from opentelemetry import context as otel_context
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased, Sampler, TraceIdRatioBased
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, TracerProvider, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from service.clock import Clock, nanoseconds
from service.errors import RequestError
from service.ids import IdSource, RandomIds
from service.settings import Settings
from service.telemetry import wire
from service.telemetry.export import Exporter
from service.telemetry.spans import CheapTracerProvider
from service.telemetry.transports import Line, transport_of

CLOSE_TIMEOUT_S = 5.0

Attributes = Mapping[str, str | bool | int | float]
_PROPAGATOR = TraceContextTextMapPropagator()
_NO_PARENT = Context()


class ActiveSpan:
    """A span that lasts as long as its ``with`` block and is, unless said otherwise, the current one inside.

    An exception that leaves the block marks it as failed, unless the caller is to blame (a 4xx).
    """

    __slots__ = ("_clock", "_current", "_token", "span")

    def __init__(self, span: Span, clock: Clock, *, current: bool = True) -> None:
        self.span, self._clock, self._current = span, clock, current
        self._token: Token[Context] | None = None

    def __enter__(self) -> Span:
        if self._current:
            self._token = otel_context.attach(set_span_in_context(self.span))
        return self.span

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._token is not None:
            otel_context.detach(self._token)
        now = nanoseconds(self._clock.time())
        if error is not None and self.span.is_recording() and not _callers_fault(error):
            self.span.record_exception(error, timestamp=now)
            self.span.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {error}"))
        self.span.end(now)


class Tracing:
    """Starts spans. Every time comes from the clock; nothing here touches OpenTelemetry's global provider."""

    def __init__(self, provider: TracerProvider, clock: Clock) -> None:
        self._tracer = provider.get_tracer("firedrill.service")
        self._clock = clock

    def server(self, name: str, carrier: Mapping[str, str], attributes: Attributes) -> ActiveSpan:
        """Return the server span of a request whose trace headers are in ``carrier``: their child, or a new root."""
        parent = _PROPAGATOR.extract(carrier, context=_NO_PARENT) if carrier else _NO_PARENT
        return ActiveSpan(self._started(name, parent, SpanKind.SERVER, attributes), self._clock)

    def stage(self, name: str, attributes: Attributes | None = None, *, current: bool = True) -> ActiveSpan:
        """Return a span below the current one; not ``current`` itself where nothing inside looks for it."""
        return ActiveSpan(self._started(name, None, SpanKind.INTERNAL, attributes), self._clock, current=current)

    def _started(self, name: str, parent: Context | None, kind: SpanKind, attributes: Attributes | None) -> Span:
        start = nanoseconds(self._clock.time())
        return self._tracer.start_span(name, parent, kind, attributes, start_time=start)


def _callers_fault(error: BaseException) -> bool:
    return isinstance(error, RequestError) and error.status < 500


def pairs_of(text: str) -> dict[str, str]:
    """Return ``name=value,…`` as OpenTelemetry's variables write it: separated by commas, percent-encoded."""
    parted = (part.partition("=") for part in text.split(",") if part.strip())
    return {name.strip(): unquote(value.strip()) for name, _, value in parted}


def build_resource(settings: Settings, instance: str) -> Resource:
    """Return who sends spans and logs.

    ``OTEL_RESOURCE_ATTRIBUTES`` may say more, and give another ``service.instance.id`` than ``instance``; name and
    version are those of ``OTEL_SERVICE_NAME`` and ``OTEL_SERVICE_VERSION`` where these are set.
    """
    given = settings.model_fields_set
    own = {"service.name": settings.otel_service_name, "service.version": settings.otel_service_version}
    firm = {key: value for key, value in own.items() if f"otel_{key.replace('.', '_')}" in given}
    sender = {"telemetry.sdk.name": "firedrill.service", "telemetry.sdk.language": "python"}
    sender["telemetry.sdk.version"] = settings.app_version
    told = pairs_of(settings.otel_resource_attributes)
    return Resource({**sender, **own, "service.instance.id": instance, **told, **firm})


def build_sampler(settings: Settings) -> Sampler:
    """Return the sampler of ``OTEL_TRACES_SAMPLER``; it records nothing where tracing is off."""
    if not settings.enable_tracing:
        return ALWAYS_OFF
    name = settings.otel_traces_sampler
    roots = {"always_on": ALWAYS_ON, "always_off": ALWAYS_OFF}
    kind = name.removeprefix("parentbased_")
    root = roots.get(kind) or TraceIdRatioBased(settings.otel_traces_sampler_arg)
    return ParentBased(root) if name.startswith("parentbased_") else root


class LiveTracerProvider(CheapTracerProvider):
    """Spans on the wall clock, sent by ``exporter``; with none they are recorded nowhere."""

    def __init__(self, sampler: Sampler, ids: IdSource, exporter: Exporter | None) -> None:
        super().__init__(sampler, ids, exporter.offer if exporter else _nowhere, time_ns)
        self.exporter = exporter

    def shutdown(self) -> None:
        """Send what is left, as far as that is possible within ``CLOSE_TIMEOUT_S``."""
        if self.exporter is not None:
            self.exporter.close(CLOSE_TIMEOUT_S)


def build_tracer_provider(
    settings: Settings, ids: IdSource | None = None, instance: str = "", filters: Sequence[Callable[[], bool]] = ()
) -> LiveTracerProvider:
    """Return the live provider: spans leave in batches; none are recorded with tracing or their exporter off.

    A span for which one of ``filters`` says False is not exported.
    """
    sampler = build_sampler(settings) if settings.otel_traces_exporter == "otlp" else ALWAYS_OFF
    exporter = build_exporter(settings, "traces", instance, filters) if sampler is not ALWAYS_OFF else None
    return LiveTracerProvider(sampler, ids or RandomIds(random.Random()), exporter)


def build_exporter(
    settings: Settings, signal: str, instance: str, filters: Sequence[Callable[[], bool]] = ()
) -> Exporter:
    """Return a running exporter of ``traces`` or ``logs``."""
    grpc = settings.otel_exporter_otlp_protocol == "grpc"
    base = settings.otel_exporter_otlp_endpoint.rstrip("/")
    own = getattr(settings, f"otel_exporter_otlp_{signal}_endpoint")
    line = Line(
        signal,
        own or (base if grpc else f"{base}/v1/{signal}"),
        headers=pairs_of(settings.otel_exporter_otlp_headers),
        compress=settings.otel_exporter_otlp_compression == "gzip",
        certificate=settings.otel_exporter_otlp_certificate,
        client_key=settings.otel_exporter_otlp_client_key,
        client_certificate=settings.otel_exporter_otlp_client_certificate,
    )
    return Exporter(
        signal,
        transport_of(settings.otel_exporter_otlp_protocol, line),
        resource=wire.resource_message(build_resource(settings, instance or uuid.uuid4().hex).attributes),
        rng=random.Random(),
        queue_limit=settings.otel_bsp_max_queue_size,
        batch_limit=min(settings.otel_bsp_max_export_batch_size, settings.otel_bsp_max_queue_size),
        every_s=settings.otel_bsp_schedule_delay / 1000,
        timeout_s=settings.otel_exporter_otlp_timeout / 1000,
        filters=filters,
    )


def _nowhere(_scope: bytes, _item: bytes) -> None:
    """Take an item and forget it."""
