"""A pie panel, and a heatmap of a histogram's buckets, as plotly figures. No Streamlit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from panel import formats
from panel.charts import GRID
from panel.dashboards import colors, units
from panel.dashboards.answers import Answer, Line, lines_of, reduced
from panel.dashboards.board import Panel
from panel.dashboards.lines import nothing
from panel.drawings import Sketch
from panel.timeline.drawing import Layout, dressed
from panel.timeline.range import Grid
from panel.timeline.story import Story

PIE_PX = 250
_HEAT_PX = 230
_SCALE = (
    (0.0, "rgba(230,159,0,0)"),
    (0.0001, "rgba(230,159,0,0.28)"),
    (0.25, "rgba(213,94,0,0.75)"),
    (1.0, "rgba(150,45,0,1)"),
)
"""From nothing to dark orange, in light as in dark; by the square root, so that little is seen beside much."""


def pie(panel: Panel, answers: Sequence[Answer]) -> Sketch:
    """Draw what each series is reduced to as a slice; each has its name, value and share beside it."""
    told = [(line, reduced(line.values, panel.options.calc)) for line in lines_of(answers)]
    slices = [(line, value) for line, value in told if value is not None and value > 0]
    names = [f"{line.name}: {units.text(value, panel.look.unit, panel.look.decimals)}" for line, value in slices]
    trace: Layout = {
        "type": "pie",
        "labels": [escape(name) for name in names],
        "values": [value for _, value in slices],
        "hole": 0.55 if panel.options.donut else 0,
        "sort": False,
        "textinfo": _slice_words(panel),
        "textfont": {"size": 13},
        "marker": {"colors": [colors.series(index)[0] for index in range(len(slices))]},
        "hovertemplate": "%{label}, %{percent}<extra></extra>",
    }
    layout = {
        "height": PIE_PX,
        "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
        "showlegend": panel.legend.shown,
        "annotations": [] if slices else [nothing(panel)],
        "legend": {"font": {"size": 13}, "bgcolor": "rgba(0,0,0,0)"},
        "uirevision": f"panel-{panel.id}",
    }
    return Sketch([trace], layout)


def heatmap(panel: Panel, answers: Sequence[Answer], grid: Grid, story: Story | None, *, words: bool) -> Sketch:
    """Draw how much fell into each bucket of a histogram; ``le`` of each series is its bucket's upper bound."""
    bounds, cells = per_bucket(lines_of(answers))
    names = [_bound(bound, panel) for bound in bounds]
    unit = units.hover(panel.options.cell_unit).replace("%{y", "%{z")
    trace: Layout = {
        "type": "heatmap",
        "x0": formats.wall(grid.start),
        "dx": grid.step_s * 1000,
        "y": names,
        "z": [[None if value is None else float(f"{value:.4g}") for value in row] for row in cells],
        "colorscale": [list(each) for each in _SCALE],
        "zmin": 0,
        "showscale": False,
        "hovertemplate": f"up to %{{y}}: {unit}<extra></extra>",
        "ygap": 1,
    }
    every = max(1, math.ceil(len(names) / 10))
    layout: Layout = {
        "height": _HEAT_PX,
        "margin": {"l": 64, "r": 10, "t": 8 if words else 22, "b": 42},
        "xaxis": {
            "range": [formats.wall(grid.start), formats.wall(grid.end)],
            "showgrid": False,
            "tickfont": {"size": 12},
            "nticks": 6,
            "type": "date",
        },
        "yaxis": {
            "gridcolor": GRID,
            "fixedrange": True,
            "zeroline": False,
            "type": "category",
            "tickvals": names[::every],
            "tickfont": {"size": 12},
            "range": [-0.5, max(len(names), 1) - 0.5],
        },
        "annotations": [] if any(value for row in cells for value in row) else [nothing(panel)],
        "uirevision": f"panel-{panel.id}",
    }
    return Sketch([trace], dressed(layout, story, words=words))


def per_bucket(lines: Sequence[Line]) -> tuple[list[float], list[list[float | None]]]:
    """Return the bounds and how much lies between each and the one below, moment by moment; buckets are cumulative."""
    found = [(bound, line) for line in lines if (bound := _le(line)) is not None]
    bounded = sorted(found, key=lambda each: each[0])
    rows: list[list[float | None]] = []
    below: Sequence[float | None] = ()
    for _, line in bounded:
        rows.append(
            [
                None if value is None else max(0.0, value - (below[at] or 0.0 if at < len(below) else 0.0))
                for at, value in enumerate(line.values)
            ]
        )
        below = line.values
    return [bound for bound, _ in bounded], rows


def _le(line: Line) -> float | None:
    try:
        return float(line.labels.get("le", line.name))
    except ValueError:
        return None


def _bound(bound: float, panel: Panel) -> str:
    return "∞" if math.isinf(bound) else units.text(bound, panel.options.axis_unit or panel.look.unit)


def _slice_words(panel: Panel) -> str:
    words = {"percent": "percent", "name": "label", "value": "value"}
    return "+".join(words[each] for each in panel.options.slice_labels if each in words) or "none"
