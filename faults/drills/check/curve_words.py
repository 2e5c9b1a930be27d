"""What every form of detection curves says in the same words. Plain text, not escaped, not coloured."""

from __future__ import annotations

from faults.drills.check.curve import Curve, Curves, Point
from faults.drills.check.result import Range
from faults.drills.report import amounts

PROBABILITY = "probability"


def title(curves: Curves) -> str:
    """Return what the curves show, in a line."""
    alerts = ", ".join(curve.alert for curve in curves.curves)
    return f"{alerts if len(alerts) < 60 else amounts.count(len(curves.curves), 'alert')} against {curves.fault}"


def intensity(value: float, curves: Curves) -> str:
    """Return an intensity in its unit: ``5 %`` of a probability, else the number with its unit where that is short."""
    if curves.parameter == PROBABILITY:
        return f"{value * 100:.3g} %"
    number = f"{value:.4g}" if value < 1e4 else f"{value:.0f}"
    return f"{number} {curves.unit}" if curves.unit and len(curves.unit) <= 3 else number


def length(seconds: float) -> str:
    """Return a length of time as an axis has it: ``15 s``, ``2 min``, ``1.5 h``."""
    if seconds < 60:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.3g} min" if seconds < 7200 else f"{seconds / 3600:.3g} h"


def span(times: Range | None) -> str:
    """Return a range of seconds; a dash where there is none."""
    if times is None:
        return amounts.NOTHING
    if times.least == times.most:
        return amounts.seconds(times.least)
    return amounts.reach(times.least, times.most)


def threshold(curve: Curve, curves: Curves) -> str:
    """Return from which intensity on the alert fires, in a sentence."""
    if not curve.points:
        return f"{curve.alert} was not tried"
    least, most = curve.points[0].intensity, curve.points[-1].intensity
    if curve.fires_from is None:
        some = [point for point in curve.points if point.fired]
        if some:
            return f"{curve.alert} fires only at times, from {intensity(some[0].intensity, curves)} on"
        return f"{curve.alert} does not fire at any intensity up to {intensity(most, curves)}"
    if curve.silent_to is None:
        return f"{curve.alert} fires at every intensity that was tried, from {intensity(least, curves)} on"
    return (
        f"{curve.alert} fires from {intensity(curve.fires_from, curves)} on; "
        f"at {intensity(curve.silent_to, curves)} it does not{_at_times(curve)}"
    )


def _at_times(curve: Curve) -> str:
    point = next((one for one in curve.points if one.intensity == curve.silent_to), None)
    return "" if point is None or not point.fired else f", or only at times ({point.fired} of {point.tries} tries)"


def fired(point: Point) -> str:
    """Return in how many tries it fired."""
    if point.fired == point.tries:
        return "yes"
    return "no" if not point.fired else f"{point.fired} of {point.tries}"


def reset(point: Point) -> str:
    """Return how long it took to resolve."""
    if point.resolved is None:
        return amounts.NOTHING
    return span(point.reset_s) if point.resolved else "not resolved"


def about(curves: Curves) -> str:
    """Return in a sentence what was tried."""
    under = f", dialect {curves.dialect}" if curves.dialect else ""
    tries = max((point.tries for curve in curves.curves for point in curve.points), default=0)
    return (
        f"{curves.parameter} of {curves.fault}, which burned {length(curves.burn_s)} after {length(curves.calm_s)} of "
        f"calm, {length(curves.recovery_s)} to recover; {tries} tries over phases and "
        f"{amounts.count(len(curves.seeds), 'seed')} at each{under}"
    )
