"""Panels' places on Grafana's grid of 24 columns as rows and columns within each other, which a page can lay out.

On a narrow screen the columns stand below each other, in the order in which the rows are read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from panel.dashboards.board import Panel
from stack.dashboards.board import COLUMNS

ROW_PX = 30
GAP_PX = 8


@dataclass(frozen=True)
class Column:
    """Panels and rows below each other, ``width`` grid columns wide; ``content`` empty is a gap."""

    width: int
    content: tuple[Panel | Row, ...] = ()


@dataclass(frozen=True)
class Row:
    """Columns beside each other."""

    columns: tuple[Column, ...]


def laid_out(panels: Sequence[Panel], left: int = 0, right: int = COLUMNS) -> tuple[Panel | Row, ...]:
    """Return ``panels`` between two grid columns as panels and rows below each other."""
    content: list[Panel | Row] = []
    for group in _split(panels, lambda panel: (panel.place.y, panel.place.y + panel.place.height)):
        content.extend(_row(group, left, right))
    return tuple(content)


def height_px(panel: Panel) -> int:
    """Return how high Grafana would make a panel, in CSS pixels."""
    return panel.place.height * ROW_PX + (panel.place.height - 1) * GAP_PX


def _row(group: Sequence[Panel], left: int, right: int) -> list[Panel | Row]:
    beside = _split(group, lambda panel: (panel.place.x, panel.place.x + panel.place.width))
    if len(beside) == 1:
        if len(group) == 1 and _fills(group[0], left, right):
            return list(group)
        if len(group) > 1:  # interlocked: no line runs through from top to bottom, nor from left to right
            return [*_in_order(group)]
    columns: list[Column] = []
    at = left
    for panels in beside:
        begin = min(panel.place.x for panel in panels)
        end = max(panel.place.x + panel.place.width for panel in panels)
        if begin > at:
            columns.append(Column(begin - at))
        inner = (panels[0],) if len(panels) == 1 else laid_out(panels, begin, end)
        columns.append(Column(end - begin, tuple(inner)))
        at = end
    if at < right:
        columns.append(Column(right - at))
    return [Row(tuple(columns))]


def _in_order(panels: Sequence[Panel]) -> list[Panel]:
    return sorted(panels, key=lambda panel: (panel.place.y, panel.place.x))


def _fills(panel: Panel, left: int, right: int) -> bool:
    return panel.place.x <= left and panel.place.x + panel.place.width >= right


def _split(panels: Sequence[Panel], extent: Callable[[Panel], tuple[int, int]]) -> list[list[Panel]]:
    """Return the panels in groups whose extents do not touch, in order."""
    groups: list[list[Panel]] = []
    reach = -1
    for panel in sorted(panels, key=extent):
        begin, end = extent(panel)
        if groups and begin < reach:
            groups[-1].append(panel)
        else:
            groups.append([panel])
        reach = max(reach, end)
    return groups
