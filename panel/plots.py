"""Plotly figures that change in place, each with buttons for its picture and its data.

``st.plotly_chart`` draws a chart anew whenever its data change: a live chart would blink every second and lose the
pointer's read-out. These two components keep it: one brings plotly's own JavaScript once per page, from this
panel and not from the internet, and the charts' own; the other draws and redraws a figure. All charts of the panel go
through them. A trace's unit stands in its ``meta`` (``{"unit": "s"}``): the header of the data says it.
"""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable
from pathlib import Path

import plotly.graph_objects as go
import streamlit as st

from panel.drawings import Drawing, template
from panel.plotly_script import ADDRESS
from panel.timeline import wish, zone

HTML = '<div class="fd-chart"><div class="fd-plot"></div></div>'
PLACE = "PLOTLY_ADDRESS"
"""Stands in plot_engine.js for the address of plotly's script."""
TEMPLATE_PLACE = "PLOTLY_TEMPLATE_JSON"
_SCRIPTS = ("follow.js", "plot_csv.js", "plot_picture.js", "plot_chart.js", "plot_engine.js")


@st.cache_resource(show_spinner=False)
def _engine() -> Callable[..., object]:
    return st.components.v2.component("firedrill_plotly", js=engine_script())


@st.cache_resource(show_spinner=False)
def _plot() -> Callable[..., object]:
    return st.components.v2.component("firedrill_plot", html=HTML, js=_script("plot.js"), isolate_styles=False)


def _script(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


@functools.cache
def engine_script() -> str:
    """Return the script that brings plotly's JavaScript to the page, after the charts' own."""
    scripts = "\n".join(_script(name) for name in _SCRIPTS)
    return scripts.replace(TEMPLATE_PLACE, template().partition(":")[2]).replace(PLACE, ADDRESS)


def prepare() -> None:
    """Bring plotly's JavaScript to the page; once per page, first of all, outside of what refreshes."""
    _engine()(key="plotly-engine", height=1)


def draw(figure: go.Figure | Drawing, *, key: str, alt: str, title: str = "", ranged: bool = False) -> None:
    """Draw ``figure``, or change the drawing that has this ``key``; ``alt`` says in words what it shows.

    ``title`` heads the chart's picture (PNG) and names its files; without one, ``alt`` does. ``ranged``: the page
    follows the chosen range of time, so a stretch that is zoomed into can become it. A point with a trace's id as its
    ``customdata`` (an exemplar) leads to that trace.
    """
    drawing = figure if isinstance(figure, Drawing) else Drawing.of(figure)
    about = {
        "alt": alt,
        "title": title or alt,
        "height": drawing.height or 450,
        "ranged": ranged,
        "zone": zone.changes(time.time()),
    }
    said = _plot()(
        key=key,
        data=f"{json.dumps(about)}\n{drawing.figure}".encode(),
        height="content",
        on_range_change=_nothing,
    )
    stretch = getattr(said, "range", None)
    if stretch:
        wish.make(*stretch)
        st.rerun()


def _nothing() -> None:
    """Do nothing: what was chosen is read where the chart is drawn."""
