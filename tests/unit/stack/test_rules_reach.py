"""How far back an expression looks: ranges, offsets, subqueries, and through the recorded series that it reads."""

from __future__ import annotations

import pytest

from stack.rules.errors import UnscalableExpression
from stack.rules.reach import longest_window_s


@pytest.mark.parametrize(
    ("expr", "seconds"),
    [
        ("x", 0.0),
        ("rate(x[5m])", 300.0),
        ("rate(x[5m] offset 1h) / rate(x[10m])", 3900.0),
        ("x offset 1d", 86400.0),
        ("x offset -1d", 0.0),
        ("max_over_time(rate(x[5m])[30m:1m] offset 1h)", 5700.0),
        ("absent(x) or sum(rate(x[2m]))", 120.0),
        ("quantile_over_time(0.5, (x offset 1m)[10m:])", 660.0),
        ("rate(x[666ms])", 0.666),
    ],
)
def test_ranges_and_offsets_add_up_along_a_branch(expr: str, seconds: float) -> None:
    """Branches do not add up; the longest counts."""
    assert longest_window_s(expr) == seconds


RECORDINGS = [
    ("job:x:rate5m", "sum by (job) (rate(x[5m]))"),
    ("job:x:avg1h", "avg_over_time(job:x:rate5m[1h])"),
    ("twice", "x"),
    ("twice", 'rate(x{a="b"}[10m])'),
    ("self", "0.9 * self + rate(x[1m])"),
    ("egg", "max_over_time(hen[1m])"),
    ("hen", "max_over_time(egg[2m]) or x offset 1h"),
]


@pytest.mark.parametrize(
    ("expr", "seconds"),
    [
        ("job:x:rate5m > 1", 300.0),
        ('job:x:avg1h{a="job:x:rate5m"} > 1', 3900.0),
        ("job:x:avg1h offset 10m > 1", 4500.0),
        ("max_over_time(job:x:avg1h[1d]) > 1", 90300.0),
        ("max_over_time((job:x:avg1h)[1d:1h]) > 1", 90300.0),
        ("twice > 1", 600.0),
        ("job:x:rate5mm > 1", 0.0),
        ("self > 1", 60.0),
        ("hen > 1", 3600.0),
        ("egg > 1", 3660.0),
        ("hen + egg > 1", 3660.0),
    ],
)
def test_a_recorded_series_reaches_back_as_far_as_what_it_is_made_of(expr: str, seconds: float) -> None:
    """Also through several, by all rules of one name, and once around where they read each other."""
    assert longest_window_s(expr, RECORDINGS) == seconds


@pytest.mark.timeout(60)
def test_many_recordings_that_share_their_sources_are_each_looked_at_once() -> None:
    """Two to the power of forty ways lead through them."""
    chain = [(f"r{level}", f"rate(r{level - 1}[1m]) + rate(r{level - 1}[2m])") for level in range(1, 41)]
    assert longest_window_s("r40", chain) == 40 * 120.0


@pytest.mark.parametrize(("expr", "recordings"), [("x @ 5", []), ("y", [("y", "rate(x[5m] @ end())")])])
def test_a_pinned_expression_has_no_longest_window(expr: str, recordings: list[tuple[str, str]]) -> None:
    """What is pinned to a time moves away from now for ever, and so does what reads it."""
    with pytest.raises(UnscalableExpression, match="`@`"):
        longest_window_s(expr, recordings)
