"""Search of log records over HTTP, which Jaeger does not have: the parameters, the handlers and their JSON.

The envelope is that of Jaeger's v1 API.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypedDict

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from stack.tracestore.errors import BadQuery
from stack.tracestore.jaeger import Record, record_json
from stack.tracestore.log_survey import Survey, survey
from stack.tracestore.logs import LogQuery, log_services
from stack.tracestore.parameters import integer, parse_trace_id
from stack.tracestore.query import envelope, refused
from stack.tracestore.store import TraceStore

DEFAULT_LIMIT = 100
MOST_RECORDS = 5000
DEFAULT_SLOTS = 60
MOST_SLOTS = 1000
DEFAULT_LOOKBACK_NS = 3_600_000_000_000
HIGHEST_SEVERITY = 24
_MOST_NS = 2**63 - 1


class Counts(TypedDict):
    """Records per slot of time and severity. Times in microseconds since the epoch; ``step`` is a slot's length."""

    start: int
    step: int
    completeFrom: int
    series: dict[str, list[int]]


class Page(TypedDict):
    """The answer to a search. ``total`` is how many records were counted."""

    data: list[Record]
    total: int
    limit: int
    offset: int
    errors: None
    counts: Counts


def create_log_routes(store: TraceStore, now: Callable[[], float]) -> list[Route]:
    """Return the routes below ``/api/logs``. ``now`` (Unix seconds) is where a search without an end ends."""
    api = LogApi(store, now)
    return [Route("/api/logs/services", api.services), Route("/api/logs/search", api.search)]


class LogApi:
    """The handlers."""

    def __init__(self, store: TraceStore, now: Callable[[], float]) -> None:
        self._store, self._now = store, now

    async def services(self, _: Request) -> Response:
        """``GET /api/logs/services``: the services that have log records, by name."""
        found = await self._store.read(log_services)
        return envelope(found, total=len(found))

    async def search(self, request: Request) -> Response:
        """``GET /api/logs/search``: the newest records that match, newest first, and counts over time."""
        try:
            query = parse_log_query(request.query_params, self._now())
            slots = _number(request.query_params, "slots", DEFAULT_SLOTS, 1, MOST_SLOTS)
        except BadQuery as error:
            return refused(error)
        return await self._store.read(lambda connection: _page(survey(connection, query, slots=slots), query.limit))


def parse_log_query(parameters: QueryParams, now_s: float) -> LogQuery:
    """Return the search that parameters ask for. Raises ``BadQuery``.

    ``start`` and ``end`` are microseconds since the epoch, by default the last hour; ``severity`` is the least severity
    number; ``attribute=key:value`` may come several times.
    """
    attributes: list[tuple[str, str]] = []
    for text in parameters.getlist("attribute"):
        key, colon, value = text.partition(":")
        if not colon:
            raise BadQuery.unparsable("attribute", f"{text[:64]!r} is not key:value")
        attributes.append((key, value))
    end_ns = 1000 * _number(parameters, "end", int(now_s * 1e6), 0, _MOST_NS // 1000)
    start_ns = 1000 * _number(parameters, "start", max(0, end_ns - DEFAULT_LOOKBACK_NS) // 1000, 0, _MOST_NS // 1000)
    if start_ns > end_ns:
        raise BadQuery("'start' should not be after 'end'")
    trace_id = parameters.get("traceID", "")
    return LogQuery(
        service=parameters.get("service") or None,
        text=parameters.get("text", ""),
        trace_id=parse_trace_id(trace_id) if trace_id else b"",
        attributes=tuple(attributes),
        severity_min=_number(parameters, "severity", 0, 0, HIGHEST_SEVERITY),
        start_ns=start_ns,
        end_ns=end_ns,
        limit=min(_number(parameters, "limit", DEFAULT_LIMIT, 1, _MOST_NS), MOST_RECORDS),
    )


def _number(parameters: QueryParams, name: str, default: int, least: int, most: int) -> int:
    text = parameters.get(name, "")
    if not text:
        return default
    number = integer(text)
    if number is None or not least <= number <= most:
        raise BadQuery.unparsable(name, f"{text[:64]!r} is not a whole number from {least} to {most}")
    return number


def _page(found: Survey, limit: int) -> Response:
    page: Page = {
        "data": [record_json(record) for record in found.records],
        "total": found.matched,
        "limit": limit,
        "offset": 0,
        "errors": None,
        "counts": {
            "start": found.start_ns // 1000,
            "step": max(1, found.step_ns // 1000),
            "completeFrom": -(-found.complete_from_ns // 1000),
            "series": {name: list(row) for name, row in found.counts.items()},
        },
    }
    return JSONResponse(page)
