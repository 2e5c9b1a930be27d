"""What Prometheus answered to the panels of a dashboard, laid on one grid of time. Asks nobody, draws nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from panel.dashboards.board import Look, Panel
from panel.timeline.range import Grid
from panel.timeline.story import Dot
from stack.dashboards.board import Query

NO_DATA = "no data"
MOST_LINES = 40
"""More series than this one panel does not draw; how many are left out is said."""


@dataclass(frozen=True)
class Line:
    """One series: ``values[i]`` holds at ``grid.start + i * grid.step_s``; of an instant query there is one value."""

    name: str
    labels: Mapping[str, str]
    values: tuple[float | None, ...]
    own_look: Look | None = None
    """How its values read where that is not as those of its panel do."""

    def look(self, panel: Panel) -> Look:
        """Return how its values read."""
        return self.own_look or panel.look

    @property
    def last(self) -> float | None:
        """The newest moment's value."""
        return self.values[-1] if self.values else None


@dataclass(frozen=True)
class Answer:
    """What one query gave; ``refused`` says why it gave nothing, ``left_out`` how many series more there are."""

    query: Query
    asked: str
    lines: tuple[Line, ...] = ()
    dots: tuple[Dot, ...] = ()
    refused: str = ""
    left_out: int = 0


@dataclass(frozen=True)
class BoardAnswer:
    """Answers by panel's id; ``grid`` is what they lie on."""

    grid: Grid
    panels: Mapping[int, tuple[Answer, ...]]

    def of(self, panel_id: int) -> tuple[Answer, ...]:
        """Return the answers to the queries of one panel."""
        return self.panels.get(panel_id, ())


def lines_of(answers: Iterable[Answer]) -> list[Line]:
    """Return the series of all queries of a panel, in order."""
    return [line for answer in answers for line in answer.lines]


def reduced(values: Sequence[float | None], calc: str) -> float | None:
    """Return one number for a series, as Grafana's reduction ``calc`` makes it; ``None`` where there is none."""
    there = [value for value in values if value is not None and not math.isnan(value)]
    if calc == "last":
        return values[-1] if values else None
    if calc == "count":
        return float(len(there))
    return _CALCS.get(calc, _CALCS["lastNotNull"])(there) if there else None


_CALCS: Mapping[str, Callable[[Sequence[float]], float]] = MappingProxyType(
    {
        "lastNotNull": lambda there: there[-1],
        "first": lambda there: there[0],
        "firstNotNull": lambda there: there[0],
        "mean": lambda there: sum(there) / len(there),
        "max": max,
        "min": min,
        "sum": sum,
        "range": lambda there: max(there) - min(there),
    }
)
CALC_WORDS: Mapping[str, str] = MappingProxyType(
    {"lastNotNull": "now", "last": "now", "firstNotNull": "first", "max": "max", "min": "min", "mean": "mean"}
)
"""What a legend calls a reduction."""
