"""How many log records there were over time, by severity, with the faults as bands. No Streamlit, no queries."""

from __future__ import annotations

import plotly.graph_objects as go

from panel import formats
from panel.charts import GRID
from panel.logbook.looks import LOOKS, look
from panel.timeline.drawing import dressed
from panel.timeline.story import Story
from stack.clients.logs import LogCounts

_HEIGHT_PX = 190
_PATTERNS = {"WARN": "/", "ERROR": "x", "FATAL": "+"}


def counts_chart(counts: LogCounts, story: Story | None) -> go.Figure:
    """Draw one stacked bar per slot of ``counts``; the gravest records are at the bottom, where they are seen best."""
    order = list(LOOKS)[::-1]
    rows = sorted(counts.rows, key=lambda row: order.index(row[0]) if row[0] in order else len(order))
    middles = [formats.wall(counts.start + (place + 0.5) * counts.step_s) for place in range(counts.slots)]
    bars = [
        {
            "type": "bar",
            "x": middles,
            "y": list(row),
            "name": look(severity).word,
            "marker": {
                "color": look(severity).color,
                "pattern": {"shape": _PATTERNS.get(severity, ""), "fillmode": "overlay", "fgcolor": "rgba(0,0,0,.6)"},
            },
            "width": counts.step_s * 1000,
            "hovertemplate": "%{y}",
        }
        for severity, row in rows
    ]
    layout = {
        "height": _HEIGHT_PX,
        "barmode": "stack",
        "bargap": 0.1,
        "margin": {"l": 48, "r": 8, "t": 8, "b": 56},
        "xaxis": {
            "type": "date",
            "range": [formats.wall(counts.start), formats.wall(counts.end)],
            "showgrid": False,
            "tickfont": {"size": 13},
        },
        "yaxis": {"gridcolor": GRID, "zeroline": False, "fixedrange": True, "nticks": 4, "rangemode": "tozero"},
        "legend": {"orientation": "h", "yref": "container", "yanchor": "bottom", "y": 0.01, "x": 0},
        "showlegend": True,
        "hovermode": "x unified",
        "uirevision": "log-counts",
    }
    return go.Figure(data=bars, layout=dressed(layout, story))
