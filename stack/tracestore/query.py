"""Jaeger's v1 query API: parameters to a ``TraceQuery``, traces to the JSON envelope, errors in Jaeger's words."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import NotRequired, TypedDict

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from stack.tracestore.durations import parse_go_duration
from stack.tracestore.errors import BadQuery, StoreUnavailable
from stack.tracestore.jaeger import Trace, trace_json
from stack.tracestore.model import StoredTrace, TraceQuery, trace_id_text
from stack.tracestore.store import TraceStore

DEFAULT_LIMIT = 100
MOST_TRACES = 1500
"""The largest limit that Jaeger's own page offers; more is cut to it."""
DEFAULT_LOOKBACK_NS = 2 * 86_400_000_000_000
NOT_FOUND = "trace not found"


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
        Route("/api/traces/{trace_id}", api.trace),
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

    async def _answer(self, traces: Sequence[StoredTrace], errors: list[ApiError] | None = None) -> Response:
        return await self._store.compute(lambda: envelope([trace_json(trace) for trace in traces], errors=errors))


def envelope(
    data: Sequence[str] | Sequence[dict[str, str]] | Sequence[Trace] | None,
    *,
    total: int = 0,
    errors: list[ApiError] | None = None,
    status: int = 200,
) -> Response:
    """Return Jaeger's structured response."""
    body = {"data": data, "total": total, "limit": 0, "offset": 0, "errors": errors or None}
    return JSONResponse(body, status)


def refused(error: BadQuery) -> Response:
    """Return Jaeger's answer to a query that it cannot use."""
    return envelope(None, errors=[{"code": 400, "msg": str(error)}], status=400)


def unavailable(error: StoreUnavailable) -> Response:
    """Return the answer while the database cannot be read."""
    return envelope(None, errors=[{"code": 503, "msg": str(error)}], status=503)


def parse_trace_id(text: str) -> bytes:
    """Return the 16 bytes of a trace id of 1 to 32 hex digits; shorter ids are right-aligned. Raises ``BadQuery``."""
    if not 0 < len(text) <= 32 or not all(digit in "0123456789abcdefABCDEF" for digit in text):
        raise BadQuery(f"cannot parse traceID param: {text[:64]!r} is not a trace id of up to 32 hexadecimal digits")
    return bytes.fromhex(text.zfill(32))


def parse_query(parameters: QueryParams, now_s: float, *, service_required: bool = True) -> TraceQuery:
    """Return the search that query parameters ask for. Raises ``BadQuery``.

    ``start`` and ``end`` are microseconds since the epoch, durations Go strings, ``tags`` a JSON object of strings (or
    repeated ``tag=key:value``). ``lookback`` counts only where there is no ``start``.
    """
    service = parameters.get("service", "")
    if service_required and not service:
        raise BadQuery("parameter 'service' is required")
    now_ns = int(now_s * 1e9)
    end_ns = _microseconds(parameters, "end")
    start_ns = _microseconds(parameters, "start")
    shortest_ns = _duration(parameters, "minDuration")
    longest_ns = _duration(parameters, "maxDuration")
    if shortest_ns and longest_ns and longest_ns < shortest_ns:
        raise BadQuery("'maxDuration' should be greater than 'minDuration'")
    return TraceQuery(
        service=service or None,
        operation=parameters.get("operation") or None,
        tags=tuple(_tags(parameters).items()),
        start_ns=now_ns - _lookback_ns(parameters) if start_ns is None else start_ns,
        end_ns=now_ns if end_ns is None else end_ns,
        shortest_ns=shortest_ns or None,
        longest_ns=longest_ns or None,
        limit=_limit(parameters),
    )


def _limit(parameters: QueryParams) -> int:
    text = parameters.get("limit", "")
    if not text:
        return DEFAULT_LIMIT
    try:
        limit = int(text)
    except ValueError:
        raise BadQuery.unparsable("limit", f"{text[:64]!r} is not an integer") from None
    if limit < 1:
        raise BadQuery.unparsable("limit", f"{limit} is not positive")
    return min(limit, MOST_TRACES)


def _microseconds(parameters: QueryParams, name: str) -> int | None:
    text = parameters.get(name, "")
    if not text:
        return None
    try:
        number = int(text)
    except ValueError:
        raise BadQuery.unparsable(name, f"{text[:64]!r} is not an integer of microseconds") from None
    return max(0, min(number * 1000, 2**63 - 1))


def _duration(parameters: QueryParams, name: str) -> int:
    text = parameters.get(name, "")
    return parse_go_duration(text, name) if text else 0


def _lookback_ns(parameters: QueryParams) -> int:
    text = parameters.get("lookback", "")
    if text in {"", "custom"}:
        return DEFAULT_LOOKBACK_NS
    return parse_go_duration(text, "lookback", days=True)


def _tags(parameters: QueryParams) -> dict[str, str]:
    """Return the tags to match: ``tag=key:value`` (repeated) and ``tags={"key":"value"}``."""
    tags: dict[str, str] = {}
    for text in parameters.getlist("tag"):
        key, colon, value = text.partition(":")
        if not colon:
            raise BadQuery(f"malformed 'tag' parameter, expecting key:value, received: {text[:64]}")
        tags[key] = value
    for text in filter(None, parameters.getlist("tags")):
        try:
            given: object = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise BadQuery(f"malformed 'tags' parameter, cannot unmarshal JSON: {error}") from None
        if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
            raise BadQuery("malformed 'tags' parameter, cannot unmarshal JSON: expecting an object of strings")
        tags.update(given)
    return tags
