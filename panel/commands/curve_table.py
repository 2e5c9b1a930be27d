"""How detection curves look in a terminal: for each alert a line for each intensity, and from where on it fires."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from faults.drills.check import curve_words as words
from faults.drills.check.curve import Curve, Curves


def draw_curves(curves: Curves) -> Group:
    """Draw all curves for a terminal of 80 columns."""
    parts: list[RenderableType] = [Text(words.title(curves), "bold"), Text(words.about(curves), "dim")]
    for curve in curves.curves:
        parts += [Text(), Text(curve.alert, "bold"), _points(curve, curves)]
        parts += [Text(f"note: {note}", "yellow") for note in curve.notes]
        parts.append(Text(words.threshold(curve, curves), "green" if curve.fires_from is not None else "yellow"))
    parts += [Text(f"note: {note}", "dim") for note in curves.notes]
    return Group(*parts)


def _points(curve: Curve, curves: Curves) -> Table:
    table = Table(curves.parameter, "fired", "fault to firing", "its end to resolved", box=None, padding=(0, 2, 0, 0))
    table.header_style = "dim"
    for column in table.columns:
        column.justify = "right"
        column.no_wrap = True
    for point in curve.points:
        style = "" if point.fired == point.tries else "yellow" if point.fired else "dim"
        table.add_row(
            words.intensity(point.intensity, curves),
            words.fired(point),
            words.span(point.detection_s),
            words.reset(point),
            style=style,
        )
    return table
