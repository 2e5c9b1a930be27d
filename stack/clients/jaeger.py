"""A typed client of Jaeger's query API: the embedded trace store and Jaeger itself answer it alike.

It prefers v3 and falls back to v1 where the source does not speak v3 (Jaeger 1.x). Log records are a matter of the
embedded store: a Jaeger has none.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Literal, TypeVar
from urllib.parse import quote, urlencode

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError

from stack.clients import jaeger_v1 as v1
from stack.clients import jaeger_v3 as v3
from stack.clients.source import Client, UnexpectedAnswer
from stack.clients.traces import Span, SpanEvent, Trace, TraceLog
from stack.errors import QueryRefused

__all__ = ["SOURCE", "JaegerClient", "Span", "SpanEvent", "Trace", "TraceLog", "TraceNotFound"]

SOURCE = "the trace store"
DEFAULT_LOOKBACK_S = 2 * 86_400.0
_NO_TAGS: Mapping[str, str] = MappingProxyType({})
_V3 = "/api/v3"
_Shape = TypeVar("_Shape", bound=BaseModel)
_Answer = TypeVar("_Answer", bound=v1.Answer)


class TraceNotFound(QueryRefused):
    """The store does not have a trace."""

    def __init__(self, trace_id: str) -> None:
        self.trace_id = trace_id
        super().__init__(SOURCE, trace_id, "trace not found (not exported yet, sampled out, or already deleted)")


class JaegerClient(Client):
    """A client of Jaeger's query API at ``url``. ``api`` says which version to speak; by default, find out.

    ``page_url`` is where a browser finds the pages, if elsewhere than at ``url`` (containers have names of their own).
    """

    name = SOURCE

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float = 5.0,
        api: Literal["v3", "v1"] | None = None,
        page_url: str | None = None,
    ) -> None:
        super().__init__(url, timeout_s=timeout_s)
        self._chosen, self._api = api, api
        self._pages = (page_url or self.url).rstrip("/")

    def services(self) -> tuple[str, ...]:
        """Return the services that have traces, by name."""
        if self._speaks_v3():
            return tuple(sorted(self._get_v3("/services", v3.Services).services))
        return tuple(sorted(self._get_v1("/api/services", v1.Names).data or ()))

    def operations(self, service: str) -> tuple[str, ...]:
        """Return the operations of a service, by name."""
        if self._speaks_v3():
            found = self._get_v3("/operations", v3.Operations, {"service": service})
            return tuple(sorted({operation.name for operation in found.operations}))
        path = f"/api/services/{quote(service, safe='')}/operations"
        return tuple(sorted(self._get_v1(path, v1.Names).data or ()))

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
        """Return the newest traces of which one span matches everything, newest first. Times in Unix seconds.

        Without ``end`` until now, without ``start`` two days back from there.
        """
        end = time.time() if end is None else end
        start = end - DEFAULT_LOOKBACK_S if start is None else start
        if start >= end:
            return ()
        durations = {
            name: f"{round(duration_s * 1e6)}us"
            for name, duration_s in (("min", min_duration_s), ("max", max_duration_s))
            if duration_s is not None
        }
        if self._speaks_v3():
            parameters = _v3_parameters(service, operation, tags, limit)
            parameters |= _both_ways({"startTimeMin": _rfc3339(start), "startTimeMax": _rfc3339(end)})
            parameters |= _both_ways({f"duration{name.title()}": text for name, text in durations.items()})
            found = self._traces_v3("/traces", parameters)
        else:
            parameters = _parameters(service, operation, tags, limit)
            parameters |= {"start": str(round(start * 1e6)), "end": str(round(end * 1e6))}
            parameters |= {f"{name}Duration": text for name, text in durations.items()}
            found = [v1.trace_of(trace) for trace in self._get_v1("/api/traces", v1.Traces, parameters).data or ()]
        return tuple(sorted(found, key=lambda trace: trace.start, reverse=True))

    def trace(self, trace_id: str) -> Trace:
        """Return one trace; raise ``TraceNotFound`` where the source does not have it."""
        path = f"/traces/{quote(trace_id, safe='')}"
        if self._speaks_v3():
            found = self._traces_v3(path)
        else:
            answer = self._get_v1(f"/api{path}", v1.Traces, missing=trace_id)
            found = [v1.trace_of(trace) for trace in answer.data or ()]
        if not found:
            raise TraceNotFound(trace_id)
        return found[0]

    def logs(self, trace_id: str) -> tuple[TraceLog, ...]:
        """Return the log records of a trace, by time; none from a source that keeps no logs, which Jaeger does not."""
        response = self._source.get("/api/logs", {"traceID": trace_id})
        if response.status_code == httpx.codes.NOT_FOUND or "json" not in response.headers.get("content-type", ""):
            return ()
        answer = self._checked_v1(response, v1.Records)
        return tuple(v1.log_of(record) for record in answer.data or ())

    def page_url(self, trace_id: str) -> str:
        """Return the address of a trace's page."""
        return f"{self._pages}/trace/{quote(trace_id, safe='')}"

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
        return (
            f"{self._pages}/search?{urlencode(_parameters(service, operation, tags, limit) | {'lookback': lookback})}"
        )

    def _speaks_v3(self) -> bool:
        """Return whether the source speaks v3: asked once, and again after an answer that did not fit."""
        if self._api is None:
            response = self._source.get(f"{_V3}/services")
            self._api = "v3" if _is_v3(response) else "v1"
        return self._api == "v3"

    def _traces_v3(self, path: str, parameters: Mapping[str, str] = _NO_TAGS) -> list[Trace]:
        """Return the traces of an answer, none where it is v3's 404."""
        response = self._source.get(f"{_V3}{path}", parameters)
        if response.status_code == httpx.codes.NOT_FOUND and _failure(response):
            return []
        self._refuse(response)
        adapter = TypeAdapter(v3.Found)
        try:
            return v3.traces_of([adapter.validate_json(response.content)])
        except ValidationError:
            lines = response.content.split(b"\n")  # the gateway streams one message a line where it streams
            try:
                return v3.traces_of([adapter.validate_json(line) for line in lines if line.strip()])
            except ValidationError:
                self._read(response, adapter)
                raise

    def _get_v3(self, path: str, shape: type[_Shape], parameters: Mapping[str, str] = _NO_TAGS) -> _Shape:
        response = self._source.get(f"{_V3}{path}", parameters)
        self._refuse(response)
        return self._read(response, TypeAdapter(shape))

    def _refuse(self, response: httpx.Response) -> None:
        """Raise ``QueryRefused`` with the gateway's own words where the answer is an error."""
        if not response.is_success:
            reason = _failure(response)
            if not reason:
                self._api = self._chosen
                raise self._source.unexpected(response, "neither traces nor an error of API v3")
            raise QueryRefused(SOURCE, str(response.url), reason)

    def _get_v1(
        self, path: str, shape: type[_Answer], parameters: Mapping[str, str] = _NO_TAGS, missing: str | None = None
    ) -> _Answer:
        response = self._source.get(path, parameters)
        if response.status_code == httpx.codes.NOT_FOUND and missing is not None:
            raise TraceNotFound(missing)
        return self._checked_v1(response, shape)

    def _checked_v1(self, response: httpx.Response, shape: type[_Answer]) -> _Answer:
        answer = self._read(response, TypeAdapter(shape))
        if response.is_success:
            return answer
        reason = "; ".join(problem.msg for problem in answer.errors or ()) or f"status {response.status_code}"
        raise QueryRefused(SOURCE, str(response.url), reason)

    def _read(self, response: httpx.Response, adapter: TypeAdapter[_Shape]) -> _Shape:
        """Return an answer's body; where it does not fit, another program may have come: find out anew next time."""
        try:
            return self._source.read(response, adapter)
        except UnexpectedAnswer:
            self._api = self._chosen
            raise


def _is_v3(response: httpx.Response) -> bool:
    """Return whether an answer to v3's services is one of v3: its list, perhaps left out, or its form of an error."""
    try:
        body: object = response.json()
    except ValueError:
        return False
    if response.is_success:
        return isinstance(body, dict) and not body.keys() - {"services"}
    return bool(_failure(response))


def _failure(response: httpx.Response) -> str:
    """Return what an error of v3 says; empty where the answer is no such error."""
    try:
        error = v3.Failed.model_validate_json(response.content).error
    except ValidationError:
        return ""
    return error.message or f"status {response.status_code}"


def _parameters(service: str, operation: str | None, tags: Mapping[str, str], limit: int) -> dict[str, str]:
    parameters = {"service": service, "limit": str(limit)}
    if operation:
        parameters["operation"] = operation
    if tags:
        parameters["tags"] = json.dumps(dict(tags), separators=(",", ":"))
    return parameters


def _v3_parameters(service: str, operation: str | None, tags: Mapping[str, str], limit: int) -> dict[str, str]:
    parameters = _both_ways({"serviceName": service, "searchDepth": str(limit)})
    if operation:
        parameters |= _both_ways({"operationName": operation})
    if tags:
        parameters["query.attributes"] = json.dumps(dict(tags), separators=(",", ":"))
    return parameters


def _both_ways(parameters: Mapping[str, str]) -> dict[str, str]:
    """Return parameters by their names of today (camel case) and by those that Jaeger before 2.19 knows."""
    snake = {"".join(f"_{c.lower()}" if c.isupper() else c for c in name): text for name, text in parameters.items()}
    return {f"query.{name}": text for name, text in (snake | dict(parameters)).items()}


def _rfc3339(moment: float) -> str:
    """Return a time in Unix seconds as v3 wants it, to the microsecond."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
