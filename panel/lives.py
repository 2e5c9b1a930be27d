"""Alerts over time as plotly figures: the stages of their lives, and the values of their conditions. No Streamlit."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import get_args

import plotly.graph_objects as go

from faults.drills.reasons import Trend
from faults.drills.wire import STAGES, AlertStatus, StageTimes
from panel import formats, theme
from panel.charts import GRID
from panel.queries import Band
from panel.timeline.drawing import dressed
from panel.timeline.story import Mark, MarkStage, Story

_MARKS = (
    ("condition_true", "line-ns-open", theme.GREY),
    ("received", "diamond", theme.SKY),
    ("grouped", "square", theme.PURPLE),
    ("delivered", "star", theme.BLUE),
    ("resolved", "circle", theme.GREEN),
    ("resolution_delivered", "star-open", theme.GREEN),
)
"""Stages that are moments; pending and firing are bars."""
_TIME_AXIS = {"type": "date", "gridcolor": GRID}
_TOLD: tuple[MarkStage, ...] = get_args(MarkStage)
"""The stages that a story knows, in their order."""
_LEGEND = {"orientation": "h", "yref": "container", "yanchor": "bottom", "y": 0.01, "x": 0, "font": {"size": 14}}


@dataclass(frozen=True)
class AlertLife:
    """The stages that one alert has reached, for a timeline. Unix seconds.

    ``until`` ends a stage that goes on; ``None`` where it is over at a time that nobody recorded.
    """

    alert: str
    stages: StageTimes
    until: float | None


def alert_lives(alerts: Sequence[AlertStatus], story: Story | None, start: float, end: float) -> tuple[AlertLife, ...]:
    """Return the lives within ``[start, end]``: the newest as the conductor saw it, those before from the story."""
    found: list[AlertLife] = []
    newest: dict[str, float] = {}
    for alert in alerts:
        reached = _reached(alert.stages)
        if alert.state in ("pending", "firing"):
            found.append(AlertLife(alert.alert, alert.stages, end))
        elif alert.stages.firing is not None or alert.stages.resolved is not None:
            found.append(AlertLife(alert.alert, alert.stages, None))
        if reached:
            newest[alert.alert] = min(newest.get(alert.alert, reached[0]), reached[0])
    marks = () if story is None else story.marks
    for name in dict.fromkeys(mark.alert for mark in marks):
        before = newest.get(name, math.inf)
        found += _earlier(name, [mark for mark in marks if mark.alert == name and mark.at < before])
    inside = [life for life in found if _overlaps(life, start, end)]
    return tuple(sorted(inside, key=lambda life: (life.alert, _reached(life.stages))))


def _earlier(alert: str, marks: Sequence[Mark]) -> list[AlertLife]:
    """Return the lives that ``marks`` (by time) tell of: each stage that was reached before begins a new one."""
    lives: list[dict[str, float]] = []
    for mark in marks:
        order = _TOLD.index(mark.stage)
        if not lives or any(stage in lives[-1] for stage in _TOLD[order:]):
            lives.append({})
        lives[-1][mark.stage] = mark.at
    return [AlertLife(alert, StageTimes(**life), None) for life in lives]


def _reached(stages: StageTimes) -> list[float]:
    times: list[float | None] = [getattr(stages, stage) for stage in STAGES[1:]]
    return sorted(at for at in times if at is not None)


def _overlaps(life: AlertLife, start: float, end: float) -> bool:
    reached = _reached(life.stages)
    return bool(reached) and reached[0] <= end and (reached[-1] if life.until is None else life.until) >= start


def stage_chart(
    lives: Sequence[AlertLife], bands: Sequence[Band], start: float, end: float, *, revision: str = "stages"
) -> go.Figure:
    """Draw when each alert was pending and firing, and when its notification went out, over ``[start, end]``."""
    names = sorted({life.alert for life in lives}, reverse=True)
    layout = {
        "height": 106 + 44 * max(1, len(names)),
        "barmode": "overlay",
        "bargap": 0.35,
        "margin": {"l": 8, "r": 8, "t": 10, "b": 70},
        "legend": _LEGEND,
        "uirevision": revision,
        "xaxis": _TIME_AXIS | {"range": [formats.wall(start), formats.wall(end)], "tickfont": {"size": 14}},
        "yaxis": {
            "categoryorder": "array",
            "categoryarray": names,
            "fixedrange": True,
            "tickfont": {"size": 15},
            "automargin": True,
        },
    }
    traces = [trace for trace in (*_bars(lives, start, end), *_signs(lives, start, end)) if trace["y"]]
    return go.Figure(data=traces, layout=dressed(layout, Story(start, end, tuple(bands)), stages=False))


def trend_chart(trend: Trend, end: float, story: Story | None = None) -> go.Figure:
    """Draw one comparison of a condition: its value over time up to ``end`` (Unix seconds), its threshold dashed.

    What of ``story`` lies in this time is drawn with it.
    """
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
    layout = {
        "height": 220,
        "margin": {"l": 60, "r": 8, "t": 10, "b": 60},
        "hovermode": "x",
        "legend": _LEGEND,
        "uirevision": "trend",
        "xaxis": _TIME_AXIS | {"range": [formats.wall(start), formats.wall(end)], "tickfont": {"size": 13}},
        "yaxis": {
            "gridcolor": GRID,
            "zeroline": False,
            "fixedrange": True,
            "rangemode": "tozero",
            "nticks": 5,
            "tickfont": {"size": 13},
        },
    }
    figure.update_layout(dressed(layout, (story or Story(start, end)).within(start, end)))
    return figure


def _bars(lives: Sequence[AlertLife], start: float, end: float) -> Iterator[dict[str, object]]:
    """Return a trace for each stage that lasts: of every life that has it, from when to when."""
    for name, color, pattern in (("pending", theme.ORANGE, "/"), ("firing", theme.VERMILLION, "")):
        rows = [(life.alert, *lasted) for life in lives if (lasted := _lasted(life, name)) is not None]
        seen = [(alert, max(begin, start), min(until, end), until - begin) for alert, begin, until in rows]
        seen = [row for row in seen if row[2] > row[1]]
        yield {
            "type": "bar",
            "orientation": "h",
            "y": [alert for alert, *_ in seen],
            "base": [formats.wall(begin) for _, begin, _, _ in seen],
            "x": [(until - begin) * 1000 for _, begin, until, _ in seen],
            "marker": {
                "color": color,
                "pattern": {"shape": pattern, "fillmode": "overlay", "fgcolor": "rgba(0,0,0,0.6)"},
            },
            "name": name,
            "hovertext": [f"{alert} {name} for {formats.span(length)}" for alert, _, _, length in seen],
            "hoverinfo": "text",
        }


def _lasted(life: AlertLife, stage: str) -> tuple[float, float] | None:
    """Return from when to when an alert was pending or firing; ``None`` where it was not, or its end is unknown."""
    stages = life.stages
    begin, finish = (
        (stages.pending, stages.firing or stages.resolved) if stage == "pending" else (stages.firing, stages.resolved)
    )
    until = life.until if finish is None else finish
    return None if begin is None or until is None else (begin, until)


def _signs(lives: Sequence[AlertLife], start: float, end: float) -> Iterator[dict[str, object]]:
    """Return a trace for each stage that is a moment: of every life that has it, when."""
    for stage, symbol, color in _MARKS:
        times = [(life.alert, getattr(life.stages, stage)) for life in lives]
        seen = [(alert, at) for alert, at in times if at is not None and start <= at <= end]
        name = stage.replace("_", " ")
        yield {
            "type": "scatter",
            "mode": "markers",
            "x": [formats.wall(at) for _, at in seen],
            "y": [alert for alert, _ in seen],
            "marker": {"symbol": symbol, "size": 15, "color": color, "line": {"width": 1.5, "color": "white"}},
            "name": name,
            "hovertext": [f"{alert} {name} at {formats.clock(at)}" for alert, at in seen],
            "hoverinfo": "text",
        }
