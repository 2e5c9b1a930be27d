"""One trace as a page: summary, waterfall with the critical path marked, and all log records by time."""

from __future__ import annotations

from collections import Counter, defaultdict
from html import escape
from urllib.parse import urlencode

from starlette.responses import HTMLResponse

from stack.tracestore.attributes import text_of
from stack.tracestore.durations import readable
from stack.tracestore.logs import LogRecord
from stack.tracestore.model import StoredSpan, StoredTrace, trace_id_text
from stack.tracestore.page.details import FAULT_EVENT, details, severity, span_anchor
from stack.tracestore.page.frame import badge, colour, document, moment
from stack.tracestore.page.waterfall import Line, Waterfall, lay_out

MOST_LINES = 2000
DEEPEST = 24


def trace_page(
    trace: StoredTrace, logs: tuple[LogRecord, ...], find: str = "", *, opened: bool = False
) -> HTMLResponse:
    """Return the page of a trace. Spans that contain a word of ``find`` (any case) are marked; ``opened`` shows all."""
    waterfall = lay_out(trace)
    root = waterfall.lines[0].span
    shown = waterfall.lines[:MOST_LINES]
    by_span: defaultdict[str, list[LogRecord]] = defaultdict(list)
    for record in logs[:MOST_LINES]:
        by_span[record.span_id].append(record)
    words = find.lower().split()
    wanted = {
        id(line) for line in waterfall.lines if words and any(word in _text(line.span, by_span) for word in words)
    }
    parts = [
        _summary(trace, waterfall, root),
        _faults(trace),
        '<h2 class="hidden">Spans</h2>',
        _tools(trace, find, len(wanted), opened=opened),
        _axis(waterfall),
        '<div class="lines">',
        *(_line(trace, waterfall, line, by_span, found=id(line) in wanted, opened=opened) for line in shown),
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
        ("Longest on the critical path", _bottleneck(waterfall)),
    ]
    legend = "".join(
        f'<li><span class="swatch {colour(service, waterfall.services)}"></span>{escape(service)}</li>'
        for service in waterfall.services
    )
    others = urlencode({"service": root.resource.service, "operation": root.name})
    return (
        f"<h1>{escape(root.resource.service)}: {escape(root.name)} {badge('failed', 'bad') if failed else ''}</h1>"
        f'<p class="id">{trace_id}</p><dl class="facts">'
        + "".join(f"<div><dt>{name}</dt><dd>{escape(value)}</dd></div>" for name, value in facts if value)
        + f'</dl><ul class="legend">{legend}</ul><p class="links">'
        f'<a href="/search?{escape(others)}">Others like it</a> <a href="/api/traces/{trace_id}">JSON</a>'
        f' <a href="/api/v3/traces/{trace_id}">OTLP JSON</a></p>'
    )


def _bottleneck(waterfall: Waterfall) -> str:
    """Return the span that the trace waited for longest, with its share of the path."""
    most = max(waterfall.lines, key=lambda line: line.critical_ns)
    total_ns = sum(line.critical_ns for line in waterfall.lines)
    if not most.critical_ns:
        return ""
    return f"{most.span.name}, {readable(most.critical_ns)} ({most.critical_ns / total_ns:.0%})"


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


def _tools(trace: StoredTrace, find: str, found: int, *, opened: bool) -> str:
    address = f"/trace/{trace_id_text(trace.trace_id)}"
    other = {"uiFind": find} if find else {}
    turned = urlencode(other if opened else other | {"open": "all"})
    said = f'<span role="status">{found} of {len(trace.spans)} spans contain it</span>' if find else ""
    return (
        f'<form action="{address}" method="get" class="tools"><label>Find in this trace'
        f'<input name="uiFind" value="{escape(find)}" placeholder="name, tag, log text"></label>'
        f"{'<input type=hidden name=open value=all>' if opened else ''}<button>Find</button>{said}"
        f'<a href="{address}{f"?{escape(turned)}" if turned else ""}">{"Close" if opened else "Open"} all spans</a>'
        '<label class="toggle"><input type="checkbox" id="path" checked> Critical path</label></form>'
    )


def _axis(waterfall: Waterfall) -> str:
    ticks = "".join(f"<span>{escape(readable(tick)) if tick else '0'}</span>" for tick in waterfall.ticks_ns)
    return (
        f'<div class="axis" aria-hidden="true"><span class="name">Span</span><span class="ticks">{ticks}</span></div>'
    )


def _line(
    trace: StoredTrace,
    waterfall: Waterfall,
    line: Line,
    logs: dict[str, list[LogRecord]],
    *,
    found: bool,
    opened: bool,
) -> str:
    span, span_id = line.span, line.span.span_id.hex()
    classes = ["line", *(["bad"] if span.failed else []), *(["found"] if found else [])]
    hue = colour(span.resource.service, waterfall.services)
    marks = "".join(
        f'<i class="mark{" fault-mark" if event.name == FAULT_EVENT else ""}" title="{escape(event.name)}"'
        f' style="left:{waterfall.share(trace, event.time_ns) * 100:.3f}%"></i>'
        for event in span.events
    )
    path = "".join(f'<i class="critical" style="{_extent(left, width)}"></i>' for left, width in line.critical)
    hit = any(event.name == FAULT_EVENT for event in span.events)
    badges = (badge("error", "bad") if span.failed else "") + (badge("fault", "fault-badge") if hit else "")
    orphan = badge("parent missing", "dim") if line.orphan else ""
    spoken = ", on the critical path" if line.critical else ""
    return (
        f'<details class="{" ".join(classes)}" id="{span_anchor(span_id)}"{" open" if opened else ""}><summary>'
        f'<span class="name" style="--depth:{min(line.depth, DEEPEST)}"><span class="swatch {hue}"></span>'
        f'<span class="operation" title="{escape(f"{span.resource.service}: {span.name}")}">{escape(span.name)}</span>'
        f'{badges}{orphan}<span class="hidden">{spoken}</span></span>'
        f'<span class="track"><b class="bar {hue}" style="{_extent(line.left, line.width)}"></b>'
        f"{path}{marks}{_took(line)}</span>"
        f"</summary>{details(trace, span, logs.get(span_id, ()), line.critical_ns)}</details>"
    )


def _extent(left: float, width: float) -> str:
    return f"left:{left * 100:.3f}%;width:{width * 100:.3f}%"


def _took(line: Line) -> str:
    """Return the duration: after its bar, before it where that leaves no room, inside it where neither does."""
    kind, left = "took", line.left + line.width
    if left > 0.8:
        kind, left = ("took before", line.left) if line.left > 0.2 else ("took inside", line.left)
    return f'<span class="{kind}" style="left:{left * 100:.3f}%">{escape(readable(line.span.duration_ns))}</span>'


def _logs(trace: StoredTrace, logs: tuple[LogRecord, ...]) -> str:
    if not logs:
        return ""
    names = {span.span_id.hex(): span.name for span in trace.spans}
    lines = "".join(
        f"<tr><td>{escape(readable(max(0, record.time_unix_nano - trace.start_ns)))}</td><td>{severity(record)}</td>"
        f'<td class="log">{escape(record.body)}</td><td>{_of_span(record, names)}</td></tr>'
        for record in logs[:MOST_LINES]
    )
    rest = f"<p>The first {MOST_LINES} of {len(logs)}; the API has all of them.</p>" if len(logs) > MOST_LINES else ""
    return (
        '<h2>Log records</h2><div class="scroll"><table class="logs"><tr><th>after</th><th>severity</th><th>record</th>'
        f"<th>span</th></tr>{lines}</table></div>{rest}"
        f'<p class="links"><a href="/api/logs?traceID={trace_id_text(trace.trace_id)}">Log records as JSON</a></p>'
    )


def _of_span(record: LogRecord, names: dict[str, str]) -> str:
    """Return a link to a record's span, or the service where the trace has no such span."""
    if record.span_id not in names:
        return escape(record.service)
    return f'<a href="#{span_anchor(record.span_id)}">{escape(names[record.span_id])}</a>'


def _text(span: StoredSpan, logs: dict[str, list[LogRecord]]) -> str:
    """Return everything a person might look for in a span, in lower case."""
    words = [span.name, span.resource.service, span.span_id.hex(), span.status_message]
    for attributes in (span.attributes, *(event.attributes for event in span.events)):
        words.extend(f"{key}={text_of(value)}" for key, value in attributes.items())
    words.extend(event.name for event in span.events)
    words.extend(record.body for record in logs.get(span.span_id.hex(), ()))
    return "\n".join(words).lower()
