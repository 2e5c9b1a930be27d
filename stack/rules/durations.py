"""Prometheus durations as text and as seconds. Milliseconds are the smallest unit that Prometheus knows."""

from __future__ import annotations

import math
import re

from stack.rules.errors import BadDuration

UNITS_MS = {
    "y": 365 * 86_400_000,
    "w": 7 * 86_400_000,
    "d": 86_400_000,
    "h": 3_600_000,
    "m": 60_000,
    "s": 1000,
    "ms": 1,
}
_FORM = re.compile("".join(rf"(?:(?P<{unit}>[0-9]+){unit})?" for unit in UNITS_MS))
_LONGEST_MS = 2**63 // 10**6
"""Prometheus keeps a duration in 64-bit nanoseconds."""


def parse_duration(text: str) -> float:
    """Return the seconds that ``text``, such as ``1m30s`` or ``0``, stands for; raise ``BadDuration`` otherwise."""
    if text == "0":
        return 0.0
    matched = _FORM.fullmatch(text)
    if not text or matched is None:
        raise BadDuration(text, "numbers with the units y, w, d, h, m, s, ms were expected, largest unit first")
    total_ms = sum(int(count) * UNITS_MS[unit] for unit, count in matched.groupdict().items() if count)
    if total_ms > _LONGEST_MS:
        raise BadDuration(text, "it is longer than Prometheus can hold (292 years)")
    return total_ms / 1000


def format_duration(seconds: float) -> str:
    """Return ``seconds``, rounded to milliseconds, as Prometheus writes it, days being its largest unit.

    Raises ``BadDuration`` where ``seconds`` is negative, not finite or too long.
    """
    if not math.isfinite(seconds) or seconds < 0:
        raise BadDuration(seconds, "it must be a finite number of seconds, zero or more")
    rest_ms = round(seconds * 1000)
    if rest_ms > _LONGEST_MS:
        raise BadDuration(seconds, "it is longer than Prometheus can hold (292 years)")
    if rest_ms == 0:
        return "0s"
    text = ""
    for unit in ("d", "h", "m", "s", "ms"):
        count, rest_ms = divmod(rest_ms, UNITS_MS[unit])
        if count:
            text += f"{count}{unit}"
    return text
