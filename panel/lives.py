"""Alerts over time as plotly figures: the stages of their lives, and the values of their conditions. No Streamlit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from faults.drills.reasons import Trend
from faults.drills.wire import StageTimes
from panel import formats, theme
from panel.charts import GRID, band_shapes, labels_px
from panel.queries import Band

_MARKS = (
    ("condition_true", "line-ns-open", theme.GREY),
    ("received", "diamond", theme.SKY),
    ("grouped", "square", theme.PURPLE),
    ("delivered", "star", theme.BLUE),
    ("resolved", "circle", theme.GREEN),
    ("resolution_delivered", "star-open", theme.GREEN),
)
"""Stages that are moments; pending and firing are bars."""


@dataclass(frozen=True)
class AlertLife:
    """The stages that one alert has reached, for a timeline. Unix seconds.

    ``until`` ends a stage that goes on; ``None`` where it is over at a time that nobody recorded.
    """

    alert: str
    stages: StageTimes
    until: float | None


def stage_chart(lives: Sequence[AlertLife], bands: Sequence[Band], start: float, end: float) -> go.Figure:
    """Draw when each alert was pending and firing, and when its notification went out, over ``[start, end]``."""
    figure = go.Figure()
    for life in lives:
        _draw_life(figure, life, start)
    shapes, labels = band_shapes(bands, start, end)
    more_px = labels_px(bands)
    figure.update_xaxes(type="date", range=[formats.wall(start), formats.wall(end)], gridcolor=GRID, tickfont_size=14)
    figure.update_yaxes(
        categoryorder="array",
        categoryarray=[life.alert for life in reversed(lives)],
        fixedrange=True,
        tickfont_size=15,
        automargin=True,
    )
    figure.update_layout(
        height=140 + 44 * max(1, len(lives)) + more_px,
        barmode="overlay",
        bargap=0.35,
        margin={"l": 8, "r": 8, "t": 44 + more_px, "b": 70},
        legend={"orientation": "h", "yref": "container", "yanchor": "bottom", "y": 0.01, "x": 0, "font": {"size": 14}},
        shapes=shapes,
        annotations=labels,
        uirevision="stages",
    )
    return figure


def trend_chart(trend: Trend, end: float) -> go.Figure:
    """Draw one comparison of a condition: its value over time up to ``end`` (Unix seconds), its threshold dashed."""
    points = trend.points
    start = points[0][0] if points else end - 60.0
    figure = go.Figure(
        go.Scatter(
            x=[formats.wall(at) for at, _ in points],
            y=[value for _, value in points],
            mode="lines",
            line={"color": theme.LINE, "width": 2.5},
            name="value",
            hovertemplate="%{y:.4g}",
        )
    )
    figure.add_scatter(
        x=[formats.wall(start), formats.wall(end)],
        y=[trend.threshold, trend.threshold],
        mode="lines",
        line={"color": theme.VERMILLION, "width": 2, "dash": "dash"},
        name=f"must be {trend.operator} {trend.threshold:g}",
        hoverinfo="skip",
    )
    figure.update_xaxes(type="date", range=[formats.wall(start), formats.wall(end)], gridcolor=GRID, tickfont_size=13)
    figure.update_yaxes(gridcolor=GRID, zeroline=False, fixedrange=True, rangemode="tozero", nticks=5, tickfont_size=13)
    figure.update_layout(
        height=240,
        margin={"l": 60, "r": 8, "t": 10, "b": 60},
        hovermode="x",
        legend={"orientation": "h", "yref": "container", "yanchor": "bottom", "y": 0.01, "x": 0, "font": {"size": 14}},
        uirevision="trend",
    )
    return figure


def _draw_life(figure: go.Figure, life: AlertLife, start: float) -> None:
    stages = life.stages
    pieces = (
        ("pending", stages.pending, stages.firing or stages.resolved, theme.ORANGE, "/"),
        ("firing", stages.firing, stages.resolved, theme.VERMILLION, ""),
    )
    for name, begin, finish, color, pattern in pieces:
        if begin is None:
            continue
        shown, until = max(begin, start), life.until if finish is None else finish
        if until is not None and until > shown:
            figure.add_bar(
                y=[life.alert],
                base=[formats.wall(shown)],
                x=[(until - shown) * 1000],
                orientation="h",
                marker={
                    "color": color,
                    "pattern": {"shape": pattern, "fillmode": "overlay", "fgcolor": "rgba(0,0,0,0.6)"},
                },
                name=name,
                legendgroup=name,
                showlegend=not _in_legend(figure, name),
                hovertext=f"{life.alert} {name} for {formats.span(until - begin)}",
                hoverinfo="text",
            )
    for stage, symbol, color in _MARKS:
        at: float | None = getattr(stages, stage)
        name = stage.replace("_", " ")
        if at is not None and at >= start:
            figure.add_scatter(
                x=[formats.wall(at)],
                y=[life.alert],
                mode="markers",
                marker={"symbol": symbol, "size": 15, "color": color, "line": {"width": 1.5, "color": "white"}},
                name=name,
                legendgroup=name,
                showlegend=not _in_legend(figure, name),
                hovertext=f"{life.alert} {name} at {formats.clock(at)}",
                hoverinfo="text",
            )


def _in_legend(figure: go.Figure, name: str) -> bool:
    return any(trace.name == name for trace in figure.data)
