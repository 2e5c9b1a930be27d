"""The pictures of a run as PNG and SVG files, painted by matplotlib without a screen or a browser.

The same evidence gives the same bytes with the same matplotlib. It is loaded on first use only.
"""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Literal, cast

from faults.drills.evidence import Evidence
from faults.drills.report import amounts
from faults.drills.report.signs import SIGNS, MarkStage, band_color
from faults.drills.report.timeline import Bar, Lane, Plot, Scene, alarm_scene, service_scene, spread_out
from faults.drills.wire import STAGES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Format = Literal["png", "svg"]
BLUE, GREEN, PURPLE, SKY, OLIVE, SLATE = "#0072b2", "#009e73", "#a8457f", "#56b4e9", "#7a6a00", "#55606a"
CURVES = (BLUE, GREEN, PURPLE, SKY, OLIVE, SLATE)
FAULT, PENDING, FIRING, INK, SOFT, RULE = "#d55e00", "#e69f00", "#b3380b", "#1c2328", "#5b6870", "#dde3e7"
DPI = 144
_WIDTH_IN, _HEAD_IN, _AXIS_IN, _STAGES_IN = 10.0, 0.4, 0.5, 0.2
_LANE_IN, _ALERT_IN, _PLOT_IN, _TITLE_IN = 0.3, 0.68, 1.5, 0.36
_DASHES = {"solid": "solid", "dot": "dotted", "dash": "dashed", "dashdot": "dashdot"}
_LEFT, _RIGHT = 0.17, 0.985


def pictures(evidence: Evidence, kind: Format) -> dict[str, bytes]:
    """Return the pictures of a run by name: ``alarm`` (faults, rules, stages) and ``service`` (effects, signals)."""
    scenes = {"alarm": alarm_scene(evidence), "service": service_scene(evidence)}
    if not scenes["service"].plots:
        del scenes["service"]
    return {name: _painted(scene, kind) for name, scene in scenes.items()}


def _painted(scene: Scene, kind: Format) -> bytes:
    import matplotlib as mpl  # noqa: PLC0415 - heavy, and few commands paint
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    with (
        warnings.catch_warnings(),
        mpl.rc_context(
            {
                "font.family": "DejaVu Sans",
                "font.size": 8.5,
                "svg.hashsalt": "firedrill",
                "svg.fonttype": "none",
                "hatch.linewidth": 1.6,
                "text.usetex": False,
                "text.parse_math": False,
                "axes.edgecolor": SOFT,
                "text.color": INK,
            }
        ),
    ):
        warnings.simplefilter("ignore", UserWarning)  # a character that the font lacks is drawn as a box
        figure = Figure(dpi=DPI, facecolor="white")
        FigureCanvasAgg(figure)
        _paint(figure, scene)
        stream = io.BytesIO()
        metadata = (
            {"Software": None, "Title": amounts.printable(scene.title)}
            if kind == "png"
            else {"Date": None, "Creator": None}
        )
        figure.savefig(stream, format=kind, metadata=metadata)
        return stream.getvalue()


def _paint(figure: Figure, scene: Scene) -> None:
    rows = [_LANE_IN] * len(scene.faults) + [_ALERT_IN] * len(scene.alerts) + [_PLOT_IN] * len(scene.plots)
    rows = rows or [_LANE_IN]
    stages = _STAGES_IN if scene.alerts else 0.0
    total = _HEAD_IN + sum(rows) + _AXIS_IN + stages
    figure.set_size_inches(_WIDTH_IN, total)
    figure.suptitle(
        amounts.printable(scene.title), x=0.012, y=1 - 0.1 / total, ha="left", va="top", fontsize=10, fontweight="bold"
    )
    axes, top = [], total - _HEAD_IN
    for height in rows:
        gap = _TITLE_IN if height == _PLOT_IN else 0.03
        box = (_LEFT, (top - height + 0.03) / total, _RIGHT - _LEFT, (height - gap - 0.03) / total)
        axes.append(figure.add_axes(box))
        top -= height
    for row, ax in enumerate(axes):
        _frame(ax, scene, is_last=row == len(axes) - 1)
    ahead = iter(axes)
    for lane in scene.faults:
        _fault_lane(next(ahead), lane)
    for lane in scene.alerts:
        _alert_lane(next(ahead), lane, scene)
    for plot in scene.plots:
        _plot(next(ahead), plot, scene)
    if scene.alerts:
        named = (f"{number} {stage.replace('_', ' ')}" for number, stage in enumerate(STAGES, 1))
        figure.text(_LEFT, 0.1 / total, "   ".join(named), fontsize=7.5, color=SOFT, va="bottom")


def _frame(ax: Axes, scene: Scene, *, is_last: bool) -> None:
    ax.set_xlim(scene.start, scene.end)
    ax.set_xticks(scene.ticks, [f"{tick:g}" for tick in scene.ticks] if is_last else [""] * len(scene.ticks))
    ax.tick_params(length=0, colors=SOFT)
    ax.grid(axis="x", color=RULE, linewidth=0.6)
    ax.set_axisbelow(True)
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)
    ax.spines["bottom"].set_visible(is_last)
    for bar in scene.bands:
        ax.axvspan(bar.start, bar.end, color=band_color(bar.label), alpha=0.16, linewidth=0)
    if is_last:
        ax.set_xlabel("seconds since the fault", color=SOFT)


def _fault_lane(ax: Axes, lane: Lane) -> None:
    ax.set_ylim(0, 1)
    ax.set_yticks([0.5], [_name(lane.title)])
    ax.tick_params(axis="y", labelcolor=INK)
    for bar in lane.bars:
        if bar.kind == "ramp":
            ax.fill([bar.start, bar.end, bar.start], [0.9, 0.9, 0.1], color="white", alpha=0.55, linewidth=0)
        else:
            ax.broken_barh([(bar.start, bar.end - bar.start)], (0.1, 0.8), color=band_color(lane.title), linewidth=0)


def _alert_lane(ax: Axes, lane: Lane, scene: Scene) -> None:
    ax.set_ylim(0, 1)
    ax.set_yticks([0.22], [_name(lane.title)])
    ax.tick_params(axis="y", labelcolor=INK)
    ax.axhline(0.22, color=SOFT, linewidth=0.6)
    for bar in lane.bars:
        _state(ax, bar, scene)
    width = scene.end - scene.start
    flags = spread_out(
        [one.at for one in lane.marks], width * 0.021, scene.start + width * 0.01, scene.end - width * 0.01
    )
    for mark, flag in zip(lane.marks, flags, strict=True):
        ax.plot([flag, mark.at, mark.at], [0.68, 0.42, 0.04], color=INK, linewidth=0.7)
        ring = {"boxstyle": "circle,pad=0.22", "facecolor": "white", "edgecolor": INK, "linewidth": 0.7}
        ax.text(flag, 0.82, str(mark.number), ha="center", va="center", fontsize=7, fontweight="bold", bbox=ring)


def _state(ax: Axes, bar: Bar, scene: Scene) -> None:
    span = [(bar.start, bar.end - bar.start)]
    if bar.kind == "pending":
        ax.broken_barh(span, (0.04, 0.36), facecolor="white", edgecolor=PENDING, hatch="////", linewidth=0.8)
    else:
        ax.broken_barh(span, (0.04, 0.36), facecolor=FIRING, linewidth=0)
    if bar.end - bar.start > 0.08 * (scene.end - scene.start):
        ink, back = (
            (INK, {"facecolor": "white", "edgecolor": "none", "pad": 0.6}) if bar.kind == "pending" else ("white", None)
        )
        offset = 0.005 * (scene.end - scene.start)
        ax.text(bar.start + offset, 0.21, bar.kind, color=ink, fontsize=7.5, va="center", fontweight="bold", bbox=back)


def _plot(ax: Axes, plot: Plot, scene: Scene) -> None:
    for each in scene.signs:
        sign = SIGNS[cast("MarkStage", each.stage)]
        ax.axvline(each.at, color=sign.color, linewidth=0.9, linestyle=_DASHES[sign.dash])
    ax.set_ylim(plot.ticks[0], plot.ticks[-1])
    ax.set_yticks(plot.ticks, [amounts.quantity(tick, plot.unit) for tick in plot.ticks])
    ax.grid(axis="y", color=RULE, linewidth=0.6)
    limit = ""
    if plot.limit is not None:
        ax.axhline(plot.limit, color=FIRING, linewidth=1.0, linestyle=(0, (5, 3)))
        limit = f"   limit: {plot.operator} {amounts.quantity(plot.limit, plot.unit)} (dashed)"
    ax.set_title(amounts.printable(f"{plot.title}{limit}"), loc="left", fontsize=8.5, fontweight="bold", pad=3)
    for index, curve in enumerate(plot.curves):
        for piece in curve.pieces:
            times, values = zip(*piece, strict=True)
            mark = "." if len(piece) == 1 else ""
            ax.plot(times, values, color=CURVES[index % len(CURVES)], linewidth=1.4, marker=mark, markersize=2)
    if not any(curve.pieces for curve in plot.curves):
        ax.text(0.5, 0.5, "no value in this time", transform=ax.transAxes, ha="center", color=SOFT)


def _name(words: str) -> str:
    words = amounts.printable(words)
    return words if len(words) <= 26 else f"{words[:25]}…"
