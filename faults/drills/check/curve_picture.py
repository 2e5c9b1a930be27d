"""Detection curves as a picture: intensity across, time up, both logarithmic; bands over phases and seeds.

Painted by matplotlib without a screen or a browser; it is loaded on first use only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from faults.drills.check.curve import Curve, Curves, Point
from faults.drills.check.curve_words import intensity, length, title
from faults.drills.check.paint import painted
from faults.drills.check.result import Range
from faults.drills.report import amounts
from faults.drills.report.pictures import CURVES, RULE, SOFT, Format

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Times = Callable[[Point], tuple[Range | None, float | None]]
_TICKS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400)
_LEAST_S = 1.0
"""A logarithmic axis has no zero: what took less is drawn here."""
_ROOM = 1.25


def curve_picture(curves: Curves, kind: Format) -> bytes:
    """Return the curves as a PNG or SVG file: detection above, reset below."""
    return painted(title(curves), kind, lambda figure: _paint(figure, curves))


def _paint(figure: Figure, curves: Curves) -> None:
    figure.set_size_inches(8.2, 7.4)
    figure.suptitle(amounts.printable(title(curves)), x=0.02, y=0.985, ha="left", fontsize=10, fontweight="bold")
    upper, lower = figure.subplots(2, 1, sharex=True)
    figure.subplots_adjust(left=0.12, right=0.97, top=0.9, bottom=0.1, hspace=0.2)
    _times(upper, curves, lambda one: (one.detection_s, one.detection_median_s), "detection: from the fault to firing")
    _times(lower, curves, lambda one: (one.reset_s, one.reset_median_s), "reset: from the fault's end to resolved")
    limit = curves.burn_s
    upper.axhline(limit, color=SOFT, linewidth=0.8, linestyle=(0, (2, 2)))
    upper.annotate(
        f"the fault burned {length(limit)}", (0.995, limit), xycoords=("axes fraction", "data"), ha="right",
        va="bottom", color=SOFT, fontsize=7.5,
    )  # fmt: skip
    if any(curve.fired for curve in curves.curves):
        upper.legend(frameon=False, fontsize=8, loc="lower left")
    unit = curves.unit or "intensity"
    lower.set_xlabel(amounts.printable(f"{curves.parameter} of {curves.fault} ({unit})"), color=SOFT)
    _across(lower, curves)


def _times(ax: Axes, curves: Curves, times: Times, said: str) -> None:
    ax.set_xscale("log")
    ax.set_yscale("log")
    seen: list[float] = []
    for number, curve in enumerate(curves.curves):
        seen += _curve(ax, curve, times, CURVES[number % len(CURVES)], _label(curve, curves))
    low, high = (min(seen) / _ROOM, max(seen) * _ROOM) if seen else (_LEAST_S, curves.burn_s)
    if ax.get_subplotspec() is not None and said.startswith("detection"):
        high = max(high, curves.burn_s * _ROOM)
    ax.set_ylim(low, high)
    ticks = [one for one in _TICKS_S if low <= one <= high]
    ax.set_yticks(ticks, [length(one) for one in ticks])
    ax.set_yticks([], minor=True)
    ax.grid(color=RULE, linewidth=0.6)
    ax.tick_params(length=0, colors=SOFT, which="both")
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    ax.set_title(said, loc="left", fontsize=8.5, fontweight="bold", pad=4)
    if not seen:
        ax.text(0.5, 0.5, "nothing to show", transform=ax.transAxes, ha="center", color=SOFT)


def _curve(ax: Axes, curve: Curve, times: Times, colour: str, label: str) -> list[float]:
    """Draw one alert and return the times that it took."""
    found = [(one.intensity, *times(one)) for one in curve.points]
    known = [(at, span, median) for at, span, median in found if span is not None and median is not None]
    if not known:
        return []
    across = [at for at, _, _ in known]
    least = [max(span.least, _LEAST_S) for _, span, _ in known]
    most = [max(span.most, _LEAST_S) for _, span, _ in known]
    ax.fill_between(across, least, most, color=colour, alpha=0.18, linewidth=0)
    middle = [max(median, _LEAST_S) for _, _, median in known]
    ax.plot(across, middle, color=colour, linewidth=1.6, marker="o", markersize=3.5, label=label)
    if curve.fires_from is not None:
        ax.axvline(curve.fires_from, color=colour, linewidth=0.9, linestyle=(0, (5, 3)))
    return [*least, *most]


def _label(curve: Curve, curves: Curves) -> str:
    if curve.fires_from is None:
        return amounts.printable(curve.alert)
    return amounts.printable(f"{curve.alert}, from {intensity(curve.fires_from, curves)} on (dashed)")


def _across(ax: Axes, curves: Curves) -> None:
    points = sorted({point.intensity for curve in curves.curves for point in curve.points})
    if not points:
        return
    ax.set_xlim(points[0] / _ROOM, points[-1] * _ROOM)
    ticks = _decades(points[0], points[-1])
    ax.set_xticks(ticks, [intensity(one, curves) for one in ticks])
    ax.set_xticks([], minor=True)


def _decades(low: float, high: float) -> Sequence[float]:
    """Return 1, 2 and 5 times every power of ten from ``low`` to ``high``; fewer of them over many decades."""
    found = [
        float(f"{digit}e{power}")
        for power in range(-6, 10)
        for digit in (1, 2, 5)
        if low * 0.999 <= float(f"{digit}e{power}") <= high * 1.001
    ]
    if len(found) > 12:
        return [one for one in found if f"{one:e}".startswith("1.")]
    return found or [low, high]
