"""The log store's side of the canned stack: searches over records given by hand, counted by severity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Record = Mapping[str, object]
SEVERITIES = ("INFO", "WARN", "ERROR")
LEAST = {"INFO": 9, "WARN": 13, "ERROR": 17}


def record(at: float, severity: str, body: str, *, trace_id: str = "", **attributes: str) -> dict[str, object]:
    """Return a record as ``/api/logs`` gives it; ``at`` in Unix seconds."""
    return {
        "traceID": trace_id, "spanID": "", "timestamp": round(at * 1e6), "severity": severity,
        "severityNumber": LEAST[severity], "body": body, "serviceName": "firedrill", "resource": [],
        "attributes": [{"key": name, "type": "string", "value": value} for name, value in attributes.items()],
    }  # fmt: skip


def page(records: Sequence[Record], asked: Mapping[str, str]) -> dict[str, object]:
    """Return the answer to a search by text, severity, trace and time."""
    start, end, slots = int(asked["start"]), int(asked["end"]), int(asked["slots"])
    step = max(1, -(-(end + 1 - start) // slots))
    found = [
        each
        for each in records
        if start <= int(str(each["timestamp"])) <= end
        and asked.get("text", "") in str(each)
        and int(str(each.get("severityNumber", 9))) >= int(asked.get("severity", "0"))
        and asked.get("traceID", each["traceID"]) == each["traceID"]
    ]
    series: dict[str, list[int]] = {}
    for each in found:
        row = series.setdefault(str(each["severity"]), [0] * slots)
        row[(int(str(each["timestamp"])) - start) // step] += 1
    newest = sorted(found, key=lambda each: -int(str(each["timestamp"])))[: int(asked["limit"])]
    counts = {"start": start, "step": step, "completeFrom": start, "series": series}
    return {"data": newest, "total": len(found), "limit": 0, "offset": 0, "errors": None, "counts": counts}
