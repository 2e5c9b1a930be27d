"""Ranges of values, and which comparisons between two of them are never or always true. It knows no expressions."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from faults.drills.lint.expression import Number
from faults.drills.lint.writing import written

INF = math.inf


@dataclass(frozen=True)
class Range:
    """All values that a result can have lie from ``low`` to ``high``, each end included unless it is ``open``."""

    low: float = -INF
    high: float = INF
    low_open: bool = False
    high_open: bool = False
    why: str = ""
    """The step that gave the bounds."""
    certain: bool = True
    """Whether no bound goes by a convention of names."""
    may_be_nan: bool = True

    def never(self, op: str, other: Range) -> bool:
        """Say whether no value here compares true by ``op`` with one of ``other``. NaN compares true by ``!=``."""
        if self.low > self.high or other.low > other.high:
            return op != "!="  # nothing but NaN
        below = self.high < other.low or (self.high == other.low and (self.high_open or other.low_open))
        above = self.low > other.high or (self.low == other.high and (self.low_open or other.high_open))
        one = self.low == self.high == other.low == other.high
        return {
            ">": self.high <= other.low,
            ">=": below,
            "<": self.low >= other.high,
            "<=": above,
            "==": below or above,
            "!=": one and not self.may_be_nan and not other.may_be_nan,
        }[op]

    def always(self, op: str, other: Range) -> bool:
        """Say whether every value here, none being NaN, compares true by ``op`` with every value of ``other``."""
        opposite = {">": "<=", ">=": "<", "<": ">=", "<=": ">", "!=": "=="}
        if op not in opposite or self.may_be_nan or other.may_be_nan:
            return False
        return self.never(opposite[op], other)

    def narrowed(self, op: str, other: Range) -> Range:
        """Return what is left of this after a comparison by ``op`` with ``other`` was true."""
        kept = replace(self, may_be_nan=self.may_be_nan and op == "!=", certain=self.certain and other.certain)
        if op in {">", ">=", "=="} and other.low >= self.low:
            kept = replace(kept, low=other.low, low_open=op == ">" or other.low_open, why=_step(kept, op, other))
        if op in {"<", "<=", "=="} and other.high <= self.high:
            kept = replace(kept, high=other.high, high_open=op == "<" or other.high_open, why=_step(kept, op, other))
        return kept


def _step(kept: Range, op: str, other: Range) -> str:
    own = f"a comparison leaves only what is {op} {_said(other)}"
    return f"{kept.why}; {own}" if kept.why and own not in kept.why else own


def _said(bounds: Range) -> str:
    return written(Number(bounds.low)) if bounds.low == bounds.high else "the other side"
