"""What a dashboard shows, as plain values. Nothing here knows JSON, Prometheus or a way to draw."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise

COLUMNS = 24
"""Width of Grafana's grid."""
NO_LOWER_BOUND = -math.inf


class PanelKind(StrEnum):
    """The ways to draw that the dashboards use, by Grafana's names."""

    TIME_SERIES = "timeseries"
    STAT = "stat"
    GAUGE = "gauge"
    PIE = "piechart"
    BARS = "bargauge"
    HEATMAP = "heatmap"
    TABLE = "table"


class QueryFormat(StrEnum):
    """What a query's answer is made into; a heatmap is made of cumulative buckets, one series for each ``le``."""

    TIME_SERIES = "time_series"
    TABLE = "table"
    HEATMAP = "heatmap"


class VariableKind(StrEnum):
    """Where a variable's values come from."""

    DATA_SOURCE = "datasource"
    QUERY = "query"


@dataclass(frozen=True)
class Place:
    """Where a panel stands on the grid of 24 columns; ``height`` and ``y`` count rows of some 30 pixels."""

    x: int
    y: int
    width: int
    height: int

    def overlaps(self, other: Place) -> bool:
        """Return whether the two share a cell."""
        beside = self.x + self.width <= other.x or other.x + other.width <= self.x
        below = self.y + self.height <= other.y or other.y + other.height <= self.y
        return not (beside or below)


@dataclass(frozen=True)
class Step:
    """From ``value`` upwards the colour is ``color``; the first step begins at ``NO_LOWER_BOUND``."""

    value: float
    color: str


@dataclass(frozen=True)
class Text:
    """How one value reads where a number would say little, such as 1 for "up"."""

    value: float
    text: str
    color: str


@dataclass(frozen=True)
class Look:
    """How values read. ``unit`` is Grafana's id of it; ``stacked`` is ``none``, ``normal`` or ``percent``.

    ``nothing`` is what stands there where there is no value.
    """

    unit: str = "short"
    decimals: int | None = None
    lowest: float | None = None
    highest: float | None = None
    steps: tuple[Step, ...] = ()
    texts: tuple[Text, ...] = ()
    stacked: str = "none"
    nothing: str = ""

    def color(self, value: float) -> str | None:
        """Return the colour of ``value``: of its text, else of its threshold; ``None`` where there is neither."""
        named = next((text.color for text in self.texts if text.value == value), None)
        if named is not None or math.isnan(value):
            return named
        return next((step.color for step in reversed(self.steps) if value >= step.value), None)


@dataclass(frozen=True)
class Query:
    """One question to Prometheus, variables and all.

    ``instant`` asks for the end of the time range alone. ``legend`` is a template with ``{{label}}`` in it.
    """

    ref: str
    expr: str
    legend: str = ""
    instant: bool = False
    format: QueryFormat = QueryFormat.TIME_SERIES
    exemplars: bool = False


@dataclass(frozen=True)
class Panel:
    """One panel.

    ``columns`` of a table are what it shows, labels and ``Value``, each with its heading, in order; what is ``hidden``
    it leaves out.
    """

    id: int
    title: str
    description: str
    kind: PanelKind
    place: Place
    look: Look
    queries: tuple[Query, ...]
    columns: Mapping[str, str] = field(default_factory=dict)
    hidden: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Variable:
    """A choice at the top of a dashboard; of a query, the values of ``label`` among the series of ``selector``.

    ``all_value`` is what stands for all values at once, ``None`` where they cannot be chosen together.
    """

    name: str
    title: str
    kind: VariableKind
    selector: str = ""
    label: str = ""
    multiple: bool = False
    all_value: str | None = None

    @property
    def expr(self) -> str:
        """The query whose series carry the values in the label."""
        return f"group by ({self.label}) ({self.selector})"


@dataclass(frozen=True)
class Mark:
    """Stretches of time that are marked in every time series: where ``expr`` has a value, titled by its labels."""

    name: str
    expr: str
    title: str
    color: str


@dataclass(frozen=True)
class Dashboard:
    """One dashboard. ``window_s`` is the time range that it opens with, ending now."""

    uid: str
    title: str
    description: str
    tags: tuple[str, ...]
    refresh_s: float
    window_s: float
    panels: tuple[Panel, ...]
    variables: tuple[Variable, ...]
    marks: tuple[Mark, ...]

    def overlapping(self) -> Iterator[tuple[Panel, Panel]]:
        """Yield the pairs of panels that stand on one another."""
        for index, panel in enumerate(self.panels):
            yield from ((panel, other) for other in self.panels[index + 1 :] if panel.place.overlaps(other.place))

    def questions(self) -> Iterator[Question]:
        """Yield every query of every panel, in the order of the panels."""
        for panel in self.panels:
            yield from (Question(self, panel, query) for query in panel.queries)


@dataclass(frozen=True)
class Question:
    """A query, with the panel and the dashboard that it belongs to."""

    dashboard: Dashboard
    panel: Panel
    query: Query

    def __str__(self) -> str:
        return f"{self.dashboard.title} / {self.panel.title} / {self.query.ref}"


def ascending(steps: tuple[Step, ...]) -> bool:
    """Return whether the steps begin without a lower bound and then rise."""
    return not steps or (
        steps[0].value == NO_LOWER_BOUND and all(low.value < high.value for low, high in pairwise(steps))
    )
