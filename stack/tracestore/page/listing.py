"""Traces in a list, newest first, with a small form: what opening the port or following a search link shows."""

from __future__ import annotations

from html import escape

from starlette.datastructures import QueryParams
from starlette.responses import HTMLResponse

from stack.tracestore.durations import readable
from stack.tracestore.model import StoredTrace, trace_id_text
from stack.tracestore.page.frame import colour, document, moment
from stack.tracestore.page.trace import FAULT_EVENT

DEFAULT_LIMIT = 20
FIELDS = (
    ("operation", "Operation", "all"),
    ("tags", "Tags (JSON)", '{"error":"true"}'),
    ("minDuration", "At least", "100ms"),
    ("limit", "Limit", str(DEFAULT_LIMIT)),
)
"""Parameter, title and example of each text field."""


def list_page(
    traces: tuple[StoredTrace, ...], services: tuple[str, ...], parameters: QueryParams, problem: str = ""
) -> HTMLResponse:
    """Return the page of found traces, the form as it was filled in; ``problem`` says why nothing was searched."""
    longest_ns = max((trace.duration_ns for trace in traces), default=1)
    rows = "".join(_row(trace, services, longest_ns) for trace in traces)
    if problem:
        found = f'<p class="problem" role="alert">{escape(problem)}</p>'
    elif not traces:
        found = "<p>No traces match. Traces appear here a few seconds after the requests that made them.</p>"
    else:
        found = f'<ol class="traces">{rows}</ol>'
    return document("Traces", f"<h1>Traces</h1>{_form(services, parameters)}{found}", status=400 if problem else 200)


def _form(services: tuple[str, ...], parameters: QueryParams) -> str:
    chosen = parameters.get("service", "")
    options = "".join(
        f'<option value="{escape(name)}"{" selected" if name == chosen else ""}>{escape(name)}</option>'
        for name in services
    )
    fields = "".join(
        f'<label>{title}<input name="{name}" value="{escape(parameters.get(name, ""))}"'
        f' placeholder="{escape(hint)}"></label>'
        for name, title, hint in FIELDS
    )
    return (
        '<form action="/search" method="get"><label>Service<select name="service"><option value="">all</option>'
        f"{options}</select></label>{fields}<button>Search</button></form>"
    )


def _row(trace: StoredTrace, services: tuple[str, ...], longest_ns: int) -> str:
    root = next((span for span in trace.spans if not span.parent_id), trace.spans[0])
    failed = any(span.failed for span in trace.spans)
    hit = any(event.name == FAULT_EVENT for span in trace.spans for event in span.events)
    badges = ('<span class="badge bad">error</span> ' if failed else "") + (
        '<span class="badge fault-badge">fault</span>' if hit else ""
    )
    known = services if root.resource.service in services else (*services, root.resource.service)
    return (
        f'<li><a href="/trace/{trace_id_text(trace.trace_id)}">'
        f'<span class="operation"><span class="swatch {colour(root.resource.service, known)}"></span>'
        f'{escape(root.resource.service)}: {escape(root.name)}</span><span class="badges">{badges}</span>'
        f'<span class="dim">{len(trace.spans)} spans, {escape(moment(trace.start_ns))} UTC</span>'
        f'<span class="length"><b style="width:{max(0.5, trace.duration_ns / longest_ns * 100):.2f}%"></b></span>'
        f'<span class="took">{escape(readable(trace.duration_ns))}</span></a></li>'
    )
