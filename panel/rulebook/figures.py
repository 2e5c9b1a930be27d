"""What was tried, as plotly figures: a value against its threshold, and detection against how strong a fault is.

No Streamlit, no queries.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from html import escape

import plotly.graph_objects as go

from faults.drills.check import curve_words
from faults.drills.check.curve import Curve, Curves, Point
from faults.drills.check.result import Range
from panel import theme
from panel.charts import GRID
from panel.rulebook.courses import Compared, Course

_ROW_PX, _TOP_PX, _FOOT_PX = 230, 64, 48
_LINES = (theme.LINE, theme.GREEN, theme.PURPLE, theme.SKY, theme.GREY, theme.ORANGE)
_EXPR_CHARS = 110
_BAR = 0.05
"""Share of a chart's height that the bar of the alert's states takes."""
_TICKS_S = (1, 5, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14_400)

Shape = dict[str, object]


def course_figure(course: Course) -> go.Figure:
    """Draw each value of an alert against its threshold over minutes, the fault as a band, the states as a bar."""
    rows = max(1, len(course.compared))
    figure = go.Figure()
    axes: dict[str, object] = {}
    notes: list[Shape] = []
    pitch = 1 / (rows - 0.2)
    for row, compared in enumerate(course.compared):
        number = "" if row == 0 else str(row + 1)
        top = 1 - row * pitch
        figure.add_traces(list(_values(compared, f"y{number}")))
        figure.add_trace(_threshold(compared, course, f"y{number}"))
        axes[f"yaxis{number}"] = {
            "domain": [max(0.0, top - 0.8 * pitch), top],
            "gridcolor": GRID,
            "zeroline": False,
            "fixedrange": True,
            "nticks": 5,
            "rangemode": "tozero",
        }
        notes.append(_note(0.0, top, _shortened(compared.expr), "left", xref="paper"))
    figure.update_layout(
        height=_ROW_PX * rows + _TOP_PX + _FOOT_PX,
        margin={"l": 64, "r": 16, "t": _TOP_PX, "b": _FOOT_PX},
        xaxis={
            "title": "minutes since the fault" if course.fault_s is not None else "minutes since the start",
            "range": [course.start_s / 60, course.end_s / 60],
            "anchor": f"y{rows}" if rows > 1 else "y",
            "gridcolor": GRID,
            "zeroline": False,
        },
        shapes=[*_band(course), *_states(course)],
        annotations=[*notes, *_band_label(course)],
        showlegend=False,
        hovermode="x unified",
        uirevision=f"{course.alert}/{course.scenario}",
        **axes,
    )
    return figure


def _values(compared: Compared, axis: str) -> Iterator[go.Scatter]:
    for index, line in enumerate(compared.lines):
        yield go.Scatter(
            x0=compared.start_s / 60,
            dx=compared.step_s / 60,
            y=line.values,
            yaxis=axis,
            mode="lines",
            line={"color": _LINES[index % len(_LINES)], "width": 2.5},
            name=escape(_shortened(line.labels or "value", 60)),
            hovertemplate="%{y:.4g}",
        )


def _threshold(compared: Compared, course: Course, axis: str) -> go.Scatter:
    return go.Scatter(
        x=[course.start_s / 60, course.end_s / 60],
        y=[compared.threshold, compared.threshold],
        yaxis=axis,
        mode="lines+text",
        text=["", f"{escape(compared.operator)} {compared.threshold:g}"],
        textposition="top left",
        textfont={"size": 14},
        line={"color": theme.VERMILLION, "width": 2, "dash": "dash"},
        name="threshold",
        hoverinfo="skip",
    )


def _band(course: Course) -> Iterator[Shape]:
    if course.fault_s is not None:
        yield _rectangle(0.0, course.fault_s / 60, (0.0, 1.0), _fault_color(course), 0.2)


def _fault_color(course: Course) -> str:
    return theme.band_color(course.scenario.partition(" (")[0])


def _band_label(course: Course) -> Iterator[Shape]:
    if course.fault_s is not None:
        yield _note(course.fault_s / 120, 1.0, f"<b>{escape(course.scenario)}</b>", "center", lift_px=22)


def _states(course: Course) -> Iterator[Shape]:
    """Yield the bar at the foot: low while the alert is pending, twice as high while it fires."""
    for life in course.lives:
        end_s = course.end_s if life.ended_s is None else life.ended_s
        fired_s = end_s if life.fired_s is None else life.fired_s
        if fired_s > life.active_s:
            yield _rectangle(life.active_s / 60, fired_s / 60, (0.0, _BAR / 2), theme.ORANGE, 0.9)
        if life.fired_s is not None:
            yield _rectangle(fired_s / 60, end_s / 60, (0.0, _BAR), theme.VERMILLION, 0.9)


def _rectangle(x0: float, x1: float, y: tuple[float, float], color: str, opacity: float) -> Shape:
    box = {"type": "rect", "xref": "x", "yref": "paper", "x0": x0, "x1": x1, "y0": y[0], "y1": y[1]}
    return {**box, "fillcolor": color, "opacity": opacity, "line": {"width": 0}, "layer": "below"}


def _note(x: float, y: float, text: str, anchor: str, *, xref: str = "x", lift_px: int = 2) -> Shape:
    place = {"x": x, "y": y, "xref": xref, "yref": "paper", "xanchor": anchor, "yanchor": "bottom", "yshift": lift_px}
    return {**place, "text": text, "font": {"size": 14}, "showarrow": False}


def _shortened(words: str, most: int = _EXPR_CHARS) -> str:
    plain = " ".join(words.split())
    return plain if len(plain) <= most else f"{plain[: most - 1]}…"


def curve_figure(curves: Curves) -> go.Figure:
    """Draw detection above and reset below against the intensity, both logarithmic, with bands over all tries."""
    figure = go.Figure()
    tried = [one.intensity for curve in curves.curves for one in curve.points] or [1.0]
    parts: tuple[tuple[str, Callable[[Point], tuple[Range | None, float | None]]], ...] = (
        ("y", lambda one: (one.detection_s, one.detection_median_s)),
        ("y2", lambda one: (one.reset_s, one.reset_median_s)),
    )
    for index, curve in enumerate(curves.curves):
        for axis, times in parts:
            figure.add_traces(_lines(curve, curves, times, axis, _LINES[index % len(_LINES)]))
    times_axis = {
        "type": "log",
        "gridcolor": GRID,
        "tickvals": list(_TICKS_S),
        "ticktext": [curve_words.length(one) for one in _TICKS_S],
        "fixedrange": True,
    }
    figure.update_layout(
        height=560,
        margin={"l": 78, "r": 16, "t": 40, "b": 56},
        xaxis={
            "type": "log",
            "title": f"{curves.parameter} ({curves.unit})" if curves.unit else curves.parameter,
            "anchor": "y2",
            "range": [math.log10(min(tried) * 0.9), math.log10(max(tried) * 1.1)],
            "gridcolor": GRID,
            "tickformat": ".3~s" if curves.parameter != curve_words.PROBABILITY else ".2~%",
        },
        yaxis=times_axis | {"domain": [0.55, 1.0]},
        yaxis2=times_axis | {"domain": [0.0, 0.43]},
        annotations=[
            _note(0.0, 1.0, "<b>Detection</b>: from the fault to firing", "left", xref="paper"),
            _note(0.0, 0.43, "<b>Reset</b>: from the fault's end to resolved", "left", xref="paper"),
        ],
        legend={"orientation": "h", "y": 1.09, "x": 1, "xanchor": "right"},
        showlegend=len(curves.curves) > 1,
        hovermode="closest",
        uirevision="curves",
    )
    return figure


def _lines(
    curve: Curve,
    curves: Curves,
    times: Callable[[Point], tuple[Range | None, float | None]],
    axis: str,
    color: str,
) -> list[go.Scatter]:
    """Return the median as a line, and the band from the shortest to the longest time below it."""
    known = [(one, *times(one)) for one in curve.points]
    found = [(one, span, median) for one, span, median in known if span is not None and median is not None]
    x = [one.intensity for one, _, _ in found]
    band = go.Scatter(
        x=[*x, *reversed(x)],
        y=[max(1.0, span.most) for _, span, _ in found] + [max(1.0, span.least) for _, span, _ in reversed(found)],
        yaxis=axis,
        fill="toself",
        fillcolor=color,
        opacity=0.25,
        line={"width": 0},
        mode="lines",
        hoverinfo="skip",
        showlegend=False,
        name=f"{curve.alert}, all tries",
    )
    line = go.Scatter(
        x=x,
        y=[max(1.0, median) for _, _, median in found],
        yaxis=axis,
        mode="lines+markers",
        line={"color": color, "width": 2.5},
        marker={"size": 8},
        name=escape(curve.alert),
        showlegend=axis == "y",
        text=[
            f"{escape(curve.alert)} at {curve_words.intensity(one.intensity, curves)}: "
            f"{curve_words.span(span)}, fired: {curve_words.fired(one)}"
            for one, span, _ in found
        ],
        hoverinfo="text",
    )
    return [band, line]
