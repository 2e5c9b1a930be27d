"""Figures built once per refresh and shared by all viewers. No Streamlit, no queries.

Twenty browsers that look at the same chart cost one figure: it is built when what it is made from has changed.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import lru_cache

import plotly.graph_objects as go

LIMIT = 256
NAMED_TEMPLATE = '"template":"plotly"'
"""Stands for plotly's own template, six kilobytes: the browser has it from the start."""


@dataclass(frozen=True)
class Drawing:
    """A figure as plotly's JSON, with its height in CSS pixels."""

    figure: str
    height: int

    @classmethod
    def of(cls, figure: go.Figure) -> Drawing:
        """Return ``figure`` written down. Plotly's own template, the same in all of them, is named and not repeated."""
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

    def get(self, chart: Hashable, made_from: Hashable, build: Callable[[], go.Figure]) -> Drawing:
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
