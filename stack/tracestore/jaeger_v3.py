"""Jaeger's v3 query API over HTTP: OTLP JSON in the envelope of its streaming gateway, errors in that gateway's form.

Source: ``http_gateway.go`` of Jaeger 2.20's ``apiv3`` package; answers are compared with its snapshots in the tests. As
there, an empty search is a 404, empty lists are left out, and an error's body is JSON under a plain-text type.
"""

from __future__ import annotations

import json
from typing import cast

from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from stack.tracestore.errors import BadQuery
from stack.tracestore.finder import find
from stack.tracestore.model import STATUS_ERROR, StoredTrace
from stack.tracestore.otlp_json import Json, resource_spans
from stack.tracestore.parameters import either, parse_rfc3339, parse_trace_id, parse_v3_bool, parse_v3_query
from stack.tracestore.reader import exports
from stack.tracestore.store import TraceStore
from stack.tracestore.telemetry import StoreMetrics

PREFIX = "/api/v3/"
SERVICE_UNAVAILABLE = 503
"""An answer of this store alone (Jaeger has 500): typed as JSON, so that no client takes it for a proxy's."""


def create_v3_routes(store: TraceStore, metrics: StoreMetrics) -> list[Route]:
    """Return the routes of ``/api/v3``."""
    api = JaegerV3Api(store, metrics)
    return [
        Route(f"{PREFIX}services", api.services),
        Route(f"{PREFIX}operations", api.operations),
        Route(f"{PREFIX}traces", api.search),
        Route(f"{PREFIX}traces/{{trace_id:path}}", api.trace),
        Route(f"{PREFIX}trace-summaries", api.summaries),
    ]


class JaegerV3Api:
    """The handlers of Jaeger's v3 query API."""

    def __init__(self, store: TraceStore, metrics: StoreMetrics) -> None:
        self._store, self._metrics = store, metrics

    async def services(self, _: Request) -> Response:
        """``GET /api/v3/services``: names."""
        return _sparse("services", list(await self._store.services()))

    async def operations(self, request: Request) -> Response:
        """``GET /api/v3/operations?service=&spanKind=``: names with kinds; no kind is told as "internal"."""
        kind, _ = either(request.query_params, "spanKind", "span_kind")
        found = await self._store.operations(request.query_params.get("service", ""), kind)
        return _sparse("operations", [{"name": item.name, "spanKind": item.kind or "internal"} for item in found])

    async def search(self, request: Request) -> Response:
        """``GET /api/v3/traces``: the traces of which one span matches everything."""
        try:
            query = parse_v3_query(request.query_params)
        except BadQuery as error:
            return failed(400, str(error))
        with self._metrics.search.time():
            found = await self._store.read(lambda connection: exports(connection, find(connection, query)))
        return await self._answer(found)

    async def trace(self, request: Request) -> Response:
        """``GET /api/v3/traces/{id}``: one trace, whole; Jaeger's time hints are checked and not needed."""
        parameters = request.query_params
        try:
            try:
                trace_id = parse_trace_id(request.path_params["trace_id"])
            except BadQuery as error:
                raise BadQuery.malformed("trace_id", str(error)) from None
            for name, older_name in (("startTime", "start_time"), ("endTime", "end_time")):
                text, given = either(parameters, name, older_name)
                if text:
                    parse_rfc3339(text, given)
            parse_v3_bool(parameters, "rawTraces", "raw_traces")
        except BadQuery as error:
            return failed(400, str(error))
        return await self._answer(await self._store.read(lambda connection: exports(connection, [trace_id])))

    async def summaries(self, request: Request) -> Response:
        """``GET /api/v3/trace-summaries``: what a list of found traces shows, without their spans."""
        try:
            query = parse_v3_query(request.query_params)
        except BadQuery as error:
            return failed(400, str(error))
        return _sparse("summaries", [_summary(trace) for trace in await self._store.search(query)])

    async def _answer(self, found: list[TracesData]) -> Response:
        if not found:
            return failed(404, "No traces found")
        return await self._store.compute(lambda: _traces(found))


def failed(status: int, message: str) -> Response:
    """Return an error in the form of Jaeger's gateway."""
    body = json.dumps({"error": {"httpCode": status, "message": message}})
    kind = "application/json" if status == SERVICE_UNAVAILABLE else "text/plain"
    return Response(f"{body}\n", status, media_type=kind, headers={"X-Content-Type-Options": "nosniff"})


def _traces(found: list[TracesData]) -> Response:
    return JSONResponse({"result": {"resourceSpans": [part for data in found for part in resource_spans(data)]}})


def _sparse(name: str, values: list[str] | list[dict[str, str]] | list[dict[str, Json]]) -> Response:
    """Return a list under its name; protobuf's JSON leaves an empty one out."""
    return JSONResponse({name: values} if values else {})


def _summary(trace: StoredTrace) -> dict[str, Json]:
    known = {span.span_id for span in trace.spans}
    root = next((span for span in trace.spans if not span.parent_id), None)
    services = sorted({span.resource.service for span in trace.spans})
    counts = [
        (
            service,
            sum(span.resource.service == service for span in trace.spans),
            sum(span.resource.service == service and span.status == STATUS_ERROR for span in trace.spans),
        )
        for service in services
    ]
    return _filled(
        {
            "traceId": trace.trace_id.hex(),
            "rootServiceName": root.resource.service if root else "",
            "rootOperationName": root.name if root else "",
            "minStartTimeUnixNano": str(trace.start_ns),
            "maxEndTimeUnixNano": str(max(span.end_ns for span in trace.spans)),
            "spanCount": len(trace.spans),
            "errorSpanCount": sum(failed for _, _, failed in counts),
            "orphanSpanCount": sum(bool(span.parent_id) and span.parent_id not in known for span in trace.spans),
            "services": cast(
                "list[Json]",
                [
                    _filled({"name": name, "spanCount": spans, "errorSpanCount": failed})
                    for name, spans, failed in counts
                ],
            ),
        }
    )


def _filled(fields: dict[str, Json]) -> dict[str, Json]:
    """Return the fields without those of default value, as protobuf's JSON does."""
    return {name: value for name, value in fields.items() if value}
