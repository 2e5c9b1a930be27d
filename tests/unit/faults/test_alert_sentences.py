"""What an alert waits for, in a sentence."""

from __future__ import annotations

import pytest

from faults.drills.alerts import Side, not_true, waits_for
from faults.drills.condition import comparisons, some_comparisons
from faults.drills.delivery import Standing
from faults.drills.wire import StageTimes
from stack.clients.prometheus import AlertRule


def rule() -> AlertRule:
    """Return a rule that fires."""
    return AlertRule("A", "g", "up == 0", 20.0, 0.0, {}, {}, "firing", "ok", "", 99.0, 1.0, ())


def test_an_alert_that_fires_says_where_it_stands() -> None:
    """The sentence of its way to the webhook is the board's, word for word."""
    standing = Standing("silenced", "firing; silenced for 20 s more")
    assert waits_for(rule(), StageTimes(), None, (), at=100.0, standing=standing) == standing.sentence


@pytest.mark.parametrize(
    ("expr", "values", "said"),
    [
        ("a > 3", [1.0], "condition is not true: 1 is not > 3"),
        ("a > 3 and b < 1", [4.0, 2.0], "condition is not true: 2 is not < 1"),
        ("a > 3", [None], "no series: `a` selects nothing"),
        ("a > 3", [5.0], "condition is true now; Prometheus sees it at its next evaluation"),
        ("a == 0 or absent(a)", [1.0], "condition is not true: its expression has no result (1 is not == 0)"),
        ("(a == 1) unless on (job) (b > 2)", [1.0], "condition is not true: its expression has no result"),
        ("a", [], "condition is not true: its expression has no result"),
    ],
)
def test_a_condition_that_is_not_true_shows_both_sides(expr: str, values: list[float | None], said: str) -> None:
    """Where the comparisons are not all that it takes, they are shown and nothing is concluded from them."""
    whole = comparisons(expr)
    found = whole or some_comparisons(expr)
    sides = [Side(one, value, bool(whole)) for one, value in zip(found, values, strict=True)]
    assert not_true(sides) == said


def test_what_is_shown_of_alternatives_stands_outermost() -> None:
    """Both alternatives, without what is taken away and without what stands in brackets inside."""
    expr = "(a / b > 0.5 and on (job) c == c offset 5m) or (d > 2 or e) unless f > 7"
    assert [(one.left, one.right) for one in some_comparisons(expr)] == [("a / b", 0.5), ("d", 2.0)]
