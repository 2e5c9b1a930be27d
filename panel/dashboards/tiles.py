"""Stats, gauges and bars as HTML with drawn-in SVG: one value each, its colour with a sign and a word beside it.

No plotly: a page of twenty such panels is redrawn every few seconds. Everything given is escaped.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from urllib.parse import quote

from panel.dashboards import colors, units
from panel.dashboards.answers import NO_DATA, Answer, Line, lines_of, reduced
from panel.dashboards.board import Look, Panel

_SIGNS = {"green": "✓", "yellow": "!", "orange": "!", "red": "▲"}
_SPARK = 60
_THIN = 'vector-effect="non-scaling-stroke"'
_ARC_FROM, _ARC_OVER = 205.0, 230.0


def stat(panel: Panel, answers: Sequence[Answer], height_px: int) -> str:
    """Return one big value per series, with a small line of how it came to be where the panel asks for one."""
    lines = lines_of(answers)
    if not lines:
        return box(_nothing(panel.look), height_px)
    tiles = "".join(_stat_tile(panel, line, alone=len(lines) == 1) for line in lines)
    return box(f'<div class="fd-tiles">{tiles}</div>', height_px)


def gauge(panel: Panel, answers: Sequence[Answer], height_px: int) -> str:
    """Return an arc per series, filled up to its value, with the thresholds around it."""
    lines = lines_of(answers)
    if not lines:
        return box(_nothing(panel.look), height_px)
    return box(f'<div class="fd-tiles">{"".join(_gauge_tile(panel, line) for line in lines)}</div>', height_px)


def bars(panel: Panel, answers: Sequence[Answer], height_px: int) -> str:
    """Return one bar per series, as long as its value is large, with the value at its end."""
    told = [(line, reduced(line.values, panel.options.calc)) for line in lines_of(answers)]
    if not told:
        return box(_nothing(panel.look), height_px)
    low = panel.look.lowest if panel.look.lowest is not None else min([0.0, *(value or 0.0 for _, value in told)])
    high = panel.look.highest if panel.look.highest is not None else max([low, *(value or 0.0 for _, value in told)])
    rows = "".join(_bar(line.look(panel), index, line, value, (low, high)) for index, (line, value) in enumerate(told))
    return box(f'<div class="fd-bars">{rows}</div>', height_px, panel.title)


def value_text(look: Look, value: float | None) -> str:
    """Return how a panel writes a value: its text, or the number in its unit, or what stands for nothing."""
    mapped = look.mapped(value)
    if mapped is not None and mapped.text:
        return mapped.text
    if value is None or math.isnan(value):
        return look.nothing or NO_DATA
    return units.text(value, look.unit, look.decimals)


def level_words(look: Look, value: float | None) -> str:
    """Return in words which threshold step a value is in, with its colour's sign; empty where there is one step."""
    at = look.level(value)
    if at is None or len(look.steps) < 2:
        return ""
    sign = sign_of(look.steps[at].color)
    if at == 0:
        return f"{sign} below {units.text(look.steps[1].value, look.unit)}".strip()
    return f"{sign} from {units.text(look.steps[at].value, look.unit)}".strip()


def sign_of(color: str) -> str:
    """Return the sign that stands beside a colour, so that nothing is told by colour alone."""
    return next((sign for name, sign in _SIGNS.items() if name in color), "")


def color_of(look: Look, value: float | None, index: int = 0) -> str:
    """Return the colour of a value as CSS."""
    if look.color_mode.startswith("palette"):
        return colors.series(index)[0]
    if look.color_mode == "fixed" and look.fixed_color:
        return colors.css(look.fixed_color)
    return colors.css(look.color(value))


def _stat_tile(panel: Panel, line: Line, *, alone: bool) -> str:
    look, value = line.look(panel), reduced(line.values, panel.options.calc)
    color, words = color_of(look, value), level_words(look, value)
    mapped = look.mapped(value)
    if mapped is not None and mapped.color:
        words = sign_of(mapped.color)
    style = f"background:{colors.faded(color, 0.28)};border-color:{color}" if panel.options.background else ""
    name = "" if alone and line.name in ("", panel.title) else f"<small>{escape(line.name)}</small>"
    mark = "" if panel.options.plain or not words else f'<span class="fd-level">{_dot(color)}{escape(words)}</span>'
    spark = _spark(line, color) if panel.options.sparkline else ""
    shown = escape(value_text(look, value))
    return f'<div class="fd-tile" style="{style}">{name}<b>{shown}</b>{mark}{spark}</div>'


def _gauge_tile(panel: Panel, line: Line) -> str:
    look, value = line.look(panel), reduced(line.values, panel.options.calc)
    low, high = look.lowest or 0.0, 100.0 if look.highest is None else look.highest
    share = 0.0 if value is None or high <= low else min(1.0, max(0.0, (value - low) / (high - low)))
    color = color_of(look, value)
    rim = ""
    for at, step in enumerate(look.steps):
        begin = 0.0 if math.isinf(step.value) else (step.value - low) / (high - low)
        end = 1.0 if at + 1 == len(look.steps) else (look.steps[at + 1].value - low) / (high - low)
        if (begin := max(0.0, begin)) < (end := min(1.0, end)):
            rim += _arc(56, begin, end, colors.css(step.color), 3)
    filled = _arc(47, 0, share, color, 11) if share > 0 else ""
    drawn = _image("0 0 130 92", f"{_arc(47, 0, 1, 'rgba(128,128,128,.25)', 11)}{filled}{rim}")
    words = level_words(look, value)
    mark = f'<span class="fd-level">{_dot(color)}{escape(words)}</span>' if words else ""
    return (
        f'<div class="fd-tile fd-gauge"><small>{escape(line.name)}</small>{drawn}'
        f"<b>{escape(value_text(look, value))}</b>{mark}</div>"
    )


def _bar(look: Look, index: int, line: Line, value: float | None, span: tuple[float, float]) -> str:
    low, high = span
    share = 0.0 if value is None or high <= low else min(1.0, max(0.0, (value - low) / (high - low)))
    color = color_of(look, value, index)
    sign = "" if look.color_mode.startswith("palette") else sign_of(look.color(value))
    return (
        f'<div class="fd-barrow"><span>{escape(line.name)}</span>'
        f'<div class="fd-bar" aria-hidden="true"><div style="width:{share * 100:.1f}%;background:{color}"></div></div>'
        f"<b>{escape(sign)} {escape(value_text(look, value))}</b></div>"
    )


def _spark(line: Line, color: str) -> str:
    """Return a small line of a series' values; a gap stays a gap."""
    every = max(1, math.ceil(len(line.values) / _SPARK))
    values = [line.values[at] for at in range(len(line.values) - 1, -1, -every)][::-1]
    there = [value for value in values if value is not None]
    if len(there) < 2:
        return '<div class="fd-spark"></div>'
    low, high = min(there), max(there)
    spread = (high - low) or 1.0
    path, pen = [], "M"
    for at, value in enumerate(values):
        if value is None:
            pen = "M"
            continue
        y = 12.0 if high == low else 22 - 20 * (value - low) / spread
        path.append(f"{pen}{at * 100 / (len(values) - 1):.1f} {y:.1f}")
        pen = "L"
    drawn = f'<path d="{" ".join(path)}" fill="none" stroke="{color}" stroke-width="1.6" {_THIN}/>'
    return _image("0 0 100 24", drawn, 'class="fd-spark"', 'preserveAspectRatio="none"')


def _image(box: str, drawn: str, attributes: str = "", more: str = "") -> str:
    """Return a drawing as an image: SVG within a page's HTML is taken out of it before it is shown."""
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}" {more}>{drawn}</svg>'
    return f'<img {attributes} alt="" src="data:image/svg+xml,{quote(svg)}">'


def _arc(radius: float, begin: float, end: float, color: str, width: int) -> str:
    """Return a piece of a gauge's arc, from one share of it to another."""
    first, last = (math.radians(_ARC_FROM - _ARC_OVER * share) for share in (begin, end))
    points = [(65 + radius * math.cos(angle), 63 - radius * math.sin(angle)) for angle in (first, last)]
    large = 1 if (end - begin) * _ARC_OVER > 180 else 0
    (x0, y0), (x1, y1) = points
    return (
        f'<path d="M{x0:.1f} {y0:.1f}A{radius} {radius} 0 {large} 1 {x1:.1f} {y1:.1f}" fill="none" '
        f'stroke="{color}" stroke-width="{width}"/>'
    )


def _dot(color: str) -> str:
    return f'<i style="background:{color}"></i>'


def _nothing(look: Look) -> str:
    return f'<div class="fd-nothing">{escape(look.nothing or NO_DATA)}</div>'


def box(inner: str, height_px: int, scrolls: str = "") -> str:
    """Return a box of that height; one that ``scrolls`` is called so and reached by the keyboard, another grows."""
    named = f' tabindex="0" role="group" aria-label="{escape(scrolls)}"' if scrolls else ""
    height = "height" if scrolls else "min-height"
    return f'<div class="fd-panel" style="{height}:{height_px / 16:.2f}rem"{named}>{inner}</div>'
