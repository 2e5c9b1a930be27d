"""The handlers of the pages for people: they ask the store and hand what it says to the pages."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from stack.tracestore.errors import BadQuery
from stack.tracestore.logs import logs_of
from stack.tracestore.model import trace_id_text
from stack.tracestore.page.frame import message
from stack.tracestore.page.search import DEFAULT_LIMIT, DEFAULT_LOOKBACK, search_page, typed_tags
from stack.tracestore.page.trace import trace_page
from stack.tracestore.parameters import parse_query, parse_trace_id
from stack.tracestore.store import TraceStore

_DEFAULTS = {"limit": str(DEFAULT_LIMIT), "lookback": DEFAULT_LOOKBACK}


def create_page_routes(store: TraceStore, now: Callable[[], float]) -> list[Route]:
    """Return the routes of the pages. ``now`` (Unix seconds) is where look-back starts."""
    pages = Pages(store, now)
    return [
        Route("/", pages.home),
        Route("/search", pages.search),
        Route("/trace/{trace_id:path}", pages.trace),
    ]


class Pages:
    """The handlers."""

    def __init__(self, store: TraceStore, now: Callable[[], float]) -> None:
        self._store, self._now = store, now

    async def home(self, _: Request) -> Response:
        """Lead to the search page."""
        return RedirectResponse("/search", 302)

    async def search(self, request: Request) -> Response:
        """Recent traces, or those that the parameters of a search link ask for."""
        asked = request.query_params
        if trace_id := asked.get("traceID", "").strip():
            return RedirectResponse(f"/trace/{quote(trace_id, safe='')}", 302)
        services = await self._store.services()
        operations = await self._store.operations(asked["service"]) if asked.get("service") else ()
        try:
            query = parse_query(_filled(asked), self._now(), service_required=False)
        except BadQuery as error:
            return search_page((), services, operations, asked, str(error))
        traces = await self._store.search(query)
        return await self._store.compute(lambda: search_page(traces, services, operations, asked))

    async def trace(self, request: Request) -> HTMLResponse:
        """One trace."""
        text = request.path_params["trace_id"]
        one, dots, other = text.partition("...")
        if dots:
            both = [(f"/trace/{quote(each, safe='')}", f"Trace {each}") for each in (one, other) if each]
            hint = "This store shows one trace at a time; Jaeger's own interface compares two."
            return message("Comparing traces", hint, status=404, links=both)
        try:
            trace_id = parse_trace_id(text)
        except BadQuery as error:
            return message("This is no trace id", str(error), status=400)
        trace = await self._store.trace(trace_id)
        if trace is None:
            hint = (
                f"The store has no trace {trace_id_text(trace_id)}. Its spans may still be on their way (a few "
                "seconds), it may have been sampled out, or it is older than what the store keeps."
            )
            return message("Trace not found", hint, status=404)
        logs = await self._store.read(lambda connection: logs_of(connection, trace_id))
        find = request.query_params.get("uiFind", "")
        opened = request.query_params.get("open") == "all"
        return await self._store.compute(lambda: trace_page(trace, logs, find, opened=opened))


def _filled(asked: QueryParams) -> QueryParams:
    """Return the parameters with the form's defaults for what is left out or empty, and tags as JSON."""
    given = [
        (key, typed_tags(value) if key == "tags" else value.strip()) for key, value in asked.multi_items() if value
    ]
    known = {key for key, _ in given}
    return QueryParams([*given, *((key, value) for key, value in _DEFAULTS.items() if key not in known)])
