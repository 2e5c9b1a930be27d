"""Log records as files to take along: JSON lines and CSV, whole and in the order shown. No Streamlit."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from io import StringIO

from stack.clients.logs import LogLine

_COLUMNS = ("time", "severity", "service", "body", "trace_id", "span_id", "attributes")


def json_lines(lines: Sequence[LogLine]) -> bytes:
    """Return one JSON object a line, in UTF-8."""
    return "".join(json.dumps(_plain(line), ensure_ascii=False) + "\n" for line in lines).encode("utf-8", "replace")


def comma_separated(lines: Sequence[LogLine]) -> bytes:
    """Return a table with a heading, in UTF-8; attributes are one column of JSON.

    A text that a spreadsheet would take for a formula gets an apostrophe in front.
    """
    sheet = StringIO()
    writer = csv.writer(sheet)
    writer.writerow(_COLUMNS)
    for line in lines:
        cells = {**_plain(line), "attributes": json.dumps(dict(line.attributes), ensure_ascii=False)}
        writer.writerow([_harmless(str(cells[name])) for name in _COLUMNS])
    return sheet.getvalue().encode("utf-8", "replace")


def _plain(line: LogLine) -> dict[str, object]:
    return {
        "time": datetime.fromtimestamp(line.time, tz=UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "severity": line.severity,
        "service": line.service,
        "body": line.body,
        "trace_id": line.trace_id,
        "span_id": line.span_id,
        "attributes": dict(line.attributes),
        "resource": dict(line.resource),
    }


def _harmless(text: str) -> str:
    return f"'{text}" if text[:1] in {"=", "+", "-", "@", "\t", "\r"} else text
