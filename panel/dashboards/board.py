"""A dashboard with all that its drawing needs, as plain values. Knows no JSON, no Prometheus, no Streamlit.

``stack.dashboards`` refuses what is not in the form that this project keeps; here anybody's dashboard is described, and
what of it cannot be drawn is said in ``Board.remarks`` and ``Panel.problem``, never dropped.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal

from stack.dashboards.board import Place, Query, Step

DRAWN = ("timeseries", "stat", "gauge", "bargauge", "piechart", "heatmap", "table", "text", "row")
"""Kinds of panels that are drawn, by Grafana's names."""

VALUE = "Value"
"""What a table calls the column of its values."""
ThresholdStyle = Literal["off", "line", "dashed", "area", "line+area", "dashed+area"]
VariableKind = Literal["query", "custom", "interval", "constant", "textbox", "datasource"]


@dataclass(frozen=True)
class Mapped:
    """How the values of ``[low, high]`` read where a number would say little; NaN as bounds stand for no value."""

    low: float
    high: float
    text: str
    color: str = ""

    def holds(self, value: float | None) -> bool:
        """Say whether ``value`` reads so."""
        if value is None or math.isnan(value):
            return math.isnan(self.low)
        return self.low <= value <= self.high


@dataclass(frozen=True)
class Look:
    """How values read and which colour they have. Colours are Grafana's names or any of CSS."""

    unit: str = "short"
    decimals: int | None = None
    lowest: float | None = None
    highest: float | None = None
    steps: tuple[Step, ...] = ()
    texts: tuple[Mapped, ...] = ()
    nothing: str = ""
    color_mode: str = "thresholds"
    fixed_color: str = ""

    def mapped(self, value: float | None) -> Mapped | None:
        """Return the text that stands for ``value``, if one does."""
        return next((text for text in self.texts if text.holds(value)), None)

    def level(self, value: float | None) -> int | None:
        """Return the number of the threshold step that ``value`` is in, counted from the lowest."""
        if value is None or math.isnan(value):
            return None
        return next((at for at in reversed(range(len(self.steps))) if value >= self.steps[at].value), None)

    def color(self, value: float | None) -> str:
        """Return the colour of ``value``: of its text, else of its threshold; empty where there is neither."""
        text = self.mapped(value)
        if text is not None and text.color:
            return text.color
        at = self.level(value)
        return "" if at is None else self.steps[at].color


@dataclass(frozen=True)
class Strokes:
    """How a time series is drawn. ``fill`` is a share of full colour, ``stacked`` none, normal or percent."""

    draw: Literal["line", "bars", "points"] = "line"
    width: float = 1.0
    fill: float = 0.0
    shape: Literal["linear", "hv", "vh", "spline"] = "linear"
    dots: bool = False
    connected: bool = False
    stacked: Literal["none", "normal", "percent"] = "none"
    thresholds: ThresholdStyle = "off"
    logarithmic: bool = False
    axis_label: str = ""


@dataclass(frozen=True)
class Legend:
    """What stands below a chart: nothing, names, or names with the named reductions of their values."""

    shown: bool = True
    calcs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Options:
    """What single kinds of panels are told. ``calc`` makes one number of a series, as ``lastNotNull`` does."""

    calc: str = "lastNotNull"
    sparkline: bool = False
    background: bool = False
    plain: bool = False
    donut: bool = False
    slice_labels: tuple[str, ...] = ()
    axis_unit: str = ""
    cell_unit: str = ""
    content: str = ""


@dataclass(frozen=True)
class Override:
    """What is different about some series: those ``by`` name, regular expression (in it somewhere) or query's letter.

    ``changes`` are fields of ``Look`` with their values; ``title`` is what such a series is called, if anything else.
    """

    by: Literal["name", "regexp", "query"]
    what: str
    changes: tuple[tuple[str, object], ...] = ()
    title: str = ""

    def holds(self, name: str, ref: str) -> bool:
        """Say whether the series of that name, from the query of that letter, is meant."""
        if self.by == "regexp":
            return re.search(self.what, name) is not None
        return self.what == (name if self.by == "name" else ref)


@dataclass(frozen=True)
class Panel:
    """One panel. ``columns`` of a table with their headings, in order; ``problem`` says why it is not drawn."""

    id: int
    title: str
    description: str
    kind: str
    place: Place
    look: Look = Look()
    queries: tuple[Query, ...] = ()
    strokes: Strokes = Strokes()
    legend: Legend = Legend()
    options: Options = Options()
    columns: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    hidden: frozenset[str] = frozenset()
    overrides: tuple[Override, ...] = ()
    problem: str = ""

    def seen(self, name: str, ref: str) -> tuple[str, Look]:
        """Return what the series ``name`` of the query ``ref`` is called, and how its values read."""
        title, look = name, self.look
        for override in self.overrides:
            if override.holds(name, ref):
                title, look = override.title or title, replace(look, **dict(override.changes))  # type: ignore[arg-type]
        return title, look


@dataclass(frozen=True)
class Variable:
    """A choice at the top of a dashboard: ``values`` to choose from, or those of ``label`` among ``selector``.

    ``all_value`` is what stands for all values at once, ``None`` where they cannot be chosen together.
    """

    name: str
    title: str
    kind: VariableKind
    values: tuple[str, ...] = ()
    selector: str = ""
    label: str = ""
    multiple: bool = False
    all_value: str | None = None
    default: tuple[str, ...] = ()
    hidden: bool = False

    @property
    def expr(self) -> str:
        """The query whose series carry the values in the label; empty where nobody has to be asked."""
        return f"group by ({self.label}) ({self.selector})" if self.label else ""


@dataclass(frozen=True)
class Board:
    """One dashboard. ``uid`` names it; ``remarks`` say what its file asks for that is not drawn here."""

    uid: str
    title: str
    description: str
    refresh_s: float
    window_s: float
    panels: tuple[Panel, ...]
    variables: tuple[Variable, ...] = ()
    remarks: tuple[str, ...] = ()
    shipped: bool = False

    def only(self, titles: tuple[str, ...]) -> tuple[Panel, ...]:
        """Return the panels of these titles, in that order; those that are not there are left out."""
        return tuple(panel for title in titles for panel in self.panels if panel.title == title)
