"""Numbers, spans of time and times of day as a person reads them. Pure text; no Streamlit."""

from __future__ import annotations

import math
from datetime import UTC, datetime

NOTHING = "\u2013"
_GAP = "\u00a0"
"""Between a number and its unit: a line never breaks there."""


def is_number(value: float | None) -> bool:
    """Say whether ``value`` is there and finite: Prometheus answers NaN for a ratio without traffic."""
    return value is not None and math.isfinite(value)


def quantity(value: float | None, unit: str) -> str:
    """Return ``value`` in ``unit`` (s, ratio, 1/s or 1), with as many digits as help; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return NOTHING
    if unit == "ratio":
        percent = value * 100
        return f"{percent:.1f}{_GAP}%" if 0 < abs(percent) < 10 else f"{percent:.0f}{_GAP}%"
    if unit == "s":
        return f"{value * 1000:.0f}{_GAP}ms" if abs(value) < 0.1 else f"{value:.2f}{_GAP}s"
    text = f"{value:.0f}" if float(value).is_integer() and abs(value) < 1e6 else f"{value:.3g}"
    return f"{text}/s" if unit == "1/s" else text


def span(seconds: float | None) -> str:
    """Return a length of time: ``0.4 s``, ``42 s``, ``3 min 05 s``, ``2 h 10 min``."""
    if seconds is None or not math.isfinite(seconds):
        return NOTHING
    if seconds < 0.1:
        return f"{max(0.0, seconds) * 1000:.3g}{_GAP}ms"
    if seconds < 10:
        return f"{seconds:.1f}{_GAP}s"
    whole = round(seconds)
    if whole < 120:
        return f"{whole}{_GAP}s"
    if whole < 7200:
        return f"{whole // 60}{_GAP}min {whole % 60:02d}{_GAP}s"
    return f"{whole // 3600}{_GAP}h {whole % 3600 // 60:02d}{_GAP}min"


def countdown(seconds: float) -> str:
    """Return what is left until an end, in whole seconds, never below zero."""
    left = max(0, math.ceil(seconds))
    return f"{left}{_GAP}s" if left < 120 else span(left)


def clock(at: float | None) -> str:
    """Return the local time of day of a Unix time."""
    return NOTHING if at is None else datetime.fromtimestamp(at, tz=UTC).astimezone().strftime("%H:%M:%S")


def day_and_clock(at: float) -> str:
    """Return the local date and time of day of a Unix time."""
    return datetime.fromtimestamp(at, tz=UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def wall(at: float) -> datetime:
    """Return a Unix time as naive local time, which is what a chart's axis shows unchanged."""
    return datetime.fromtimestamp(at, tz=UTC).astimezone().replace(tzinfo=None)


def memory(amount: float | None) -> str:
    """Return bytes as MB."""
    return NOTHING if amount is None else f"{amount / 1e6:.0f}{_GAP}MB"


def count(number: int, noun: str) -> str:
    """Return ``1 request`` or ``412 requests``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
