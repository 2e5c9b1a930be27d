"""The two sides of a condition: cut out of an expression where that is sound, left alone where it is not."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from faults.drills.condition import Comparison, comparisons
from stack.rules.read import load_rules
from stack.rules.tree import read_tree

RULES = Path(__file__).parents[3] / "stack" / "config" / "prometheus" / "rules"


@pytest.mark.parametrize(
    ("expr", "expected"),
    [
        ("up == 0", [("up", "==", 0.0)]),
        ("(a / b) > 0.05", [("(a / b)", ">", 0.05)]),
        ("((a > 1))", [("a", ">", 1.0)]),
        ('rate(x{path=~"a > b"}[5m]) >= 1e3', [('rate(x{path=~"a > b"}[5m])', ">=", 1000.0)]),
        ("a > 1 and on (job) b < 2", [("a", ">", 1.0), ("b", "<", 2.0)]),
        ("a > 1 unless on (job) b", []),
        ("a > 1 # > 3\n", [("a", ">", 1.0)]),
        ("sum(a > 1) < 2", [("sum(a > 1)", "<", 2.0)]),
        ("up == 0 or absent(up)", []),
        ("(up == 0 or absent(up)) and b > 1", []),
        ("absent(up)", []),
        ("a > b", []),
        ("a > bool 1", []),
        ("1 < a < 3", []),
        ("", []),
    ],
)
def test_outermost_comparisons_with_a_number_are_found(expr: str, expected: list[tuple[str, str, float]]) -> None:
    """Brackets, strings, comments and set operators are respected; anything else is left alone."""
    found = [(one.left, one.operator, one.right) for one in comparisons(expr)]
    cleaned = [(left.strip(), sign, right) for left, sign, right in found]
    assert cleaned == expected


@pytest.mark.parametrize("path", sorted(RULES.glob("*.yml")), ids=lambda path: path.stem)
def test_the_left_sides_of_shipped_rules_are_expressions(path: Path) -> None:
    """What is cut out of a shipped rule can be asked of Prometheus by itself."""
    for rule in load_rules(path).alerts:
        for comparison in comparisons(rule.expr):
            assert read_tree(comparison.left)


def test_the_nearest_value_is_the_one_closest_to_firing() -> None:
    """Of many series the one shown is the one that would fire first; NaN is none of them."""
    assert Comparison("a", ">", 1.0).nearest([0.2, 0.9, math.nan]) == 0.9
    assert Comparison("a", "<", 1.0).nearest([3.0, 2.0]) == 2.0
    assert Comparison("a", "==", 0.0).nearest([1.0, 0.0, 0.5]) == 0.0
    assert Comparison("a", "!=", 1.0).nearest([1.0, 3.0]) == 3.0
    assert Comparison("a", ">", 1.0).nearest([math.nan]) is None
    assert not Comparison("a", ">", 1.0).holds(math.nan)
