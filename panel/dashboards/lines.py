"""A time series panel as a plotly figure: lines, bars or points, stacks, thresholds, exemplars. No Streamlit."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from html import escape

from panel import formats, theme
from panel.charts import GRID
from panel.dashboards import colors, units
from panel.dashboards.answers import CALC_WORDS, NO_DATA, Answer, Line, lines_of, reduced
from panel.dashboards.board import Look, Panel
from panel.drawings import Sketch
from panel.timeline.drawing import Layout, dressed
from panel.timeline.range import Grid
from panel.timeline.story import Dot, Story

LEGEND_ROW_PX = 19
MOST_IN_LEGEND = 10
MOST_NAME = 34
_PLOT_PX = 200
_AXIS_PX = 42
_STEP_FILL = 0.10
_LETTER_PX, _KEY_PX, _COLUMN_PX = 5.7, 46, 39
"""Widths of a letter and of the line before a name in the legend, and of a grid column on a screen of 1280 pixels."""


def figure(panel: Panel, answers: Sequence[Answer], grid: Grid, story: Story | None, *, words: bool) -> Sketch:
    """Draw the series of a panel over ``grid``, with the faults and stages of ``story``.

    ``words`` writes their names above the chart too; without, there are bands and signs alone.
    """
    lines = lines_of(answers)
    low, high = extent(panel, lines)
    rows = _legend_rows(panel, lines, exemplars=any(answer.query.exemplars for answer in answers))
    traces = [_trace(panel, line, index, len(lines), grid) for index, line in enumerate(lines)]
    dots = [dot for answer in answers for dot in answer.dots if low <= dot.value <= high]
    if dots:
        traces.append(_exemplars(dots, panel.look))
    marked = units.ticks(low, high, panel.look.unit)
    axis: Layout = {
        "gridcolor": GRID,
        "zeroline": False,
        "fixedrange": True,
        "range": [low, high],
        "tickvals": marked,
        "ticktext": units.tick_texts(marked, panel.look.unit),
        "tickfont": {"size": 12},
        "title": {"text": escape(panel.strokes.axis_label), "font": {"size": 12}} if panel.strokes.axis_label else None,
    }
    if panel.strokes.logarithmic and low > 0:
        axis |= {"type": "log", "range": [math.log10(low), math.log10(high)], "tickvals": None, "ticktext": None}
    layout: Layout = {
        "height": _PLOT_PX + _AXIS_PX + rows * LEGEND_ROW_PX,
        "margin": {"l": 64, "r": 10, "t": 8 if words else 22, "b": _AXIS_PX + rows * LEGEND_ROW_PX},
        "xaxis": {
            "range": [formats.wall(grid.start), formats.wall(grid.end)],
            "showgrid": False,
            "tickfont": {"size": 12},
            "nticks": 6,
            "type": "date",
        },
        "yaxis": axis,
        "shapes": _thresholds(panel, low, high),
        "annotations": [] if any(value is not None for line in lines for value in line.values) else [nothing(panel)],
        "showlegend": panel.legend.shown and bool(lines),
        "legend": _legend(),
        "hovermode": "x unified",
        "barmode": "stack" if panel.strokes.stacked != "none" else "overlay",
        "bargap": 0,
        "uirevision": f"panel {panel.id} {grid.end - grid.start:g}",
    }
    return Sketch(traces, dressed(layout, story, words=words))


def extent(panel: Panel, lines: Iterable[Line]) -> tuple[float, float]:
    """Return where the y axis begins and ends: in steps, so that it holds still while the values wander."""
    lines = list(lines)
    look, values = panel.look, _values(panel, lines)
    low = look.lowest if look.lowest is not None else min([0.0, *values])
    shown = [step.value for step in look.steps if panel.strokes.thresholds != "off" and math.isfinite(step.value)]
    reach = max(values, default=0.0)
    near = [value for value in shown if value <= max(reach * 4, 0)]
    high = max([reach, *near]) if values else max(shown, default=1.0)
    if look.highest is not None and (not values or reach <= look.highest):
        return _apart(low, look.highest)
    return _apart(low, _rounded(high - low) + low if high > low else low + 1.0)


def picture_name(line: Line, panel: Panel) -> str:
    """Return a series' name in the legend, with the reductions that the panel asks for."""
    look = line.look(panel)
    name = line.name if len(line.name) <= MOST_NAME else line.name[: MOST_NAME - 1] + "…"
    said = [
        f"{CALC_WORDS.get(calc, calc)} {units.text(reduced(line.values, calc), look.unit, look.decimals)}"
        for calc in panel.legend.calcs
    ]
    return " · ".join([f"<b>{escape(name)}</b>", *map(escape, said)])


def nothing(panel: Panel) -> Layout:
    """Return what stands in the middle of a chart that has nothing to show."""
    words = escape(panel.look.nothing or NO_DATA)
    middle = {"x": 0.5, "y": 0.5, "xref": "paper", "yref": "paper", "xanchor": "center", "yanchor": "middle"}
    return middle | {"text": words, "showarrow": False, "font": {"size": 15}}


def _values(panel: Panel, lines: Sequence[Line]) -> list[float]:
    if panel.strokes.stacked == "percent":
        return [1.0 if panel.look.unit == "percentunit" else 100.0]
    if panel.strokes.stacked == "normal":
        columns = zip(*(line.values for line in lines), strict=False)
        return [sum(value or 0.0 for value in column) for column in columns]
    return [value for line in lines for value in line.values if value is not None]


def _rounded(reach: float) -> float:
    """Return the end of an axis that leaves room above ``reach``: one of few, so that it seldom changes."""
    power = 10.0 ** math.floor(math.log10(reach * 1.05)) if reach > 0 else 1.0
    return next(power * each for each in (1.0, 1.5, 2.0, 3.0, 5.0, 7.5, 10.0, 20.0) if power * each >= reach * 1.05)


def _apart(low: float, high: float) -> tuple[float, float]:
    return (low, high) if high > low else (low, low + 1.0)


def _trace(panel: Panel, line: Line, index: int, many: int, grid: Grid) -> Layout:
    color, dash = colors.series(index)
    strokes, look = panel.strokes, line.look(panel)
    if look.color_mode == "fixed" and look.fixed_color and (many == 1 or line.own_look):
        color = colors.css(look.fixed_color)
    trace: Layout = {
        "x0": formats.wall(grid.start),
        "dx": grid.step_s * 1000,
        "y": [None if value is None else float(f"{value:.5g}") for value in line.values],
        "name": picture_name(line, panel),
        "showlegend": many <= MOST_IN_LEGEND or index < MOST_IN_LEGEND - 1 or index == many - 1,
        "hovertemplate": f"{escape(line.name)}: {units.hover(look.unit)}<extra></extra>",
    }
    if many > MOST_IN_LEGEND and index == many - 1:
        trace["name"] = f"… {escape(line.name[:MOST_NAME])} and {many - MOST_IN_LEGEND} more"
    if strokes.draw == "bars":
        return trace | {"type": "bar", "marker": {"color": color}}
    trace |= {
        "type": "scatter",
        "mode": "markers" if strokes.draw == "points" else "lines+markers" if strokes.dots else "lines",
        "line": {"color": color, "dash": dash, "width": max(1.0, strokes.width), "shape": strokes.shape},
        "marker": {"color": color, "size": 5},
        "connectgaps": strokes.connected,
    }
    if strokes.stacked != "none":
        trace |= {"stackgroup": "one", "fillcolor": colors.faded(color, max(strokes.fill, 0.3))}
        if strokes.stacked == "percent":
            trace["groupnorm"] = "fraction" if panel.look.unit == "percentunit" else "percent"
    elif strokes.fill > 0 and many <= 4:
        trace |= {"fill": "tozeroy", "fillcolor": colors.faded(color, min(strokes.fill, _STEP_FILL))}
    return trace


def _exemplars(dots: Sequence[Dot], look: Look) -> Layout:
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [formats.wall(dot.at) for dot in dots],
        "y": [dot.value for dot in dots],
        "customdata": [dot.trace_id for dot in dots],
        "marker": {"symbol": "diamond", "size": 9, "color": theme.BLUE, "line": {"width": 1, "color": "white"}},
        "name": "one request: opens its trace",
        "hovertemplate": f"{units.hover(look.unit)}: click to open the trace<extra></extra>",
    }


def _thresholds(panel: Panel, low: float, high: float) -> list[Layout]:
    """Return the steps of the panel that lie within the axis, as lines, as areas, or as both."""
    style, shapes = panel.strokes.thresholds, []
    edges = [*panel.look.steps[1:], None]
    for step, following in zip(panel.look.steps, edges, strict=True):
        color = colors.css(step.color)
        begin, end = max(low, step.value), high if following is None else min(high, following.value)
        across = {"type": "rect", "xref": "paper", "x0": 0, "x1": 1, "yref": "y", "layer": "below"}
        if "area" in style and end > begin:
            shapes.append(across | {"y0": begin, "y1": end, "fillcolor": color, "opacity": 0.08, "line": {"width": 0}})
        if style not in ("off", "area") and math.isfinite(step.value) and low <= step.value <= high:
            dash = "dash" if "dashed" in style else "solid"
            line = {"color": color, "width": 1.5, "dash": dash}
            shapes.append(across | {"type": "line", "y0": step.value, "y1": step.value, "line": line})
    return shapes


def _legend_rows(panel: Panel, lines: Sequence[Line], *, exemplars: bool) -> int:
    """Return how many rows are kept for the legend; a legend that is longer makes the chart's box no higher."""
    if not panel.legend.shown:
        return 0
    names = [picture_name(line, panel) for line in lines[:MOST_IN_LEGEND]] + ["one request"] * exemplars
    widest = max((len(re.sub(r"<[^>]+>", "", name)) for name in names), default=0) * _LETTER_PX + _KEY_PX
    beside = max(1, math.floor(panel.place.width * _COLUMN_PX / widest))
    return max(1, math.ceil(len(names) / beside))


def _legend() -> Layout:
    return {
        "orientation": "h",
        "yanchor": "top",  # below the axis: where a narrow screen needs more rows, the plot gives way
        "y": -_AXIS_PX / _PLOT_PX,
        "x": 0,
        "font": {"size": 12},
        "itemsizing": "constant",
        "bgcolor": "rgba(0,0,0,0)",
    }
