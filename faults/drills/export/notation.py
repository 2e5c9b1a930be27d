"""Samples in promtool's notation for ``values``: runs of equal steps, gaps, stale markers. Text only; nothing is run.

promtool expands ``a+bxn`` by adding ``b`` to the sum so far, again and again, so that a run is written as one only
where those sums give every sample bit for bit. It knows no repetition of NaN, of infinities or of ``stale``.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from enum import Enum
from typing import Final

SHORTEST_RUN = 3
"""So many samples at least make a run: below that they are as short one by one."""


class Marker(Enum):
    """That a target, or a series of it, is gone."""

    STALE = "stale"


STALE: Final = Marker.STALE
Slot = float | Marker | None
"""What stands at one step of the grid; ``None``: nothing was scraped."""


def compress(slots: Sequence[Slot]) -> str:
    """Return ``slots`` as the text of ``values``. Gaps at the end are left out, for nothing follows them."""
    words: list[str] = []
    end = max((index for index, slot in enumerate(slots) if slot is not None), default=-1) + 1
    at = 0
    while at < end:
        slot = slots[at]
        if slot is None:
            length = _gap(slots, at, end)
            words.append("_" if length == 1 else f"_x{length}")
        elif isinstance(slot, Marker):
            length = 1
            words.append(slot.value)
        else:
            length, step = _run(slots, at, end, slot)
            words.append(_number(slot) if length == 1 else _repeated(slot, step, length - 1))
        at += length
    return " ".join(words)


def _gap(slots: Sequence[Slot], at: int, end: int) -> int:
    length = 1
    while at + length < end and slots[at + length] is None:
        length += 1
    return length


def _run(slots: Sequence[Slot], at: int, end: int, first: float) -> tuple[int, float]:
    """Return how many samples from ``at`` on are one run, and the step between them; 1 where they are none."""
    second = slots[at + 1] if at + 1 < end else None
    if not isinstance(second, float) or not math.isfinite(first) or not math.isfinite(second):
        return 1, 0.0
    step, total, length = second - first, first, 1
    while at + length < end:
        following = slots[at + length]
        total += step
        if not isinstance(following, float) or not _same(total, following):
            break
        length += 1
    return (length, step) if length >= SHORTEST_RUN and math.isfinite(step) else (1, 0.0)


def _same(one: float, other: float) -> bool:
    """Return whether two numbers have the same bits; 0 and -0 do not."""
    return struct.pack("<d", one) == struct.pack("<d", other)


def _repeated(first: float, step: float, times: int) -> str:
    if step == 0.0:
        return f"{_number(first)}x{times}"
    sign = "-" if step < 0.0 else "+"
    return f"{_number(first)}{sign}{_number(abs(step))}x{times}"


def _number(value: float) -> str:
    """Return ``value`` as the shortest text that reads as the same number."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Inf" if value > 0.0 else "-Inf"
    if value.is_integer() and abs(value) < 1e15:
        return f"{'-' if math.copysign(1.0, value) < 0.0 else ''}{abs(int(value))}"
    return repr(value)
