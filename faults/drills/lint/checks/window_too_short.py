"""A window that does not hold two scrapes, of a function that needs two samples."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from faults.drills.lint.check import Remark, Subject, register
from faults.drills.lint.expression import Selector
from faults.drills.lint.shapes import RATES, over_any_range
from faults.drills.lint.writing import written
from stack.rules.durations import format_duration

NEED_TWO = RATES | {"delta", "idelta", "deriv", "predict_linear", "holt_winters", "double_exponential_smoothing"}
WIDE_ENOUGH = 4
"""Scrapes in a window that survives one of them failing."""


@register("window-too-short", "error", "a window under two scrapes for a function that needs two samples")
def find(subject: Subject) -> Iterator[Remark]:
    """Yield the windows in which there are not always two samples."""
    scrape_ms = subject.facts.scrape_ms
    for call, window in over_any_range(subject.root):
        if call.name not in NEED_TWO or not isinstance(window, Selector) or window.metric in subject.facts.recorded:
            continue
        if window.range_ms >= 2 * scrape_ms:
            continue
        every = format_duration(scrape_ms / 1000)
        wide = dataclasses.replace(window, range_ms=WIDE_ENOUGH * scrape_ms)
        length = format_duration(window.range_ms / 1000)
        yield Remark(
            call,
            f"`{written(call)}`: {length} do not hold two scrapes that are {every} apart, or not always",
            f"`{call.name}()` of one sample is nothing: {_what_comes_of_it(window.range_ms, scrape_ms)}",
            subject.with_change(window, wide),
            severity=None if window.range_ms <= scrape_ms else "warning",
        )


def _what_comes_of_it(range_ms: int, scrape_ms: int) -> str:
    if range_ms < scrape_ms:
        return "it never fires."
    if range_ms == scrape_ms:
        return "it fires only where both edges of the window fall on a scrape to the millisecond."
    return "at some evaluations there is no result, so that `for` starts anew, or it never fires."
