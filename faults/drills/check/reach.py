"""How far back a rule looks, for a verdict: a number, or that it cannot be told. Nothing is evaluated."""

from __future__ import annotations

from collections.abc import Sequence

from stack.rules.errors import RuleError
from stack.rules.reach import longest_window_s


def window_s(expr: str, recordings: Sequence[tuple[str, str]] = ()) -> float | None:
    """Return how many seconds ``expr`` looks back, through the ``recordings`` that it reads; ``None``: unknown."""
    try:
        return longest_window_s(expr, recordings)
    except RuleError:
        return None
