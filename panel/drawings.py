"""Figures built once per refresh and shared by all viewers. No Streamlit, no queries.

Twenty browsers that look at the same chart cost one figure: it is built when what it is made from has changed.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import plotly.graph_objects as go
from plotly.io.json import to_json_plotly

LIMIT = 256
NAMED_TEMPLATE = '"template":"plotly"'
"""Stands for plotly's own template, six kilobytes: the browser has it from the start."""


@dataclass(frozen=True)
class Sketch:
    """A figure in plotly's words at which plotly has not looked: that takes most of the time of a ``go.Figure``.

    For charts that are drawn anew all the time. ``figure`` has it checked, as tests do.
    """

    data: Sequence[Mapping[str, object]]
    layout: Mapping[str, object]

    def figure(self) -> go.Figure:
        """Return it as a figure; raise ``ValueError`` where plotly does not know a word of it."""
        return go.Figure(data=[dict(each) for each in self.data], layout=dict(self.layout))

    def json(self) -> str:
        """Return plotly's JSON of it, with plotly's own template named."""
        whole = {"data": _without_none(self.data), "layout": _without_none({**self.layout, "template": "plotly"})}
        text: str = to_json_plotly(whole)
        return text


def _without_none(part: object) -> object:
    """Return a description without what is not set; the values in its lists stay as they are."""
    if isinstance(part, Mapping):
        return {name: _without_none(value) for name, value in part.items() if value is not None}
    if isinstance(part, list | tuple) and part and isinstance(part[0], Mapping):
        return [_without_none(each) for each in part]
    return part


@dataclass(frozen=True)
class Drawing:
    """A figure as plotly's JSON, with its height in CSS pixels."""

    figure: str
    height: int

    @classmethod
    def of(cls, figure: go.Figure | Sketch) -> Drawing:
        """Return ``figure`` written down. Plotly's own template, the same in all of them, is named and not repeated."""
        if isinstance(figure, Sketch):
            height = figure.layout.get("height")
            return cls(figure.json(), int(height) if isinstance(height, int | float) else 0)
        text: str = figure.to_json()
        return cls(text.replace(template(), NAMED_TEMPLATE, 1), int(figure.layout.height or 0))


@lru_cache(maxsize=1)
def template() -> str:
    """Return how plotly's own template is written in every figure that has it, with its name before it."""
    bare: str = go.Figure().to_json()
    return bare[bare.index('"template":') : -2]


@dataclass(frozen=True)
class _Kept:
    made_from: Hashable
    drawing: Drawing


class Drawings:
    """The newest drawing of every chart; the least recently used ones are forgotten."""

    def __init__(self, *, limit: int = LIMIT) -> None:
        self._limit = limit
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, chart: Hashable, made_from: Hashable, build: Callable[[], go.Figure | Sketch]) -> Drawing:
        """Return the drawing of ``chart``, built anew only where ``made_from`` differs from that of the last one.

        ``made_from`` is what the figure depends on, such as the times at which its readings were taken.
        """
        with self._lock:
            kept = self._kept.get(chart)
            if kept is None or kept.made_from != made_from:
                kept = self._kept[chart] = _Kept(made_from, Drawing.of(build()))
                if len(self._kept) > self._limit:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(chart)
            return kept.drawing
