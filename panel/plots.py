"""Plotly figures that change in place.

``st.plotly_chart`` draws a chart anew whenever its data change: a live chart would blink every second and lose the
pointer's read-out. These two components keep it: one brings plotly's own JavaScript once per page, from the installed
package and not from the internet; the other draws and redraws a figure. All charts of the panel go through them.
"""

from __future__ import annotations

import base64
import gzip
from collections.abc import Callable
from pathlib import Path

import plotly.graph_objects as go
import streamlit as st
from plotly.offline import get_plotlyjs

_HTML = '<div class="fd-plot" role="img"></div>'
PLACE = "PLOTLY_GZIP_BASE64"
"""Stands in plot_engine.js for the packed script: unpacked, five megabytes would be kept for every viewer."""


@st.cache_resource(show_spinner=False)
def _engine() -> Callable[..., object]:
    return st.components.v2.component("firedrill_plotly", js=engine_script())


@st.cache_resource(show_spinner=False)
def _plot() -> Callable[..., object]:
    return st.components.v2.component("firedrill_plot", html=_HTML, js=_script("plot.js"), isolate_styles=False)


def _script(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def engine_script() -> str:
    """Return the script that brings plotly's JavaScript along, packed."""
    packed = base64.b64encode(gzip.compress(get_plotlyjs().encode())).decode("ascii")
    return _script("plot_engine.js").replace(PLACE, packed)


def prepare() -> None:
    """Bring plotly's JavaScript to the page; once per page, outside of what refreshes."""
    _engine()(key="plotly-engine", height=1)


def draw(figure: go.Figure, *, key: str, alt: str) -> None:
    """Draw ``figure``, or change the drawing that has this ``key``; ``alt`` says in words what it shows."""
    data = {"figure": figure.to_json(), "height": figure.layout.height, "alt": alt}
    _plot()(key=key, data=data, height="content")
