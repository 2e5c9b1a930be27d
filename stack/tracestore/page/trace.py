"""One trace as a page: summary, waterfall, and under each span its tags, events, links and process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from html import escape
from urllib.parse import urlencode

from starlette.responses import HTMLResponse

from stack.tracestore.attributes import text_of
from stack.tracestore.durations import readable
from stack.tracestore.jaeger import KeyValue, span_tags
from stack.tracestore.model import Event, Link, StoredLog, StoredSpan, StoredTrace, Value, trace_id_text
from stack.tracestore.page.frame import colour, document, moment
from stack.tracestore.page.waterfall import Line, Waterfall, lay_out

MOST_LINES = 2000
FAULT_EVENT = "fault.injected"


def trace_page(trace: StoredTrace, logs: tuple[StoredLog, ...], find: str = "") -> HTMLResponse:
    """Return the page of a trace. Spans that contain ``find`` (any case) are marked."""
    waterfall = lay_out(trace)
    root = waterfall.lines[0].span
    shown = waterfall.lines[:MOST_LINES]
    parts = [
        _summary(trace, waterfall, root),
        _faults(trace),
        _axis(waterfall),
        '<div class="lines">',
        *(_line(trace, waterfall, line, find.lower()) for line in shown),
        "</div>",
    ]
    if len(shown) < len(waterfall.lines):
        parts.append(f"<p>The first {MOST_LINES} of {len(waterfall.lines)} spans; the API has all of them.</p>")
    parts.append(_logs(trace, logs))
    return document(f"{root.resource.service}: {root.name} {trace_id_text(trace.trace_id)[:8]}", "".join(parts))


def _summary(trace: StoredTrace, waterfall: Waterfall, root: StoredSpan) -> str:
    trace_id = trace_id_text(trace.trace_id)
    failed = sum(span.failed for span in trace.spans)
    facts = [
        ("Started", f"{moment(trace.start_ns)} UTC"),
        ("Duration", readable(trace.duration_ns)),
        ("Services", str(len(waterfall.services))),
        ("Depth", str(waterfall.depth + 1)),
        ("Spans", str(len(trace.spans))),
        ("Failed spans", str(failed)),
    ]
    legend = "".join(
        f'<li><span class="swatch {colour(service, waterfall.services)}"></span>{escape(service)}</li>'
        for service in waterfall.services
    )
    others = urlencode({"service": root.resource.service, "operation": root.name})
    return (
        f"<h1>{escape(root.resource.service)}: {escape(root.name)}{_badge('failed', 'bad') if failed else ''}</h1>"
        f'<p class="id">{trace_id}</p><dl class="facts">'
        + "".join(f"<div><dt>{name}</dt><dd>{escape(value)}</dd></div>" for name, value in facts)
        + f'</dl><ul class="legend">{legend}</ul><p class="links">'
        f'<a href="/search?{escape(others)}">Others like it</a> <a href="/api/traces/{trace_id}">JSON</a></p>'
    )


def _faults(trace: StoredTrace) -> str:
    """Return a line that says which faults hit this trace, or nothing."""
    kinds = Counter(
        text_of(event.attributes.get("fault.kind", "unnamed"))
        for span in trace.spans
        for event in span.events
        if event.name == FAULT_EVENT
    )
    if not kinds:
        return ""
    said = ", ".join(f"{escape(kind)} ({count} times)" if count > 1 else escape(kind) for kind, count in kinds.items())
    return f'<p class="fault" role="note"><strong>Injected fault:</strong> {said}</p>'


def _axis(waterfall: Waterfall) -> str:
    ticks = "".join(f"<span>{escape(readable(tick)) if tick else '0'}</span>" for tick in waterfall.ticks_ns)
    return (
        f'<div class="axis" aria-hidden="true"><span class="name">Span</span><span class="ticks">{ticks}</span></div>'
    )


def _line(trace: StoredTrace, waterfall: Waterfall, line: Line, find: str) -> str:
    span = line.span
    classes = ["line"]
    if span.failed:
        classes.append("bad")
    if find and find in _text(span):
        classes.append("found")
    marks = "".join(
        f'<i class="mark{" fault-mark" if event.name == FAULT_EVENT else ""}" title="{escape(event.name)}"'
        f' style="left:{waterfall.share(trace, event.time_ns) * 100:.3f}%"></i>'
        for event in span.events
    )
    hit = any(event.name == FAULT_EVENT for event in span.events)
    badges = (_badge("error", "bad") if span.failed else "") + (_badge("fault", "fault-badge") if hit else "")
    orphan = _badge("parent missing", "dim") if line.orphan else ""
    return (
        f'<details class="{" ".join(classes)}"><summary>'
        f'<span class="name" style="--depth:{min(line.depth, 24)}">'
        f'<span class="swatch {colour(span.resource.service, waterfall.services)}"></span>'
        f'<span class="operation">{escape(span.name)}</span>{badges}{orphan}</span>'
        f'<span class="track"><b class="bar {colour(span.resource.service, waterfall.services)}"'
        f' style="left:{line.left * 100:.3f}%;width:{line.width * 100:.3f}%"></b>{marks}'
        f"{_took(line)}</span>"
        f"</summary>{_details(trace, span)}</details>"
    )


def _took(line: Line) -> str:
    """Return the duration: after its bar, before it where that leaves no room, inside it where neither does."""
    kind, left = "took", line.left + line.width
    if left > 0.8:
        kind, left = ("took before", line.left) if line.left > 0.2 else ("took inside", line.left)
    return f'<span class="{kind}" style="left:{left * 100:.3f}%">{escape(readable(line.span.duration_ns))}</span>'


def _details(trace: StoredTrace, span: StoredSpan) -> str:
    facts: dict[str, Value] = {
        "service": span.resource.service,
        "started after": readable(span.start_ns - trace.start_ns),
        "duration": readable(span.duration_ns),
        "span id": span.span_id.hex(),
        "parent id": span.parent_id.hex() or "none",
    }
    events = "".join(_event(trace, event) for event in span.events)
    links = "".join(_link(link) for link in span.links)
    return (
        f'<div class="details">{_table("Span", facts)}{_tag_table("Tags", span_tags(span))}'
        + (f"<h3>Events</h3>{events}" if events else "")
        + (f"<h3>Links</h3><ul>{links}</ul>" if links else "")
        + f"{_table('Process', span.resource.attributes)}</div>"
    )


def _event(trace: StoredTrace, event: Event) -> str:
    kind = "event fault" if event.name == FAULT_EVENT else "event"
    after = escape(readable(max(0, event.time_ns - trace.start_ns)))
    title = f"<strong>{escape(event.name or 'event')}</strong> after {after}"
    return f'<div class="{kind}"><p>{title}</p>{_rows(event.attributes.items())}</div>'


def _link(link: Link) -> str:
    trace_id = trace_id_text(link.trace_id)
    return (
        f'<li><a href="/trace/{trace_id}">{trace_id}</a> span {link.span_id.hex()}{_rows(link.attributes.items())}</li>'
    )


def _table(title: str, values: Mapping[str, Value]) -> str:
    return f"<h3>{title}</h3>{_rows(values.items())}" if values else ""


def _tag_table(title: str, tags: list[KeyValue]) -> str:
    return f"<h3>{title}</h3>{_rows((tag['key'], tag['value']) for tag in tags)}" if tags else ""


def _rows(pairs: Iterable[tuple[str, Value]]) -> str:
    rows = "".join(f"<tr><th>{escape(key)}</th><td>{escape(text_of(value))}</td></tr>" for key, value in pairs)
    return f"<table>{rows}</table>" if rows else ""


def _logs(trace: StoredTrace, logs: tuple[StoredLog, ...]) -> str:
    if not logs:
        return ""
    rows = "".join(
        f"<tr><td>{escape(readable(max(0, log.time_ns - trace.start_ns)))}</td><td>{escape(log.severity)}</td>"
        f"<td>{escape(log.body)}{_rows(log.attributes.items())}</td></tr>"
        for log in logs[:MOST_LINES]
    )
    return (
        f'<h2>Log records</h2><table class="logs"><tr><th>after</th><th>severity</th><th>record</th></tr>{rows}</table>'
    )


def _badge(text: str, kind: str) -> str:
    return f' <span class="badge {kind}">{text}</span>'


def _text(span: StoredSpan) -> str:
    """Return everything a person might look for in a span, in lower case."""
    words = [span.name, span.resource.service, span.span_id.hex(), span.status_message]
    for attributes in (span.attributes, *(event.attributes for event in span.events)):
        words.extend(f"{key}={text_of(value)}" for key, value in attributes.items())
    words.extend(event.name for event in span.events)
    return "\n".join(words).lower()
