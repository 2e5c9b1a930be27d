"""Traces: recent ones by filter, and one of them as a waterfall with its attributes, events and log records."""

from __future__ import annotations

import streamlit as st

from panel import charts, deps, formats, plots, spans, widgets
from panel.sources import Sources, TraceSearch

_ANY = "any"
_WIDTHS = [1, 2.6, 1.2, 1.2, 0.8, 2.2]
_MOST_SPANS = 60


def entry() -> st.Page:
    """Return the page's place in the navigation."""
    return st.Page(page, title="Traces", icon=":material/account_tree:", url_path="traces")


def page() -> None:
    """Draw the list, or the one trace that the address names."""
    sources = deps.sources()
    trace_id = st.query_params.get("trace")
    if trace_id:
        st.query_params["trace"] = trace_id  # a link within the page does not change the address by itself
        _one(sources, trace_id.strip())
        return
    st.query_params.from_dict(st.query_params.to_dict())  # takes a trace that was just left out of the address
    services = widgets.value_of(sources.services.get())
    if services is None:
        return
    if not services:
        st.info("The trace store holds no traces yet. With traffic on, the first ones arrive within seconds.")
        return
    search = _filters(sources, services)
    if st.session_state.get("follow", True):
        widgets.live(sources, lambda: _found(sources, search), times=2)
    else:
        _found(sources, search)


def _filters(sources: Sources, services: tuple[str, ...]) -> TraceSearch:
    kinds = [kind.kind for kind in sources.kinds.get().value or []]
    boxes = st.columns([1.2, 1.6, 1.2, 1.1, 0.8, 1], vertical_alignment="bottom")
    first = services.index("firedrill") if "firedrill" in services else 0
    service = boxes[0].selectbox("Service", services, index=first, bind="query-params", key="service")
    operations = (_ANY, *(sources.operations.get(service).value or ()))
    operation = boxes[1].selectbox("Operation", operations, key="operation")
    fault = boxes[2].selectbox("Hit by a fault", [_ANY, *kinds], key="fault")
    slowest = boxes[3].number_input("At least (ms)", 0.0, value=0.0, step=10.0, format="%g", key="least")
    limit = boxes[4].selectbox("Show", [20, 50, 100], key="limit")
    with boxes[5]:
        errors_only = st.toggle("Only errors", key="errors")
        st.toggle("Live", value=True, key="follow", help="Off: the list holds still.")
    return TraceSearch(
        service=service,
        operation="" if operation == _ANY else operation,
        fault="" if fault == _ANY else fault,
        errors_only=errors_only,
        min_duration_s=slowest / 1000,
        limit=limit,
    )


def _found(sources: Sources, search: TraceSearch) -> None:
    traces = widgets.value_of(sources.found.get(search))
    if traces is None:
        return
    if not traces:
        st.info("No trace matches. Widen the filters, or wait for traffic.")
        return
    for column, title in zip(
        st.columns(_WIDTHS), ("At", "Trace", "Service", "Duration", "Spans", "Result"), strict=True
    ):
        column.markdown(f"**{title}**")
    me = entry()
    for trace in traces:
        about = spans.summary(trace)
        at, link, service, duration, number, result = st.columns(_WIDTHS, vertical_alignment="center")
        at.markdown(formats.clock(about.start))
        link.page_link(me, label=f"{about.operation} `{trace.trace_id[:8]}`", query_params={"trace": trace.trace_id})
        service.markdown(about.service)
        duration.markdown(formats.span(about.duration_s))
        number.markdown(str(len(trace.spans)))
        result.markdown(widgets.trace_result(about))


def _one(sources: Sources, trace_id: str) -> None:
    back, store, _ = st.columns([1, 1.4, 4])
    back.page_link(entry(), label="All traces", icon=":material/arrow_back:")
    store.link_button("Open in the trace store", sources.traces.page_url(trace_id), icon=":material/open_in_new:")
    trace = widgets.value_of(sources.trace.get(trace_id))
    if trace is None:
        return
    about = spans.summary(trace)
    st.subheader(about.operation)
    facts = (
        f"{formats.clock(about.start)} · {formats.span(about.duration_s)} · {formats.count(len(trace.spans), 'span')}"
    )
    st.markdown(f"{widgets.trace_result(about)} · {facts} · trace `{trace_id}`")
    order = spans.in_order(trace)[:_MOST_SPANS]
    if len(order) < len(trace.spans):
        st.info(f"The first {len(order)} of {len(trace.spans)} spans; the trace store's page shows them all.")
    words = f"Waterfall of {formats.count(len(order), 'span')}"
    plots.draw(charts.waterfall(trace, order), key=f"waterfall-{trace_id}", alt=words)
    logs = spans.logs_by_span(trace, sources.logs.get(trace_id).value or ())
    for index, (span, _) in enumerate(order):
        widgets.span_details(index + 1, span, order[0][0].start, logs.get(span.span_id, ()))
    widgets.log_records(logs.get("", ()), order[0][0].start)
