"""The search page: a form, and the traces found, newest first, with their durations side by side."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from html import escape

from starlette.datastructures import QueryParams
from starlette.responses import HTMLResponse

from stack.tracestore.durations import readable
from stack.tracestore.model import Operation, StoredTrace, trace_id_text
from stack.tracestore.page.details import FAULT_EVENT
from stack.tracestore.page.frame import badge, colour, document, moment

DEFAULT_LIMIT = 20
LIMITS = ("20", "50", "100", "200", "500", "1500")
DEFAULT_LOOKBACK = "2d"
LOOKBACKS = {
    "5m": "5 minutes",
    "15m": "15 minutes",
    "1h": "hour",
    "3h": "3 hours",
    "12h": "12 hours",
    "24h": "24 hours",
    "2d": "2 days",
    "7d": "7 days",
}
CUSTOM = "custom"
"""The look-back of a link that names its own times; choosing another one in the form leaves those behind."""
MOST_SERVICES = 6
_PAIR = re.compile(r'([^\s="]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s"]*))(?:\s+|$)')


def typed_tags(text: str) -> str:
    """Return tags as the JSON of a search link; ``key=value key="two words"`` is taken, too, as Jaeger's form does.

    Text that is neither is returned as it is: whoever reads it says what is wrong.
    """
    text = text.strip()
    if not text or text.startswith("{"):
        return text
    tags: dict[str, str] = {}
    place = 0
    for pair in _PAIR.finditer(text):
        if pair.start() != place:
            return text
        tags[pair[1]] = pair[3] if pair[2] is None else re.sub(r"\\(.)", r"\1", pair[2])
        place = pair.end()
    return json.dumps(tags, ensure_ascii=False) if place == len(text) else text


def search_page(
    traces: tuple[StoredTrace, ...],
    services: tuple[str, ...],
    operations: tuple[Operation, ...],
    parameters: QueryParams,
    problem: str = "",
) -> HTMLResponse:
    """Return the page of found traces, the form as it was filled in; ``problem`` says why nothing was searched."""
    if problem:
        found = f'<p class="problem" role="alert">{escape(problem)}</p>'
    elif not traces:
        found = f'<p class="none">{_nothing(services)}</p>'
    else:
        longest_ns = max((trace.duration_ns for trace in traces), default=1) or 1
        found = (
            f"<h2>{len(traces)} trace{'' if len(traces) == 1 else 's'}{_more(len(traces), parameters)}</h2>"
            f'<ol class="traces">{"".join(_row(trace, services, longest_ns) for trace in traces)}</ol>'
        )
    content = f"<h1>Find traces</h1>{_form(services, operations, parameters)}{found}"
    return document("Traces", content, status=400 if problem else 200)


def _nothing(services: tuple[str, ...]) -> str:
    if not services:
        return "The store holds no traces yet. They appear a few seconds after the requests that made them."
    return "No trace matches. Look further back, or ask for less: one span must match all of it."


def _more(found: int, parameters: QueryParams) -> str:
    return ", the newest; there may be more" if str(found) == (parameters.get("limit") or str(DEFAULT_LIMIT)) else ""


def _form(services: tuple[str, ...], operations: tuple[Operation, ...], parameters: QueryParams) -> str:
    names = dict.fromkeys(operation.name for operation in operations)
    known = "".join(f'<option value="{escape(name)}">' for name in names)
    hidden = "".join(
        f'<input type="hidden" name="{name}" value="{escape(value)}">'
        for name in ("start", "end")
        if (value := parameters.get(name)) and parameters.get("lookback") == CUSTOM
    )
    return (
        '<form action="/search" method="get" class="search">'
        + _choice("Service", "service", {"": "all"} | {name: name for name in services}, parameters.get("service", ""))
        + _field("Operation", "operation", parameters, "all", "list='operations'")
        + f'<datalist id="operations">{known}</datalist>'
        + _field("Tags", "tags", parameters, "error=true model=iris", "class='wide'")
        + _field("At least", "minDuration", parameters, "100ms")
        + _field("At most", "maxDuration", parameters, "1.5s")
        + _choice("In the last", "lookback", LOOKBACKS, parameters.get("lookback") or DEFAULT_LOOKBACK)
        + _choice("Show", "limit", {text: text for text in LIMITS}, parameters.get("limit") or str(DEFAULT_LIMIT))
        + f"{hidden}<button>Find traces</button></form>"
    )


def _field(title: str, name: str, parameters: QueryParams, example: str, attributes: str = "") -> str:
    return (
        f'<label>{title}<input name="{name}" value="{escape(parameters.get(name, ""))}"'
        f' placeholder="{escape(example)}" autocomplete="off" spellcheck="false" {attributes}></label>'
    )


def _choice(title: str, name: str, choices: Mapping[str, str], chosen: str) -> str:
    offered = dict(choices) if chosen in choices else {**choices, chosen: chosen}
    options = "".join(
        f'<option value="{escape(value)}"{" selected" if value == chosen else ""}>{escape(words)}</option>'
        for value, words in offered.items()
    )
    return f'<label>{title}<select name="{name}">{options}</select></label>'


def _row(trace: StoredTrace, services: tuple[str, ...], longest_ns: int) -> str:
    root = next((span for span in trace.spans if not span.parent_id), trace.spans[0])
    failed = sum(span.failed for span in trace.spans)
    hit = any(event.name == FAULT_EVENT for span in trace.spans for event in span.events)
    badges = (badge("1 error" if failed == 1 else f"{failed} errors", "bad") if failed else "") + (
        badge("fault", "fault-badge") if hit else ""
    )
    counts = Counter(span.resource.service for span in trace.spans)
    known = tuple(dict.fromkeys((*services, *counts)))
    chips = "".join(
        f'<span class="chip"><span class="swatch {colour(service, known)}"></span>{escape(service)} {count}</span>'
        for service, count in counts.most_common(MOST_SERVICES)
    )
    rest = f'<span class="chip">and {len(counts) - MOST_SERVICES} more</span>' if len(counts) > MOST_SERVICES else ""
    trace_id = trace_id_text(trace.trace_id)
    return (
        f'<li{" class=bad" if failed else ""}><a href="/trace/{trace_id}">'
        f'<span class="operation"><span class="swatch {colour(root.resource.service, known)}"></span>'
        f"{escape(root.resource.service)}: {escape(root.name)}</span>"
        f'<span class="badges">{badges}</span><span class="id">{trace_id[:8]}</span>'
        f'<span class="took">{escape(readable(trace.duration_ns))}</span>'
        f'<span class="length"><b style="width:{max(0.5, trace.duration_ns / longest_ns * 100):.2f}%"></b></span>'
        f'<span class="chips">{chips}{rest}</span>'
        f'<span class="dim">{len(trace.spans)} span{"" if len(trace.spans) == 1 else "s"}</span>'
        f'<time class="dim">{escape(moment(trace.start_ns))} UTC</time></a></li>'
    )
