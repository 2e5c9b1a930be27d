"""One trace as the pages draw it: how it ended, the waterfall, and under each span what it carries."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from panel import charts, formats, plots, spans, widgets
from stack.clients.jaeger import Trace, TraceLog

_MOST_SPANS = 60


def draw(trace: Trace, records: Sequence[TraceLog], *, key: str) -> None:
    """Draw ``trace`` with its log ``records``; those of no span of it stand below."""
    about = spans.summary(trace)
    facts = (
        f"{formats.clock(about.start)} · {formats.span(about.duration_s)} · {formats.count(len(trace.spans), 'span')}"
    )
    st.markdown(f"{widgets.trace_result(about)} · {facts} · trace `{trace.trace_id}`")
    order = spans.in_order(trace)[:_MOST_SPANS]
    if len(order) < len(trace.spans):
        st.info(f"The first {len(order)} of {len(trace.spans)} spans; the trace store's page shows them all.")
    words = f"Waterfall of {formats.count(len(order), 'span')}"
    title = f"{about.operation}, trace {trace.trace_id[:8]}"
    plots.draw(charts.waterfall(trace, order), key=key, alt=words, title=title)
    logs = spans.logs_by_span(trace, records)
    for index, (span, _) in enumerate(order):
        widgets.span_details(index + 1, span, order[0][0].start, logs.get(span.span_id, ()))
    widgets.log_records(logs.get("", ()), order[0][0].start)
