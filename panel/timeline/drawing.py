"""Draws a story into any chart with an axis of time: a band for every fault, a line and a sign for every stage.

It changes the description of a figure (plotly's layout) and nothing else. No Streamlit, no queries.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape

from faults.drills.report.signs import SIGNS, band_color
from panel import formats
from panel.queries import Band
from panel.timeline.story import Mark, MarkStage, Story

__all__ = ["SIGNS", "dressed"]

Layout = dict[str, object]
"""A figure's layout, or a piece of it, as plotly describes it."""

LINE_PX = 17
BAND_LINES = 2
"""So many lines above a chart are always kept for the names of faults; further kinds make it higher."""
MARK_LINES = 2
"""So many lines are always kept for the stages of alerts; what finds no room there stands as a sign alone."""
_WORD = 0.17
"""The width of a stage's word, as a share of a chart."""
_SIGN = 0.022
_INSIDE = 0.01
"""So far within the axis, as a share of it, a name stands at least: what is a moment outside of it is not drawn."""
META = "firedrill"
"""Under this name of the figure's ``meta`` stands what its picture's caption says."""


def dressed(
    layout: Mapping[str, object],
    story: Story | None,
    *,
    words: bool = True,
    stages: bool = True,
    lift_px: int = 0,
) -> Layout:
    """Return ``layout`` with the bands and marks of ``story``, over the whole height of all its rows.

    The x axis must be one of dates (``formats.wall``). With ``words`` the chart becomes higher by constant room
    for names and stages above it; without, in small charts, there are bands and signs only. Without ``stages`` there
    are bands only, for charts that show the stages themselves. ``lift_px`` is what stands above the chart already.
    """
    told = story or Story(0.0, 0.0)
    rows = MARK_LINES if stages else 0
    shapes, names = band_shapes(told, lift_px + LINE_PX * rows, words=words)
    lines, signs = mark_shapes(told, lift_px, words=words) if stages else ([], [])
    done: Layout = dict(layout)
    done["shapes"] = [*_list(layout, "shapes"), *shapes, *lines]
    done["annotations"] = [*_list(layout, "annotations"), *names, *signs]
    done["meta"] = {**_mapping(layout, "meta"), META: {"faults": [_spoken(band) for band in told.bands]}}
    if words:
        above = LINE_PX * (rows + max(BAND_LINES, len({band.kind for band in told.bands})))
        margin = dict(_mapping(layout, "margin"))
        margin["t"] = _number(margin.get("t"), 8) + above
        done["margin"] = margin
        done["height"] = _number(layout.get("height"), 240) + above
    return done


def band_shapes(story: Story, lift_px: int, *, words: bool = True) -> tuple[list[Layout], list[Layout]]:
    """Return a translucent shape over the whole height for every stretch, and one label per kind, at its latest.

    Labels of different kinds stand at different heights, and those at the edges stay inside.
    """
    kinds = sorted({band.kind for band in story.bands})
    shapes: list[Layout] = []
    labels: dict[str, Layout] = {}
    for band in sorted(story.bands, key=lambda one: -one.end):
        shapes.append(
            {
                "type": "rect",
                "xref": "x",
                "yref": "paper",
                "x0": formats.wall(band.start),
                "x1": formats.wall(band.end),
                "y0": 0,
                "y1": 1,
                "fillcolor": band_color(band.kind),
                "opacity": 0.22,
                "line": {"width": 0},
                "layer": "below",
            }
        )
        if words and band.kind not in labels:
            lift = lift_px + LINE_PX * kinds.index(band.kind)
            labels[band.kind] = _note(f"<b>{escape(band.kind)}</b>", _placed(band, story.start, story.end), lift)
    return shapes, list(labels.values())


def mark_shapes(story: Story, lift_px: int, *, words: bool = True) -> tuple[list[Layout], list[Layout]]:
    """Return a line for every mark, and a sign above it; those of one stage that nearly meet share a sign.

    A sign has a word where there is room for one; which alerts it speaks of, and when, is said under the pointer.
    """
    length = max(story.end - story.start, 1e-9)
    lines = [
        {
            "type": "line",
            "xref": "x",
            "yref": "paper",
            "x0": formats.wall(mark.at),
            "x1": formats.wall(mark.at),
            "y0": 0,
            "y1": 1,
            "line": {"width": 1.2, "color": SIGNS[mark.stage].color, "dash": SIGNS[mark.stage].dash},
            "layer": "below",
        }
        for mark in story.marks
    ]
    free = [story.start - length] * MARK_LINES
    signs: list[Layout] = []
    for group in _grouped(story.marks, _SIGN * length):
        sign, at = SIGNS[group[0].stage], group[0].at
        said = "<br>".join(f"{escape(mark.alert)} {sign.word} at {formats.clock(mark.at)}" for mark in group)
        symbol = f'<span style="color:{sign.color}">{sign.symbol}</span>'
        fits = at + _WORD * length <= story.end
        begins = at if fits else at - _WORD * length
        line = next((row for row, until in enumerate(free) if until <= begins), None)
        more = f" {len(group)}" if len(group) > 1 else ""
        if words and line is not None:
            free[line] = begins + _WORD * length
            place = (at, "left" if fits else "right")
            text, lift = f"{symbol} {sign.word}{more}", lift_px + LINE_PX * line
        else:
            text, place, lift = symbol, (at, "center"), lift_px - LINE_PX if words else lift_px
        signs.append(_note(text, place, lift, said=said))
    return lines, signs


def _grouped(marks: Iterable[Mark], near_s: float) -> list[list[Mark]]:
    """Return the marks by stage and nearness, in the order of their first ones."""
    groups: list[list[Mark]] = []
    last: dict[MarkStage, list[Mark]] = {}
    for mark in sorted(marks, key=lambda one: one.at):
        group = last.get(mark.stage)
        if group is not None and mark.at - group[0].at <= near_s:
            group.append(mark)
        else:
            last[mark.stage] = [mark]
            groups.append(last[mark.stage])
    return groups


def _placed(band: Band, start: float, end: float) -> tuple[float, str]:
    """Return where the label of ``band`` stands and how it is anchored, so that it stays inside."""
    at, edge = (band.start + band.end) / 2, 0.1 * (end - start)
    if at > end - edge:
        return min(band.end, end - _INSIDE * (end - start)), "right"
    if at < start + edge:
        return band.start, "left"
    return at, "center"


def _spoken(band: Band) -> list[str]:
    return [band.kind, formats.wall(band.start).isoformat(), formats.wall(band.end).isoformat()]


def _note(text: str, at: tuple[float, str], lift_px: int, *, said: str = "") -> Layout:
    note: Layout = {
        "text": text,
        "x": formats.wall(at[0]),
        "y": 1,
        "xref": "x",
        "yref": "paper",
        "xanchor": at[1],
        "yanchor": "bottom",
        "yshift": 2 + lift_px,
        "font": {"size": 14},
        "showarrow": False,
    }
    return note | ({"hovertext": said, "captureevents": True} if said else {})


def _list(layout: Mapping[str, object], name: str) -> list[object]:
    found = layout.get(name)
    return list(found) if isinstance(found, list | tuple) else []


def _mapping(layout: Mapping[str, object], name: str) -> Mapping[str, object]:
    found = layout.get(name)
    return found if isinstance(found, Mapping) else {}


def _number(value: object, default: int) -> int:
    return int(value) if isinstance(value, int | float) else default
