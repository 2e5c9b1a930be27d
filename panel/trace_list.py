"""Traces as a list in HTML, a line each, which leads to the trace. Everything given is escaped; no Streamlit."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from panel import formats, markup, spans, theme
from stack.clients.jaeger import Trace

_OK = theme.Look("✓", "ok", theme.GREEN, "green")
_ERROR = theme.Look("✗", "error", theme.VERMILLION, "red")


def table(traces: Sequence[Trace]) -> str:
    """Return the traces in the order given; their links are relative."""
    head = ("At", "Trace", "Service", "Duration", "Spans", "Result")
    return markup.table(head, [_row(trace) for trace in traces if trace.spans], numeric=frozenset({3, 4}))


def _row(trace: Trace) -> tuple[str, ...]:
    about = spans.summary(trace)
    address = quote(trace.trace_id, safe="")
    link = f'<a href="traces?trace={address}" data-follow>{markup.text(about.operation)}</a>'
    result = markup.chip(_ERROR if about.error else _OK)
    if about.faults:
        result += f" hit by <b>{markup.text(', '.join(about.faults))}</b>"
    return (
        formats.clock(about.start),
        f"{link} <code>{markup.text(trace.trace_id[:8])}</code>",
        markup.text(about.service),
        formats.span(about.duration_s),
        str(len(trace.spans)),
        result,
    )
