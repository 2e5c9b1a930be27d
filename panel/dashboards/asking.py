"""Asks Prometheus what the panels of a dashboard show: every question once, several at a time. Draws nothing."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import MappingProxyType

from panel.dashboards.answers import MOST_LINES, Answer, BoardAnswer, Line
from panel.dashboards.board import VALUE, Board, Panel, Variable
from panel.timeline.dots import slowest
from panel.timeline.range import Grid, TimeRange
from panel.timeline.story import Dot
from stack.clients.prometheus import PrometheusClient
from stack.clients.series import Labels
from stack.dashboards.board import Query, QueryFormat
from stack.dashboards.board import Variable as Choice
from stack.dashboards.board import VariableKind as ChoiceKind
from stack.dashboards.errors import DashboardError
from stack.dashboards.variables import View, filled, legend
from stack.errors import QueryRefused
from stack.pace import Pace

AT_ONCE = 4
"""So many questions stand open at a time: a dashboard is there soon, and Prometheus has room for its rules."""


@dataclass(frozen=True)
class Glance:
    """What a viewer looks at: the key that those share who see the same. ``titles`` empty means the whole dashboard.

    ``chosen`` holds the variables' values by name; one that is not there stands for all of them.
    """

    board: str
    over: TimeRange
    chosen: tuple[tuple[str, tuple[str, ...]], ...] = ()
    refresh_s: float = 10.0
    titles: tuple[str, ...] = ()


def read_panels(prometheus: PrometheusClient, board: Board, glance: Glance, pace: Pace, now: float) -> BoardAnswer:
    """Return the answers to every panel that ``glance`` takes in, as of ``now``. Raises ``SourceError``.

    A query that Prometheus refuses has its reason in its answer; the other panels are there all the same.
    """
    grid = glance.over.grid(pace, now)
    view = View(grid.end - grid.start, grid.step_s, pace.interval_s, chosen=dict(glance.chosen))
    panels = board.only(glance.titles) if glance.titles else board.panels
    asker = _Asker(prometheus, tuple(map(_choice, board.variables)), view, grid)
    questions = [(panel, query) for panel in panels if not panel.problem for query in panel.queries]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(lambda question: asker.ask(*question), questions))
    found: dict[int, list[Answer]] = {}
    for (panel, _), answer in zip(questions, answers, strict=True):
        found.setdefault(panel.id, []).append(answer)
    return BoardAnswer(grid, MappingProxyType({panel_id: tuple(each) for panel_id, each in found.items()}))


def read_choices(prometheus: PrometheusClient, expr: str, label: str) -> tuple[str, ...]:
    """Return what there is to choose for a variable: the values of ``label``, sorted. Raises ``SourceError``."""
    return tuple(sorted({value for each in prometheus.query(expr) if (value := each.labels.get(label, ""))}))


@dataclass(frozen=True)
class _Asker:
    prometheus: PrometheusClient
    choices: Sequence[Choice]
    view: View
    grid: Grid

    def ask(self, panel: Panel, query: Query) -> Answer:
        """Return the answer to one query; a refusal is an answer too. Raises ``SourceError`` where nobody answers."""
        try:
            expr = filled(query.expr, self.choices, self.view)
        except DashboardError as problem:
            return Answer(query, query.expr, refused=str(problem))
        try:
            found = self._values(query, expr)
            dots = self._dots(expr) if query.exemplars else ()
        except QueryRefused as problem:
            return Answer(query, expr, refused=problem.reason)
        named = [_line(query, panel, labels, values) for labels, values in found]
        shown = named if query.format is QueryFormat.HEATMAP else sorted(named, key=lambda line: line.name)[:MOST_LINES]
        return Answer(query, expr, tuple(shown), dots, left_out=len(named) - len(shown))

    def _values(self, query: Query, expr: str) -> Iterable[tuple[Labels, tuple[float | None, ...]]]:
        if query.instant:
            samples = self.prometheus.query(expr, self.grid.end)
            return [(each.labels, (None if math.isnan(each.value) else each.value,)) for each in samples]
        series = self.prometheus.query_range(expr, self.grid.start, self.grid.end, self.grid.step_s)
        return [(each.labels, _laid(each.points, self.grid)) for each in series]

    def _dots(self, expr: str) -> tuple[Dot, ...]:
        return slowest(self.prometheus.exemplars(expr, self.grid.start, self.grid.end), self.grid)


def _choice(variable: Variable) -> Choice:
    """Return a variable as the filling-in knows it; one that is not asked for is a choice like any other there."""
    kind = ChoiceKind.DATA_SOURCE if variable.kind == "datasource" else ChoiceKind.QUERY
    return Choice(variable.name, variable.title, kind, multiple=variable.multiple, all_value=variable.all_value)


def _line(query: Query, panel: Panel, labels: Mapping[str, str], values: tuple[float | None, ...]) -> Line:
    """Return a series as the panel shows it: with its name, and its look where that is one of its own."""
    name = _name(query, panel, labels)
    of_table = query.format is QueryFormat.TABLE
    title, look = panel.seen(VALUE if of_table else name, query.ref)
    return Line(name if of_table else title, labels, values, None if look is panel.look else look)


def _name(query: Query, panel: Panel, labels: Mapping[str, str]) -> str:
    """Return what a series is called: by its legend, or by its labels, or, where it has none, as its panel."""
    if query.legend:
        return legend(query.legend, labels).strip() or panel.title
    return legend("", labels) if any(name != "__name__" for name in labels) else labels.get("__name__", panel.title)


def _laid(points: Iterable[tuple[float, float]], grid: Grid) -> tuple[float | None, ...]:
    """Lay points on the grid; NaN, infinity and what is missing become ``None``."""
    values: list[float | None] = [None] * grid.steps
    for at, value in points:
        place = round((at - grid.start) / grid.step_s)
        if 0 <= place < len(values) and math.isfinite(value):
            values[place] = value
    return tuple(values)
