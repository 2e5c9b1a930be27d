"""Typed results as plotly figures. No Streamlit, no queries.

Every figure keeps its ``uirevision``, so that a zoom survives the next refresh.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import plotly.graph_objects as go

from panel import formats, theme
from panel.drawings import Sketch
from panel.queries import Board, SignalSeries
from panel.spans import FAULT_EVENT
from panel.timeline.drawing import dressed
from panel.timeline.story import Dot, Story
from stack.clients.jaeger import Span, Trace

GRID = "rgba(128,128,128,0.25)"
_AXIS = {"gridcolor": GRID, "zeroline": False, "fixedrange": True, "nticks": 4, "tickfont": {"size": 13}}
_ROW_PX = 124
_NAMES_PX = 290
_NAME_CHARS = 30

Drawing = dict[str, object]
"""A piece of a figure, as plotly describes it."""


def signal_chart(
    board: Board, story: Story | None = None, dots: Sequence[Dot] = (), *, revision: str = "signals"
) -> Sketch:
    """Draw the signals below each other on one time axis, with the ``story`` over all of them.

    ``dots`` stand on the row of latency and lead to their traces. As long as ``revision`` is the same, a zoom stays.
    Built as one description: placing subplots one by one costs several times as much, every second.
    """
    rows = len(board.series)
    pitch = 1 / (rows - 0.25)  # a quarter of each row, except the first, is left for its title
    traces, axes, titles = [], {}, []
    for row, series in enumerate(board.series):
        number = "" if row == 0 else str(row + 1)
        top = 1 - row * pitch
        place = {"xaxis": "x", "yaxis": f"y{number}"}
        traces.append(_line(series) | place)
        if series.signal.unit == "s" and dots:
            traces.append(_dots(dots, _top(series)) | place)
        axes[f"yaxis{number}"] = _AXIS | {
            "domain": [max(0.0, top - 0.75 * pitch), top],
            "range": [0, _top(series)],
            "tickformat": ".0%" if series.signal.unit == "ratio" else None,
        }
        titles.append(
            {
                "text": series.signal.title + (" (s)" if series.signal.unit == "s" else ""),
                "x": 0,
                "y": top,
                "xref": "paper",
                "yref": "paper",
                "xanchor": "left",
                "yanchor": "bottom",
                "font": {"size": 16},
                "showarrow": False,
            }
        )
    window = [formats.wall(board.start), formats.wall(board.end)]
    layout = {
        "height": _ROW_PX * rows + 64,
        "margin": {"l": 56, "r": 8, "t": 24, "b": 40},
        "xaxis": {"range": window, "type": "date", "showgrid": False, "anchor": f"y{rows}", "tickfont": {"size": 14}},
        "annotations": titles,
        "showlegend": False,
        "hovermode": "x unified",
        "hoversubplots": "axis",
        "uirevision": revision,
    }
    return Sketch(traces, dressed(layout, story, lift_px=20) | axes)


def waterfall(trace: Trace, order: Sequence[tuple[Span, int]]) -> go.Figure:
    """Draw the spans of a trace in ``order`` (span, depth) over milliseconds since the trace began."""
    began = min(span.start for span, _ in order)
    colors = theme.service_colors([span.service for span, _ in order])
    rows = list(range(len(order)))
    figure = go.Figure(
        go.Bar(
            y=rows,
            base=[(span.start - began) * 1000 for span, _ in order],
            x=[max(span.duration_s * 1000, 0.001) for span, _ in order],
            orientation="h",
            marker_color=[theme.VERMILLION if span.error else colors[span.service] for span, _ in order],
            marker_pattern_shape=["/" if span.error else "" for span, _ in order],
            text=[formats.span(span.duration_s) + (" · error" if span.error else "") for span, _ in order],
            textposition="auto",
            textfont_size=14,
            insidetextfont_color="white",
            hovertext=[f"{span.service}: {span.operation}" for span, _ in order],
            hoverinfo="text",
            name="spans",
        )
    )
    events = [
        (event, row, event.name == FAULT_EVENT)
        for row, (span, _) in zip(rows, order, strict=True)
        for event in span.events
    ]
    if events:
        figure.add_scatter(
            x=[(event.time - began) * 1000 for event, _, _ in events],
            y=[row for _, row, _ in events],
            mode="markers",
            marker={
                "symbol": ["star-diamond" if fault else "line-ns-open" for _, _, fault in events],
                "size": [15 if fault else 11 for _, _, fault in events],
                "color": [theme.ORANGE if fault else theme.GREY for _, _, fault in events],
                "line": {"width": 1.5, "color": "rgba(0,0,0,0.7)"},
            },
            hovertext=[event.name for event, _, _ in events],
            hoverinfo="text",
            name="events",
        )
    whole = max(span.start + span.duration_s for span, _ in order) - began
    figure.update_xaxes(
        title="ms since the trace began",
        gridcolor=GRID,
        zeroline=False,
        range=[-0.02 * whole * 1000, 1.1 * whole * 1000],
    )
    figure.update_yaxes(range=[len(order) - 0.4, -0.6], showticklabels=False, showgrid=False, fixedrange=True)
    for row, (span, depth) in zip(rows, order, strict=True):
        name = span.operation if len(span.operation) <= _NAME_CHARS else f"{span.operation[: _NAME_CHARS - 1]}…"
        figure.add_annotation(
            x=0,
            xref="paper",
            xanchor="left",
            xshift=-_NAMES_PX + 14 * min(depth, 6),
            y=row,
            text=f"{row + 1}. {escape(name)}",
            font_size=15,
            showarrow=False,
        )
    figure.update_layout(
        height=80 + 34 * len(order),
        margin={"l": _NAMES_PX, "r": 8, "t": 8, "b": 56},
        showlegend=False,
        uirevision=trace.trace_id,
    )
    return figure


def _line(series: SignalSeries) -> Drawing:
    ratio = series.signal.unit == "ratio"
    return {
        "type": "scatter",
        "x0": formats.wall(series.start),
        "dx": series.step_s * 1000,
        "y": [None if value is None else float(f"{value:.4g}") for value in series.values],
        "mode": "lines",
        "line": {"color": theme.LINE, "width": 2.5},
        "name": series.signal.title,
        "meta": {"unit": series.signal.unit},
        "hovertemplate": "%{y:.1%}" if ratio else "%{y:.3g} " + series.signal.unit.replace("1/s", "/s"),
    }


def _dots(dots: Sequence[Dot], top: float) -> Drawing:
    """Return exemplars as points; those above the axis stand at its upper end."""
    return {
        "type": "scatter",
        "x": [formats.wall(dot.at) for dot in dots],
        "y": [min(dot.value, 0.97 * top) for dot in dots],
        "customdata": [dot.trace_id for dot in dots],
        "mode": "markers",
        "marker": {"symbol": "diamond", "size": 9, "color": theme.PURPLE, "line": {"width": 1, "color": "white"}},
        "name": "Single request",
        "hovertext": [f"{formats.span(dot.value)}, click for its trace" for dot in dots],
        "hovertemplate": "%{hovertext}",
        "meta": {"unit": "s", "values": [dot.value for dot in dots]},
    }


def _top(series: SignalSeries) -> float:
    """Return where the y axis ends: in steps, so that it stays put while the values wander."""
    highest = max((value for value in series.values if value is not None), default=0.0)
    top = series.signal.least_top
    while top < highest * 1.05:
        top *= 2
    return min(top, 1.05) if series.signal.unit == "ratio" else top
