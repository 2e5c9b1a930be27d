"""Numbers, lengths of time and moments as a reader of a report sees them. Pure text, the same everywhere."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime

from faults.drills.evidence import Unit

NOTHING = "–"
_UNPRINTABLE = re.compile(r"[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def seconds(value: float | None) -> str:
    """Return a length of time: ``0.4 s``, ``42.0 s``, ``3 min 05 s``."""
    if value is None or not math.isfinite(value):
        return NOTHING
    if abs(value) < 120:
        return f"{value:.1f} s"
    whole = round(abs(value))
    sign = "-" if value < 0 else ""
    if whole < 7200:
        return f"{sign}{whole // 60} min {whole % 60:02d} s"
    return f"{sign}{whole // 3600} h {whole % 3600 // 60:02d} min"


def reach(earliest: float | None, latest: float | None) -> str:
    """Return a predicted range: ``20.0 to 22.0 s``; a dash where nothing is predicted."""
    if earliest is None and latest is None:
        return NOTHING
    if latest is None:
        return f"from {seconds(earliest)}"
    if earliest is None:
        return f"up to {seconds(latest)}"
    if max(abs(earliest), abs(latest)) < 120:
        return f"{earliest:.1f} to {latest:.1f} s"
    return f"{seconds(earliest)} to {seconds(latest)}"


def short(value: float | None) -> str:
    """Return a length of time of a span: ``1.42 ms``, ``0.31 s``."""
    if value is None or not math.isfinite(value):
        return NOTHING
    if value < 1.0:
        return f"{value * 1000:.3g} ms"
    return f"{value:.3g} s" if value < 120 else seconds(value)


def quantity(value: float | None, unit: Unit) -> str:
    """Return ``value`` in its unit, with as many digits as help."""
    if value is None or not math.isfinite(value):
        return NOTHING
    if unit == "ratio":
        percent = value * 100
        return f"{percent:.1f} %" if 0 < abs(percent) < 10 else f"{percent:.0f} %"
    if unit == "s":
        return short(value) if value >= 0 else f"-{short(-value)}"
    text = f"{value:.0f}" if float(value).is_integer() and abs(value) < 1e6 else f"{value:.3g}"
    return f"{text}/s" if unit == "1/s" else text


def moment(at: float | None) -> str:
    """Return a Unix time in UTC: the same report reads the same everywhere."""
    if at is None or not math.isfinite(at):
        return NOTHING
    return datetime.fromtimestamp(at, tz=UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def printable(words: str) -> str:
    """Return ``words`` with a mark in the place of each character that neither XML nor HTML can carry."""
    return _UNPRINTABLE.sub("\ufffd", words)


def clock(*, virtual: bool, tries: int) -> str:
    """Return a clause on the clock of a run; empty for a live one."""
    return f", on a virtual clock, {count(tries, 'phase')}" if virtual else ""


def count(number: int, noun: str) -> str:
    """Return ``1 drill`` or ``12 drills``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
