"""Values in Grafana's units: what stands on tiles, axes and in tables."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panel.dashboards import colors, units

NUMBERS = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e18, max_value=1e18)


@pytest.mark.parametrize(
    ("value", "unit", "decimals", "expected"),
    [
        (0.0094, "s", None, "9.4 ms"),
        (1.5, "s", 2, "1.50 s"),
        (90.0, "s", None, "1.5 min"),
        (0.0, "s", None, "0 s"),
        (2.5, "h", None, "2.5 h"),
        (0.25, "h", None, "15 min"),
        (0.004, "percentunit", None, "0.40 %"),
        (0.999, "percentunit", 2, "99.90 %"),
        (1.0, "percentunit", None, "100 %"),
        (12.345, "percent", 1, "12.3 %"),
        (536870912.0, "bytes", None, "512 MiB"),
        (1500.0, "Bps", None, "1.5 kB/s"),
        (5.25, "reqps", None, "5.25 req/s"),
        (12345.0, "short", None, "12.3k"),
        (1234567.0, "none", 0, "1\u202f234\u202f567"),
        (-0.00001, "none", 2, "0.00"),
        (1.0, "bool_on_off", None, "on"),
        (7.0, "suffix: apples", None, "7  apples"),
        (None, "s", None, "–"),
        (math.nan, "percentunit", None, "–"),
        (math.inf, "h", None, "∞"),
    ],
)
def test_a_value_reads_as_a_person_writes_it(
    value: float | None, unit: str, decimals: int | None, expected: str
) -> None:
    """Numbers, prefixes and spans of time, with as many digits as help."""
    assert units.text(value, unit, decimals).replace(units.GAP, " ") == expected


@given(NUMBERS, st.sampled_from(sorted(units.UNITS)), st.none() | st.integers(0, 4))
def test_every_value_has_a_text_in_every_unit(value: float, unit: str, decimals: int | None) -> None:
    """It is short, has a digit or a word, carries a minus only below zero, and never a plain hyphen as its sign."""
    said = units.text(value, unit, decimals)
    assert any(letter.isalnum() for letter in said)
    assert not said.startswith("-")
    assert not (said.startswith(units.MINUS) and value >= 0)
    assert len(said) < 44


@given(st.floats(-1e12, 1e12), st.floats(1e-6, 1e12), st.sampled_from(sorted(units.UNITS)))
def test_an_axis_is_labelled_at_few_round_values_within_it(low: float, spread: float, unit: str) -> None:
    """They rise, lie within the axis, and are at most five; so no label stands on another."""
    high = low + spread
    marked = units.ticks(low, high, unit)
    assert len(marked) <= 6
    assert marked == sorted(set(marked))
    slack = max(abs(low), abs(high)) * 1e-9
    assert all(low - slack <= each <= high + slack for each in marked)


@given(st.floats(0.001, 1e9), st.sampled_from(["s", "percentunit", "bytes", "Bps", "reqps", "short", "none"]))
def test_the_labels_of_an_axis_differ(high: float, unit: str) -> None:
    """Two of them that read the same would say that the axis stands still."""
    marked = units.ticks(0.0, high, unit)
    told = units.tick_texts(marked, unit)
    assert len(set(told)) == len(told)


@given(st.text(max_size=30))
def test_a_colour_of_a_file_is_safe_in_a_page(color: str) -> None:
    """Whatever a file calls a colour, what reaches the page is a colour and nothing else."""
    assert not set(colors.css(color)) & set("<>\"';:{}")


def test_no_two_of_many_series_look_alike() -> None:
    """Colour and dash together tell 32 series apart."""
    assert len({colors.series(index) for index in range(32)}) == 32
