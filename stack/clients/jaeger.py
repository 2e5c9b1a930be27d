"""A typed client of Jaeger's v1 query API: the embedded trace store and Jaeger itself answer it alike."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeVar
from urllib.parse import quote, urlencode

import httpx
from pydantic import BaseModel, Field, TypeAdapter

from stack.clients.source import Client
from stack.errors import QueryRefused

SOURCE = "the trace store"
_NO_TAGS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class SpanEvent:
    """Something that happened during a span. Time in Unix seconds."""

    time: float
    name: str
    attributes: Mapping[str, str]


@dataclass(frozen=True)
class Span:
    """One span. ``start`` in Unix seconds; ``parent_id`` is ``None`` for a root; values of tags as text."""

    span_id: str
    parent_id: str | None
    operation: str
    service: str
    start: float
    duration_s: float
    tags: Mapping[str, str]
    events: tuple[SpanEvent, ...]
    error: bool


@dataclass(frozen=True)
class Trace:
    """A trace with its spans by start time."""

    trace_id: str
    spans: tuple[Span, ...]

    @property
    def start(self) -> float:
        """When the first span started, Unix seconds."""
        return min((span.start for span in self.spans), default=0.0)

    @property
    def duration_s(self) -> float:
        """From the first start to the last end, in seconds."""
        return max((span.start + span.duration_s for span in self.spans), default=0.0) - self.start

    @property
    def root(self) -> Span | None:
        """The first span without a parent, else the first; ``None`` for a trace without spans."""
        return next((span for span in self.spans if span.parent_id is None), next(iter(self.spans), None))

    @property
    def error(self) -> bool:
        """Whether any span failed."""
        return any(span.error for span in self.spans)


class TraceNotFound(QueryRefused):
    """The store does not have a trace."""

    def __init__(self, trace_id: str) -> None:
        self.trace_id = trace_id
        super().__init__(SOURCE, trace_id, "trace not found (not exported yet, sampled out, or already deleted)")


class JaegerClient(Client):
    """A client of Jaeger's query API at ``url``."""

    name = SOURCE

    def services(self) -> tuple[str, ...]:
        """Return the services that have traces, by name."""
        return tuple(sorted(self._get("/api/services", _Names).data or ()))

    def operations(self, service: str) -> tuple[str, ...]:
        """Return the operations of a service, by name."""
        path = f"/api/services/{quote(service, safe='')}/operations"
        return tuple(sorted(self._get(path, _Names).data or ()))

    def search(
        self,
        service: str,
        *,
        operation: str | None = None,
        tags: Mapping[str, str] = _NO_TAGS,
        start: float | None = None,
        end: float | None = None,
        min_duration_s: float | None = None,
        max_duration_s: float | None = None,
        limit: int = 20,
    ) -> tuple[Trace, ...]:
        """Return the newest traces of which one span matches everything, newest first. Times in Unix seconds."""
        parameters = _parameters(service, operation, tags, limit)
        for name, moment in (("start", start), ("end", end)):
            if moment is not None:
                parameters[name] = str(round(moment * 1e6))
        for name, duration_s in (("minDuration", min_duration_s), ("maxDuration", max_duration_s)):
            if duration_s is not None:
                parameters[name] = f"{round(duration_s * 1e6)}us"
        found = [_trace(trace) for trace in self._get("/api/traces", _Traces, parameters).data or ()]
        return tuple(sorted(found, key=lambda trace: trace.start, reverse=True))

    def trace(self, trace_id: str) -> Trace:
        """Return one trace; raise ``TraceNotFound`` where the source does not have it."""
        found = self._get(f"/api/traces/{quote(trace_id, safe='')}", _Traces, missing=trace_id).data
        if not found:
            raise TraceNotFound(trace_id)
        return _trace(found[0])

    def page_url(self, trace_id: str) -> str:
        """Return the address of a trace's page."""
        return f"{self.url}/trace/{quote(trace_id, safe='')}"

    def search_url(
        self,
        service: str,
        *,
        operation: str | None = None,
        tags: Mapping[str, str] = _NO_TAGS,
        lookback: str = "1h",
        limit: int = 20,
    ) -> str:
        """Return the address of the page that shows a search."""
        return f"{self.url}/search?{urlencode(_parameters(service, operation, tags, limit) | {'lookback': lookback})}"

    def _get(
        self, path: str, shape: type[_Shape], parameters: Mapping[str, str] = _NO_TAGS, missing: str | None = None
    ) -> _Shape:
        response = self._source.get(path, parameters)
        if response.status_code == httpx.codes.NOT_FOUND and missing is not None:
            raise TraceNotFound(missing)
        answer = self._source.read(response, TypeAdapter(shape))
        if response.is_success:
            return answer
        reason = "; ".join(problem.msg for problem in answer.errors or ()) or f"status {response.status_code}"
        raise QueryRefused(SOURCE, str(response.url), reason)


class _Tag(BaseModel):
    key: str
    value: str | bool | int | float | None = None


class _Problem(BaseModel):
    msg: str = ""


class _Answer(BaseModel):
    errors: list[_Problem] | None = None


_Shape = TypeVar("_Shape", bound=_Answer)


class _Names(_Answer):
    data: list[str] | None = None


class _RawReference(BaseModel):
    ref_type: str = Field(alias="refType")
    trace_id: str = Field(alias="traceID")
    span_id: str = Field(alias="spanID")


class _RawLog(BaseModel):
    timestamp: int
    fields: list[_Tag] = []


class _RawSpan(BaseModel):
    trace_id: str = Field(alias="traceID")
    span_id: str = Field(alias="spanID")
    operation: str = Field(alias="operationName")
    references: list[_RawReference] | None = None
    start_us: int = Field(alias="startTime")
    duration_us: int = Field(alias="duration")
    tags: list[_Tag] | None = None
    logs: list[_RawLog] | None = None
    process: str = Field(alias="processID")


class _RawProcess(BaseModel):
    service: str = Field(alias="serviceName")


class _RawTrace(BaseModel):
    trace_id: str = Field(alias="traceID")
    spans: list[_RawSpan]
    processes: dict[str, _RawProcess]


class _Traces(_Answer):
    data: list[_RawTrace] | None = None


def _parameters(service: str, operation: str | None, tags: Mapping[str, str], limit: int) -> dict[str, str]:
    parameters = {"service": service, "limit": str(limit)}
    if operation:
        parameters["operation"] = operation
    if tags:
        parameters["tags"] = json.dumps(dict(tags), separators=(",", ":"))
    return parameters


def _trace(raw: _RawTrace) -> Trace:
    spans = [_span(span, raw.processes) for span in raw.spans]
    return Trace(raw.trace_id, tuple(sorted(spans, key=lambda span: span.start)))


def _span(raw: _RawSpan, processes: Mapping[str, _RawProcess]) -> Span:
    tags = _texts(raw.tags or ())
    process = processes.get(raw.process)
    return Span(
        span_id=raw.span_id,
        parent_id=_parent(raw),
        operation=raw.operation,
        service="" if process is None else process.service,
        start=raw.start_us / 1e6,
        duration_s=raw.duration_us / 1e6,
        tags=tags,
        events=tuple(_event(log) for log in raw.logs or ()),
        error=tags.get("error") == "true" or tags.get("otel.status_code") == "ERROR",
    )


def _parent(raw: _RawSpan) -> str | None:
    """Return the first reference into the same trace, one by ``CHILD_OF`` before others."""
    inside = [reference for reference in raw.references or () if reference.trace_id == raw.trace_id]
    inside.sort(key=lambda reference: reference.ref_type != "CHILD_OF")
    return inside[0].span_id if inside else None


def _event(raw: _RawLog) -> SpanEvent:
    attributes = _texts(raw.fields)
    return SpanEvent(raw.timestamp / 1e6, attributes.pop("event", ""), attributes)


def _texts(tags: Iterable[_Tag]) -> dict[str, str]:
    """Return values as text, the way a search compares them."""
    return {tag.key: _text(tag.value) for tag in tags}


def _text(value: str | bool | float | None) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value)
