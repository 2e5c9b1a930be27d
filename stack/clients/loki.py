"""Log records out of Loki, as it takes them over OTLP: the body is the line, all else is structured metadata.

Source: Grafana Loki's HTTP API (``query_range``, ``label/<name>/values``) and its notes on OTLP: ``service.name``
becomes the index label ``service_name``; other names keep their letters, with ``_`` for what a label may not have.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel, TypeAdapter

from stack.clients.logs import LEAST, LogCounts, LogLine, LogPage, LogSearch, Severity
from stack.clients.source import Client
from stack.errors import QueryRefused

SOURCE = "Loki"
_KNOWN = frozenset(
    {
        *("service_name", "severity_text", "severity_number", "detected_level", "trace_id", "span_id", "flags"),
        *("observed_timestamp", "scope_name", "scope_version"),
    }
)
_WORDS: Mapping[str, Severity] = {"WARNING": "WARN", "CRITICAL": "FATAL", "": "UNSET"}
_Shape = TypeVar("_Shape", bound=BaseModel)


class _Stream(BaseModel):
    stream: dict[str, str]
    values: list[tuple[str, str]]


class _Series(BaseModel):
    metric: dict[str, str]
    values: list[tuple[float, str]]


class _Lines(BaseModel):
    result: list[_Stream]


class _Matrix(BaseModel):
    result: list[_Series]


class _LinesAnswer(BaseModel):
    data: _Lines


class _MatrixAnswer(BaseModel):
    data: _Matrix


class _Values(BaseModel):
    data: list[str] | None = None


class LokiClient(Client):
    """A client of Loki's query API at ``url``."""

    name = SOURCE

    def services(self) -> tuple[str, ...]:
        """Return the services that have log records, by name."""
        answer = self._asked("/loki/api/v1/label/service_name/values", {}, TypeAdapter(_Values))
        return tuple(sorted(answer.data or ()))

    def search(self, search: LogSearch) -> LogPage:
        """Return what matches. Raises ``QueryRefused`` with Loki's words."""
        wanted = selection(search)
        between = {"start": _nanoseconds(search.start), "end": _nanoseconds(search.end)}
        asked = {"query": wanted, "limit": str(search.limit), "direction": "backward", **between}
        found = self._asked("/loki/api/v1/query_range", asked, TypeAdapter(_LinesAnswer))
        lines = [_line(stream.stream, at, text) for stream in found.data.result for at, text in stream.values]
        lines.sort(key=lambda line: line.time, reverse=True)
        return LogPage(tuple(lines[: search.limit]), self._counts(search, wanted))

    def _counts(self, search: LogSearch, wanted: str) -> LogCounts:
        step_s = max(1, math.ceil((search.end - search.start) / search.slots))
        start = math.floor(search.start)
        asked = {
            "query": f"sum by (severity_text) (count_over_time({wanted} [{step_s}s]))",
            "start": _nanoseconds(start + step_s),  # a point counts the step before it
            "end": _nanoseconds(start + search.slots * step_s),
            "step": f"{step_s}s",
        }
        found = self._asked("/loki/api/v1/query_range", asked, TypeAdapter(_MatrixAnswer))
        rows: dict[str, list[int]] = {}
        for series in found.data.result:
            row = rows.setdefault(_severity(series.metric.get("severity_text", "")), [0] * search.slots)
            for at, text in series.values:
                place = round((at - start) / step_s) - 1
                if 0 <= place < search.slots:
                    row[place] += int(float(text))
        order = [*LEAST, "UNSET"]
        by_severity = sorted(rows.items(), key=lambda item: order.index(item[0]) if item[0] in order else len(order))
        return LogCounts(start, step_s, start, search.slots, tuple((name, tuple(row)) for name, row in by_severity))

    def _asked(self, path: str, parameters: Mapping[str, str], adapter: TypeAdapter[_Shape]) -> _Shape:
        response = self._source.get(path, parameters)
        if not response.is_success:
            reason = " ".join(response.text.split())[:300] or f"status {response.status_code}"
            raise QueryRefused(SOURCE, parameters.get("query", path), reason)
        return self._source.read(response, adapter)


def selection(search: LogSearch) -> str:
    """Return the LogQL that selects what ``search`` looks for, without times."""
    service = f"service_name={_quoted(search.service)}" if search.service else 'service_name=~".+"'
    parts = [f"{{{service}}}"]
    if search.text:
        parts.append(f"|= {_quoted(search.text)}")
    if search.least in LEAST:
        parts.append(f"| severity_number >= {LEAST[search.least]}")
    if search.trace_id:
        parts.append(f"| trace_id={_quoted(search.trace_id.lower())}")
    if search.request_id:
        parts.append(f"| request_id={_quoted(search.request_id)}")
    return " ".join(parts)


def _line(labels: Mapping[str, str], at_ns: str, text: str) -> LogLine:
    return LogLine(
        time=int(at_ns) / 1e9,
        severity=labels.get("severity_text", ""),
        body=text,
        service=labels.get("service_name", ""),
        trace_id=labels.get("trace_id", ""),
        span_id=labels.get("span_id", ""),
        attributes={name: value for name, value in labels.items() if name not in _KNOWN},
        resource={},
    )


def _severity(text: str) -> str:
    word = text.upper()
    return _WORDS.get(word, word)


def _quoted(text: str) -> str:
    """Return a string of LogQL, which is one of Go's: what JSON writes is."""
    return json.dumps(text, ensure_ascii=False)


def _nanoseconds(moment: float) -> str:
    return str(round(moment * 1e9))
