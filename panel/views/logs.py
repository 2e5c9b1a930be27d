"""Logs: a search over all log records, how many there are over time, and each of them with its attributes and trace."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from panel import deps, formats, plots, steady, widgets
from panel.logbook import export
from panel.logbook.chart import counts_chart
from panel.logbook.feeds import Wanted
from panel.logbook.looks import LOOKS
from panel.sources import Sources
from panel.timeline.picker import live, picked
from stack.clients.logs import LogLine, LogPage, Severity

_ANY = "any"
_LEAST: tuple[Severity, ...] = ("UNSET", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")


def entry() -> st.Page:
    """Return the page's place in the navigation."""
    return st.Page(page, title="Logs", icon=":material/subject:", url_path="logs")


def page() -> None:
    """Draw the filters, the counts and the records."""
    sources = deps.sources()
    wanted = _filters(sources)
    if st.session_state.get("live", True):
        live(sources, wanted.over, lambda: _found(sources, wanted))
    else:
        _found(sources, wanted)
    _downloads(sources, wanted)


def _filters(sources: Sources) -> Wanted:
    when, text, service, least = st.columns([1, 2, 1.2, 1], vertical_alignment="bottom")
    with when:
        over = picked(sources)
    words = text.text_input(
        "Contains",
        key="text",
        bind="query-params",
        placeholder="letter by letter, as it is written",
        help="Looked for in the record's text and in the values of its attributes.",
    )
    services = [_ANY, *(sources.logbook.services.get().value or ())]
    who = service.selectbox("Service", services, key="in_service", bind="query-params")
    lowest = least.selectbox("At least", _LEAST, key="severity", format_func=_severity, bind="query-params")
    request, trace, most, follow = st.columns([1.6, 1.8, 0.8, 1], vertical_alignment="bottom")
    request_id = request.text_input("Request id", key="request", bind="query-params", help="The answer's X-Request-ID.")
    trace_id = trace.text_input("Trace id", key="in_trace", bind="query-params", help="The answer's X-Trace-ID.")
    limit = most.selectbox("Show", [100, 200, 500, 1000], key="show", bind="query-params")
    follow.toggle("Live", value=True, key="live", bind="query-params", help="Off: the list holds still.")
    return Wanted(
        over,
        "" if who == _ANY else who,
        (words or "").strip(),
        lowest,
        (trace_id or "").strip(),
        (request_id or "").strip(),
        limit,
    )


def _severity(name: str) -> str:
    return _ANY if name == "UNSET" else LOOKS[name].word


def _found(sources: Sources, wanted: Wanted) -> None:
    reading = sources.logbook.listings.get(wanted)
    listing = widgets.value_of(reading)
    if listing is None:
        return
    found = listing.page
    story = sources.story.get(wanted.over)
    drawing = sources.drawings.get(
        ("logs", wanted), (reading.taken_at, story.taken_at), lambda: counts_chart(found.counts, story.value)
    )
    plots.draw(drawing, key="log-counts", alt=_spoken(found), title="Log records by severity")
    if not found.lines:
        st.info("No record matches. Widen the filters or the time range, or wait for traffic.")
        return
    st.caption(_extent(found))
    alt = "Log records, newest first"
    steady.draw(listing.html, subject=str(wanted), alt=alt, key="log-records")


def _spoken(found: LogPage) -> str:
    each = ", ".join(f"{sum(row)} {_severity(name)}" for name, row in found.counts.rows)
    return f"Log records over time by severity: {each or 'none'}"


def _extent(found: LogPage) -> str:
    """Say how much of what there is is shown, and where counting ended."""
    total = found.counts.total
    words = f"{formats.count(len(found.lines), 'record')} of {total:,}, newest first"
    if len(found.lines) < total:
        words += "; the list is cut: narrow the search, or show more"
    if found.counts.complete_from > found.counts.start:
        words += f". Counted back to {formats.clock(found.counts.complete_from)}; there may be older ones"
    return words + "."


def _downloads(sources: Sources, wanted: Wanted) -> None:
    """Offer the records that are shown as files, made at the click."""
    files = (
        ("JSON lines", "logs.jsonl", "application/x-ndjson", export.json_lines),
        ("CSV", "logs.csv", "text/csv", export.comma_separated),
    )
    for column, (label, name, mime, made) in zip(st.columns([1, 1, 3]), files, strict=False):

        def content(made: Callable[[Sequence[LogLine]], bytes] = made) -> bytes:
            found = sources.logbook.listings.get(wanted).value
            return made(found.page.lines if found is not None else ())

        column.download_button(label, content, name, mime, on_click="ignore", icon=":material/download:")
