"""Log records as HTML: a line each, which opens to its attributes and its trace. Everything is escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import quote

from panel import markup
from panel.logbook.looks import look
from stack.clients.logs import LogLine

_MOST_CHARS = 20_000
"""More of one value is not shown; the downloads have it whole."""
_SUMMARY_CHARS = 300
_BESIDE = ("status_code", "error_type", "error", "model_name", "duration_ms", "path")
"""Attributes that say in the line itself what a record is about, where it has them."""


def records(lines: Sequence[LogLine]) -> str:
    """Return the records as a list, in the order given."""
    return f'<div class="fd-logs">{"".join(_record(line) for line in lines)}</div>'


def _record(line: LogLine) -> str:
    seen = look(line.severity)
    beside = " · ".join(f"{name}={line.attributes[name]}" for name in _BESIDE if line.attributes.get(name))
    summary = (
        f'<span class="fd-when">{_clock(line.time)}</span>'
        f'<span class="fd-chip" style="border-color:{seen.color}">{seen.symbol} {seen.word}</span>'
        f'<span class="fd-who">{markup.text(line.service)}</span>'
        f"<b>{markup.text(_cut(line.body, _SUMMARY_CHARS))}</b>"
        f"<small>{markup.text(_cut(beside, _SUMMARY_CHARS))}</small>"
    )
    return f"<details><summary>{summary}</summary>{_whole(line)}</details>"


def _whole(line: LogLine) -> str:
    link = ""
    if line.trace_id:
        address = quote(line.trace_id, safe="")
        link = (
            f'<p><a href="traces?trace={address}" data-follow>Open its trace</a> '
            f"<code>{markup.text(line.trace_id)}</code></p>"
        )
    whole = f"<pre>{markup.text(_cut(line.body, _MOST_CHARS))}</pre>" if len(line.body) > _SUMMARY_CHARS else ""
    resource = {f"resource.{name}": value for name, value in line.resource.items()}
    return f"{link}{whole}{_attributes({**line.attributes, **resource})}"


def _attributes(values: Mapping[str, str]) -> str:
    rows = [(markup.text(name), markup.text(_cut(value, _MOST_CHARS))) for name, value in sorted(values.items())]
    return markup.table(("Attribute", "Value"), rows) if rows else "<p>No attributes.</p>"


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}… ({len(text) - most:,} more characters)"


def _clock(at: float) -> str:
    """Return the local time of day to the millisecond: many records share a second."""
    return datetime.fromtimestamp(at, tz=UTC).astimezone().strftime("%H:%M:%S.%f")[:-3]
