"""The selectors of an expression, taken out so that each can be asked for."""

from __future__ import annotations

import pytest

from stack.rules.errors import UnscalableExpression
from stack.rules.selectors import selectors_of


def test_each_selector_is_a_text_of_its_own() -> None:
    """Without range and offset, with every kind of matcher, once each, from everywhere in an expression."""
    expr = (
        'sum by (a) (rate(x_total{job="f",status=~"5..",b!="\\"q\\"",c!~"z"}[5m] offset 1h))'
        " / on () group_left () -(x_total) > quantile(scalar(q), max_over_time(y:z[1h:1m])) and x_total"
    )
    assert [(one.metric, one.text) for one in selectors_of(expr)] == [
        ("x_total", 'x_total{job="f",status=~"5..",b!="\\"q\\"",c!~"z"}'),
        ("x_total", "x_total{}"),
        ("q", "q{}"),
        ("y:z", "y:z{}"),
    ]
    assert [one.metric for one in selectors_of('{__name__=~"x.*"}')] == [""]
    assert selectors_of("1 + 1") == ()


def test_what_is_no_expression_is_refused() -> None:
    """As wherever an expression is read."""
    with pytest.raises(UnscalableExpression):
        selectors_of("sum(")
