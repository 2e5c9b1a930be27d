"""What a click on a span opens: its tags, events, links, log records and process, as tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape

from stack.tracestore.durations import readable
from stack.tracestore.jaeger import span_tags
from stack.tracestore.logs import LogRecord
from stack.tracestore.model import Event, Link, StoredSpan, StoredTrace, Value, trace_id_text
from stack.tracestore.page.frame import rows

FAULT_EVENT = "fault.injected"
SEVERE = 17
"""From here on OTLP's severity numbers mean an error."""
NOTABLE = 13


def span_anchor(span_id: str) -> str:
    """Return the fragment at which a span stands on its page."""
    return f"span-{span_id}"


def details(trace: StoredTrace, span: StoredSpan, logs: Iterable[LogRecord], critical_ns: int) -> str:
    """Return what is under a span's line. ``logs`` are the records that name the span."""
    facts: dict[str, Value] = {
        "service": span.resource.service,
        "started after": readable(span.start_ns - trace.start_ns),
        "duration": readable(span.duration_ns),
        "on the critical path": readable(critical_ns) if critical_ns else "no",
        "span id": span.span_id.hex(),
        "parent id": span.parent_id.hex() or "none",
    }
    scope = {"name": span.scope.name, "version": span.scope.version, **span.scope.attributes} if span.scope.name else {}
    events = "".join(_event(trace, event) for event in sorted(span.events, key=lambda event: event.time_ns))
    links = "".join(f"<li>{_link(trace, link)}</li>" for link in span.links)
    records = "".join(_record(trace, record) for record in logs)
    return (
        f'<div class="details">{table("Span", facts)}'
        f"{table('Tags', {tag['key']: tag['value'] for tag in span_tags(span)})}"
        + (f"<section><h3>Events</h3>{events}</section>" if events else "")
        + (f"<section><h3>Log records</h3>{records}</section>" if records else "")
        + (f"<section><h3>Links</h3><ul>{links}</ul></section>" if links else "")
        + f"{table('Process', span.resource.attributes)}{table('Instrumentation', scope)}</div>"
    )


def table(title: str, values: Mapping[str, Value]) -> str:
    """Return a titled table, nothing where it would be empty."""
    return f"<section><h3>{title}</h3>{rows(values.items())}</section>" if values else ""


def severity(record: LogRecord) -> str:
    """Return a record's severity, marked where it is a warning or worse."""
    text = record.severity_text or (str(record.severity_number) if record.severity_number else "")
    kind = "bad" if record.severity_number >= SEVERE else "warn" if record.severity_number >= NOTABLE else "dim"
    return f'<span class="severity {kind}">{escape(text)}</span>'


def _event(trace: StoredTrace, event: Event) -> str:
    kind = "event fault" if event.name == FAULT_EVENT else "event"
    return (
        f'<div class="{kind}"><p><strong>{escape(event.name or "event")}</strong>'
        f' <span class="dim">after {_after(trace, event.time_ns)}</span></p>{rows(event.attributes.items())}</div>'
    )


def _record(trace: StoredTrace, record: LogRecord) -> str:
    return (
        f'<div class="event"><p>{severity(record)} <span class="log">{escape(record.body)}</span>'
        f' <span class="dim">after {_after(trace, record.time_unix_nano)}</span></p>'
        f"{rows(record.attributes.items())}</div>"
    )


def _link(trace: StoredTrace, link: Link) -> str:
    trace_id, span_id = trace_id_text(link.trace_id), link.span_id.hex()
    address = "" if link.trace_id == trace.trace_id else f"/trace/{trace_id}"
    words = "this trace" if link.trace_id == trace.trace_id else f"trace {trace_id}"
    return f'<a href="{address}#{span_anchor(span_id)}">{words}, span {span_id}</a>{rows(link.attributes.items())}'


def _after(trace: StoredTrace, time_ns: int) -> str:
    """Return when something happened, counted from the start of the trace; before it with a minus sign."""
    since_ns = time_ns - trace.start_ns
    return escape(readable(since_ns) if since_ns >= 0 else f"-{readable(-since_ns)}")
