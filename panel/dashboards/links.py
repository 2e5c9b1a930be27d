"""Where a dashboard stands in Grafana, and what files about its panels are called. No Streamlit."""

from __future__ import annotations

import re
from urllib.parse import urlencode

from panel.dashboards.board import Board
from panel.timeline.range import TimeRange
from stack.status import StackStatus

GRAFANA = "grafana"


def in_grafana(board: Board, over: TimeRange, status: StackStatus | None) -> str:
    """Return the address of ``board`` in this stack's Grafana over the same time; empty where it is not there."""
    parts = status.components if status is not None else ()
    url = next((part.url for part in parts if part.name == GRAFANA and part.state == "ready"), "")
    if not (url and board.shipped):
        return ""
    if over.follows:
        span = {"from": f"now-{over.last_s:g}s", "to": "now"}
    else:
        span = {"from": f"{over.start * 1000:.0f}", "to": f"{over.end * 1000:.0f}"}
    return f"{url.rstrip('/')}/d/firedrill-{board.uid}?{urlencode(span)}"


def file_name(title: str) -> str:
    """Return ``title`` as it may stand in the name of a file."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") or "panel"
