"""Paints a picture of a run as SVG for the inside of an HTML page, whose style sheet gives it its colours.

No script, no address of anything outside, and every text escaped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import cast

from faults.drills.report import amounts
from faults.drills.report.signs import SIGNS, MarkStage, band_number
from faults.drills.report.timeline import Lane, Plot, Scene, spread_out

WIDTH = 1000.0
LEFT, RIGHT = 172.0, 14.0
TOP, AXIS = 8.0, 34.0
FAULT_LANE, ALERT_LANE, PLOT = 26.0, 58.0, 128.0
FLAG = 17.0
SIGNS_HIGH = 18.0
_CURVES = 6
_LONGEST_TITLE = 24


@dataclass(frozen=True)
class _Across:
    """From seconds to the picture's own units."""

    start: float
    end: float

    def __call__(self, at: float) -> float:
        share = (at - self.start) / (self.end - self.start)
        return LEFT + min(max(share, 0.0), 1.0) * (WIDTH - LEFT - RIGHT)


def svg(scene: Scene) -> str:
    """Return the picture as one ``<svg>`` element; empty where there is nothing to show."""
    if not (scene.faults or scene.alerts or scene.plots):
        return ""
    across = _Across(scene.start, scene.end)
    body: list[str] = []
    top = TOP
    for lane in scene.faults:
        body.extend(_fault_lane(lane, across, top))
        top += FAULT_LANE
    for lane in scene.alerts:
        body.extend(_alert_lane(lane, across, top))
        top += ALERT_LANE
    if scene.plots and scene.signs:
        body.extend(_signs(scene, across, top))
        top += SIGNS_HIGH
    for plot in scene.plots:
        body.extend(_plot(plot, across, top))
        top += PLOT
    behind = _behind(scene, across, top)
    axis = _axis(scene, across, top)
    height = top + AXIS
    head = f'<svg class="picture" viewBox="0 0 {WIDTH:.0f} {height:.0f}" role="img" aria-label="{escape(scene.title)}">'
    return "\n".join([head, f"<title>{escape(scene.title)}</title>", *behind, *body, *axis, "</svg>"])


def _behind(scene: Scene, across: _Across, bottom: float) -> Iterator[str]:
    for tick in scene.ticks:
        yield _line("grid", across(tick), TOP, across(tick), bottom)
    for bar in scene.bands:
        x, width = across(bar.start), max(across(bar.end) - across(bar.start), 1.0)
        hint = escape(f"{bar.label}: {bar.start:.1f} s to {bar.end:.1f} s")
        yield (
            f'<rect class="band k{band_number(bar.label)}" x="{x:.1f}" y="{TOP}" width="{width:.1f}" '
            f'height="{bottom - TOP:.1f}"><title>{hint}</title></rect>'
        )


def _axis(scene: Scene, across: _Across, top: float) -> Iterator[str]:
    yield _line("axis", LEFT, top, WIDTH - RIGHT, top)
    for tick in scene.ticks:
        yield _text("tick", across(tick), top + 14, f"{tick:g}", anchor="middle")
    yield _text("tick", (LEFT + WIDTH - RIGHT) / 2, top + 29, "seconds since the fault", anchor="middle")


def _fault_lane(lane: Lane, across: _Across, top: float) -> Iterator[str]:
    yield _title(lane.title, top + 17)
    for bar in lane.bars:
        x, width = across(bar.start), max(across(bar.end) - across(bar.start), 1.5)
        if bar.kind == "ramp":
            points = f"{x:.1f},{top + 4} {x + width:.1f},{top + 4} {x:.1f},{top + 22}"
            yield f'<polygon class="ramp" points="{points}"><title>its share of calls rises</title></polygon>'
            continue
        hint, shade = escape(f"{lane.title}: {bar.start:.1f} s to {bar.end:.1f} s"), f"k{band_number(lane.title)}"
        yield (
            f'<rect class="fault {shade}" x="{x:.1f}" y="{top + 4}" width="{width:.1f}" height="18" rx="2">'
            f"<title>{hint}</title></rect>"
        )


def _signs(scene: Scene, across: _Across, top: float) -> Iterator[str]:
    """Draw a line across the curves for each stage, and its symbol above; those too near to the last have none."""
    bottom = top + SIGNS_HIGH + PLOT * len(scene.plots)
    until = 0.0
    for mark in scene.signs:
        sign, x = SIGNS[cast("MarkStage", mark.stage)], across(mark.at)
        hint = escape(f"{sign.word}: {mark.at:.1f} s")
        yield f'<g class="sign {mark.stage}"><title>{hint}</title>' + _line("at", x, top + 15, x, bottom)
        if x >= until:
            yield _text("symbol", x, top + 12, sign.symbol, anchor="middle")
            until = x + 13
        yield "</g>"


def _alert_lane(lane: Lane, across: _Across, top: float) -> Iterator[str]:
    base = top + 32
    yield _title(lane.title, base + 13)
    yield _line("lane", LEFT, base + 9, WIDTH - RIGHT, base + 9)
    for bar in lane.bars:
        x, width = across(bar.start), max(across(bar.end) - across(bar.start), 1.5)
        hint = escape(f"{bar.kind}: {bar.start:.1f} s to {bar.end:.1f} s")
        yield (
            f'<rect class="{bar.kind}" x="{x:.1f}" y="{base}" width="{width:.1f}" height="18" rx="2">'
            f"<title>{hint}</title></rect>"
        )
        if width > 52:
            yield _text(f"in-{bar.kind}", x + 5, base + 13, bar.kind)
    places = [across(mark.at) for mark in lane.marks]
    flags = spread_out(places, FLAG, LEFT + FLAG / 2, WIDTH - RIGHT - FLAG / 2)
    for mark, place, flag in zip(lane.marks, places, flags, strict=True):
        hint = escape(f"{mark.number} {mark.stage.replace('_', ' ')}: {mark.at:.1f} s")
        yield (
            f'<g class="mark"><title>{hint}</title><path d="M{flag:.1f} {top + 19} L{place:.1f} {base} V{base + 18}"/>'
            f'<circle cx="{flag:.1f}" cy="{top + 11}" r="7.5"/>'
            f'<text x="{flag:.1f}" y="{top + 14.6:.1f}" text-anchor="middle">{mark.number}</text></g>'
        )


def _plot(plot: Plot, across: _Across, top: float) -> Iterator[str]:
    upper, lower = top + 26, top + PLOT - 10
    low, high = plot.ticks[0], plot.ticks[-1]

    def up(value: float) -> float:
        return lower - (min(max(value, low), high) - low) / (high - low) * (lower - upper)

    yield _text("plot-title", LEFT, top + 17, _heading(plot))
    for tick in plot.ticks:
        yield _line("grid", LEFT, up(tick), WIDTH - RIGHT, up(tick))
        yield _text("tick", LEFT - 6, up(tick) + 4, amounts.quantity(tick, plot.unit), anchor="end")
    if plot.limit is not None:
        yield _line("limit", LEFT, up(plot.limit), WIDTH - RIGHT, up(plot.limit))
    for index, curve in enumerate(plot.curves):
        shade = f"curve c{index % _CURVES}"
        hint = f"<title>{escape(curve.name)}</title>" if curve.name else ""
        for piece in curve.pieces:
            if len(piece) == 1:
                (at, value) = piece[0]
                yield f'<circle class="{shade} dot" cx="{across(at):.1f}" cy="{up(value):.1f}" r="1.6">{hint}</circle>'
                continue
            points = " ".join(f"{across(at):.1f},{up(value):.1f}" for at, value in piece)
            yield f'<polyline class="{shade}" points="{points}">{hint}</polyline>'
    if not any(curve.pieces for curve in plot.curves):
        yield _text("tick", (LEFT + WIDTH - RIGHT) / 2, (upper + lower) / 2, "no value in this time", anchor="middle")


def _heading(plot: Plot) -> str:
    limit = (
        "" if plot.limit is None else f"   limit: {plot.operator} {amounts.quantity(plot.limit, plot.unit)} (dashed)"
    )
    several = f"   {len(plot.curves)} series" if len(plot.curves) > 1 else ""
    return f"{plot.title}{limit}{several}"


def _title(text: str, y: float) -> str:
    shown = text if len(text) <= _LONGEST_TITLE else f"{text[: _LONGEST_TITLE - 1]}…"
    hint = f"<title>{escape(text)}</title>" if shown != text else ""
    return f'<text class="lane-title" x="{LEFT - 8}" y="{y:.1f}" text-anchor="end">{escape(shown)}{hint}</text>'


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(kind: str, x: float, y: float, text: str, *, anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
