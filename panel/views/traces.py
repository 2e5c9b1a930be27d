"""Traces: recent ones by filter, and one of them as a waterfall with its attributes, events and log records."""

from __future__ import annotations

import streamlit as st

from panel import deps, roles, steady, trace_list, trace_parts, widgets
from panel.sources import Sources, TraceSearch
from panel.timeline.picker import live, picked

_ANY = "any"
_ONE = "trace"
_KEPT = "fd-kept-search"


def entry() -> st.Page:
    """Return the page's place in the navigation."""
    return st.Page(page, title="Traces", icon=":material/account_tree:", url_path="traces")


def page() -> None:
    """Draw the list, or the one trace that the address names."""
    sources = deps.sources()
    trace_id = st.query_params.get(_ONE, "").strip()
    st.query_params.update({})  # a link within the page does not change the browser's address by itself
    if trace_id:
        _one(sources, trace_id)
        return
    services = widgets.value_of(sources.services.get())
    if services is None:
        return
    if not services:
        st.info("The trace store holds no traces yet. With traffic on, the first ones arrive within seconds.")
        return
    search = _filters(sources, services)
    if st.session_state.get("follow", True):
        live(sources, search.over, lambda: _found(sources, search))
    else:
        _found(sources, search)


def _filters(sources: Sources, services: tuple[str, ...]) -> TraceSearch:
    kinds = [kind.kind for kind in sources.kinds.get().value or []]
    when, *boxes = st.columns([1.1, 1.2, 1.6, 1.2, 1.1, 0.8, 1], vertical_alignment="bottom")
    with when:
        over = picked(sources)
    first = services.index("firedrill") if "firedrill" in services else 0
    service = boxes[0].selectbox("Service", services, index=first, bind="query-params", key="service")
    operations = (_ANY, *(sources.operations.get(service).value or ()))
    operation = boxes[1].selectbox("Operation", operations, bind="query-params", key="operation")
    fault = boxes[2].selectbox("Hit by a fault", [_ANY, *kinds], bind="query-params", key="fault")
    slowest = boxes[3].number_input(
        "At least (ms)", 0.0, value=0.0, step=10.0, format="%g", bind="query-params", key="least"
    )
    limit = boxes[4].selectbox("Show", [20, 50, 100], bind="query-params", key="limit")
    with boxes[5]:
        errors_only = st.toggle("Only errors", bind="query-params", key="errors")
        st.toggle("Live", value=True, bind="query-params", key="follow", help="Off: the list holds still.")
    return TraceSearch(
        service=service,
        operation="" if operation == _ANY else operation,
        fault="" if fault == _ANY else fault,
        errors_only=errors_only,
        min_duration_s=slowest / 1000,
        limit=limit,
        over=over,
    )


def _found(sources: Sources, search: TraceSearch) -> None:
    traces = widgets.value_of(sources.found.get(search))
    if traces is None:
        return
    if not traces:
        st.info("No trace matches. Widen the filters or the time range, or wait for traffic.")
        return
    st.session_state[_KEPT] = st.query_params.to_dict()
    steady.draw(trace_list.table(traces), subject=str(search), alt="Traces, newest first", key="traces")


def _one(sources: Sources, trace_id: str) -> None:
    back, store, _ = st.columns([1, 1.4, 4])
    kept = st.session_state.get(_KEPT, {})
    back.page_link(entry(), label="All traces", icon=":material/arrow_back:", query_params=kept)
    why = roles.link_reason()
    store.link_button(
        "Open in the trace store",
        sources.traces.page_url(trace_id),
        icon=":material/open_in_new:",
        disabled=why is not None,
        help=why,
    )
    trace = widgets.value_of(sources.trace.get(trace_id))
    if trace is None:
        return
    root = trace.root
    st.subheader(root.operation if root is not None else "A trace without spans")
    trace_parts.draw(trace, sources.logs.get(trace_id).value or (), key=f"waterfall-{trace_id}")
