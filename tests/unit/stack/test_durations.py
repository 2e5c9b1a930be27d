"""Durations as text and as seconds."""

from __future__ import annotations

import math

import promql_parser
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stack.rules.durations import format_duration, parse_duration
from stack.rules.errors import BadDuration

UNITS = ("y", "w", "d", "h", "m", "s", "ms")


@given(st.integers(min_value=0, max_value=10**12))
def test_what_is_written_is_read_again(milliseconds: int) -> None:
    """Every whole number of milliseconds survives a round trip."""
    assert round(parse_duration(format_duration(milliseconds / 1000)) * 1000) == milliseconds


@given(st.lists(st.integers(min_value=0, max_value=99), min_size=7, max_size=7).filter(any))
def test_durations_are_read_as_the_promql_parser_reads_them(counts: list[int]) -> None:
    """Any combination of units means the same to both."""
    text = "".join(f"{count}{unit}" for count, unit in zip(counts, UNITS, strict=True) if count)
    parsed = promql_parser.parse(f"x[{text}]")
    assert isinstance(parsed, promql_parser.MatrixSelector)
    assert parse_duration(text) == parsed.range.total_seconds()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(20, "20s"), (90, "1m30s"), (4, "4s"), (2 / 3, "667ms"), (0, "0s"), (960, "16m"), (90061.5, "1d1h1m1s500ms")],
)
def test_durations_are_written_as_prometheus_does(seconds: float, text: str) -> None:
    """The largest unit comes first and nothing is written that is zero."""
    assert format_duration(seconds) == text


@pytest.mark.parametrize("text", ["", "5", "1.5m", "5M", "5m1h", "-5m", " 5m", "5m ", "m", "300y", "٣s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    """The error shows what was given and how to write it."""
    with pytest.raises(BadDuration, match=r"is not a duration.*write it as 30s"):
        parse_duration(text)


@pytest.mark.parametrize("seconds", [-1.0, math.inf, math.nan, 1e12])
def test_what_prometheus_cannot_hold_is_not_written(seconds: float) -> None:
    """A negative, endless or enormous duration is refused."""
    with pytest.raises(BadDuration):
        format_duration(seconds)
