"""Jaeger's v1 query API: what its handlers ask of the store, the JSON envelope, and errors in Jaeger's words.

Source: ``http_handler.go`` of Jaeger 2.20's query extension. Beside it one endpoint that Jaeger
lacks: logs by trace id.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NotRequired, TypedDict

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from stack.tracestore.dependencies import dependencies
from stack.tracestore.errors import BadQuery, StoreUnavailable
from stack.tracestore.jaeger import Record, Trace, record_json, trace_json
from stack.tracestore.logs import logs_of
from stack.tracestore.model import StoredTrace, trace_id_text
from stack.tracestore.parameters import parse_dependency_window, parse_query, parse_trace_id
from stack.tracestore.store import TraceStore

NOT_FOUND = "trace not found"
PLAIN_TEXT = "text/plain; charset=utf-8"


class ApiError(TypedDict):
    """One error of the envelope."""

    code: NotRequired[int]
    msg: str
    traceID: NotRequired[str]


def create_routes(store: TraceStore, now: Callable[[], float]) -> list[Route]:
    """Return the routes of ``/api``. ``now`` (Unix seconds) is where look-back starts."""
    api = JaegerApi(store, now)
    return [
        Route("/api/services", api.services),
        Route("/api/services/{service:path}/operations", api.service_operations),
        Route("/api/operations", api.operations),
        Route("/api/traces", api.search),
        Route("/api/traces/{trace_id:path}", api.trace),
        Route("/api/dependencies", api.dependencies),
        Route("/api/logs", api.logs),
    ]


class JaegerApi:
    """The handlers of Jaeger's v1 query API."""

    def __init__(self, store: TraceStore, now: Callable[[], float]) -> None:
        self._store, self._now = store, now

    async def services(self, _: Request) -> Response:
        """``GET /api/services``: names."""
        found = await self._store.services()
        return envelope(found, total=len(found))

    async def service_operations(self, request: Request) -> Response:
        """``GET /api/services/{service}/operations``: names, whatever their kind."""
        found = await self._store.operations(request.path_params["service"])
        names = sorted({operation.name for operation in found})
        return envelope(names, total=len(names))

    async def operations(self, request: Request) -> Response:
        """``GET /api/operations?service=&spanKind=``: names with kinds."""
        service = request.query_params.get("service", "")
        if not service:
            return refused(BadQuery("parameter 'service' is required"))
        found = await self._store.operations(service, request.query_params.get("spanKind", ""))
        return envelope([{"name": item.name, "spanKind": item.kind} for item in found], total=len(found))

    async def search(self, request: Request) -> Response:
        """``GET /api/traces``: a search, or the traces that repeated ``traceID`` parameters name."""
        try:
            asked = [parse_trace_id(text) for text in request.query_params.getlist("traceID")]
            query = parse_query(request.query_params, self._now(), service_required=not asked)
        except BadQuery as error:
            return refused(error)
        if not asked:
            return await self._answer(await self._store.search(query))
        errors: list[ApiError] = []
        found: list[StoredTrace] = []
        for trace_id in dict.fromkeys(asked):
            trace = await self._store.trace(trace_id)
            if trace is None:
                errors.append({"msg": NOT_FOUND, "traceID": trace_id_text(trace_id)})
            else:
                found.append(trace)
        return await self._answer(found, errors)

    async def trace(self, request: Request) -> Response:
        """``GET /api/traces/{id}``: one trace."""
        try:
            trace_id = parse_trace_id(request.path_params["trace_id"])
        except BadQuery as error:
            return refused(error)
        trace = await self._store.trace(trace_id)
        if trace is None:
            return envelope(None, errors=[{"code": 404, "msg": NOT_FOUND}], status=404)
        return await self._answer([trace])

    async def dependencies(self, request: Request) -> Response:
        """``GET /api/dependencies?endTs=&lookback=&service=``: calls between services."""
        try:
            start_ns, end_ns = parse_dependency_window(request.query_params, self._now())
        except BadQuery as error:
            return refused(error)
        found = await self._store.read(lambda connection: dependencies(connection, start_ns, end_ns))
        service = request.query_params.get("service", "")
        links: list[dict[str, str | int]] = [
            {"parent": link.parent, "child": link.child, "callCount": link.calls}
            for link in found
            if service in {"", link.parent, link.child}
        ]
        return envelope(links)

    async def logs(self, request: Request) -> Response:
        """``GET /api/logs?traceID=&spanID=``: the log records of a trace by time, or those of one of its spans."""
        try:
            trace_id = parse_trace_id(request.query_params.get("traceID", ""))
        except BadQuery as error:
            return refused(error)
        span_id = request.query_params.get("spanID", "").lower()
        found = await self._store.read(lambda connection: logs_of(connection, trace_id))
        wanted = [record for record in found if span_id in {"", record.span_id}]
        return await self._store.compute(
            lambda: envelope([record_json(record) for record in wanted], total=len(wanted))
        )

    async def _answer(self, traces: Sequence[StoredTrace], errors: list[ApiError] | None = None) -> Response:
        return await self._store.compute(lambda: envelope([trace_json(trace) for trace in traces], errors=errors))


def envelope(
    data: Sequence[str] | Sequence[Mapping[str, str | int]] | Sequence[Trace] | Sequence[Record] | None,
    *,
    total: int = 0,
    errors: list[ApiError] | None = None,
    status: int = 200,
) -> Response:
    """Return Jaeger's structured response."""
    body = {"data": data, "total": total, "limit": 0, "offset": 0, "errors": errors or None}
    response = JSONResponse(body, status)
    if status in {400, 404}:  # as Jaeger, whose errors are JSON under the type of plain text
        response.headers["Content-Type"] = PLAIN_TEXT
    return response


def refused(error: BadQuery) -> Response:
    """Return Jaeger's answer to a query that it cannot use."""
    return envelope(None, errors=[{"code": 400, "msg": str(error)}], status=400)


def unavailable(error: StoreUnavailable) -> Response:
    """Return the answer while the database cannot be read."""
    return envelope(None, errors=[{"code": 503, "msg": str(error)}], status=503)
