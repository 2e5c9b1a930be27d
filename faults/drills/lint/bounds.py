"""Between which numbers the value of an expression lies, worked out bottom-up as intervals; NaN is apart from them.

Every bound comes from what a function or a metric's type guarantees, and carries the step it came from. What is not
known is unbounded. Nothing is evaluated.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

from faults.drills.lint.expression import (
    COMPARISONS,
    Aggregate,
    Binary,
    Call,
    Expr,
    Selector,
    Subquery,
    Wrapped,
)
from faults.drills.lint.facts import Facts
from faults.drills.lint.inventory import Kind
from faults.drills.lint.labels import is_scalar
from faults.drills.lint.ranges import INF, Range
from faults.drills.lint.shapes import bucket_metrics, constant, share_of

ROUNDING = 1e-9
"""How much a computed value may be off, as a share of it, where the exact bound could be missed by rounding."""


def bounds_of(expr: Expr, facts: Facts) -> Range:  # noqa: PLR0911 - a case for each kind of node
    """Return the range of the values of ``expr``."""
    value = constant(expr)
    if value is not None:
        if math.isnan(value):
            return Range(INF, -INF, why="NaN is neither above nor below nor equal to anything")
        return Range(value, value, may_be_nan=False)
    match expr:
        case Wrapped(inner, negative):
            bounds = bounds_of(inner, facts)
            return _negative(bounds) if negative else bounds
        case Subquery(inner):
            return bounds_of(inner, facts)
        case Selector():
            return _selected(expr, facts)
        case Call():
            return _called(expr, facts)
        case Aggregate():
            return _aggregated(expr, facts)
        case Binary():
            return _joined(expr, facts)
        case _:
            return Range()


def _selected(selector: Selector, facts: Facts) -> Range:
    if selector.metric == "up":
        return Range(0.0, 1.0, why="`up` is 0 or 1", may_be_nan=False)
    known = facts.known(selector)
    what = f"`{selector.metric}` is"
    if known.kind.only_rises and known.kind is not Kind.SUM:
        return Range(0, INF, why=f"{what} a counter{known.by}, never below 0", certain=known.certain)
    if known.kind is Kind.INFO:
        return Range(1, 1, why=f"{what} an info metric{known.by}, always 1", certain=known.certain, may_be_nan=False)
    return Range()


def _fixed(low: float, high: float, why: str, *, nan: bool = False) -> Range:
    return Range(low, high, why=why, may_be_nan=nan)


_RESULTS: Mapping[str, tuple[float, float, bool]] = MappingProxyType(
    {
        **dict.fromkeys(("absent", "absent_over_time", "present_over_time", "group"), (1.0, 1.0, False)),
        **dict.fromkeys(("count", "count_over_time"), (1.0, INF, False)),
        **dict.fromkeys(("changes", "resets"), (0.0, INF, False)),
        **dict.fromkeys(("stddev", "stdvar", "stddev_over_time", "stdvar_over_time", "sqrt", "exp"), (0.0, INF, True)),
        "histogram_fraction": (0.0, 1.0, True),
        "sgn": (-1.0, 1.0, True),
        "minute": (0.0, 59.0, True),
        "hour": (0.0, 23.0, True),
        "day_of_week": (0.0, 6.0, True),
        "day_of_month": (1.0, 31.0, True),
        "days_in_month": (28.0, 31.0, True),
        "day_of_year": (1.0, 366.0, True),
        "month": (1.0, 12.0, True),
    }
)
"""The least and the greatest value of a function or aggregation, and whether it may be NaN."""
_SAME = frozenset(
    {"avg_over_time", "min_over_time", "max_over_time", "last_over_time", "label_replace", "label_join", "sort"}
    | {"sort_desc", "vector", "scalar", "avg", "min", "max", "topk", "bottomk", "limitk"}
)
"""What gives a value within the range of what it is given."""


def _called(call: Call, facts: Facts) -> Range:  # noqa: PLR0911 - a case for each kind of node
    name, arguments = call.name, call.arguments
    if name in _RESULTS:
        low, high, nan = _RESULTS[name]
        text = f"always {low:g}" if low == high else f"at least {low:g}" if high == INF else f"from {low:g} to {high:g}"
        return _fixed(low, high, f"`{name}()` is {text}", nan=nan)
    if name == "histogram_quantile":
        return _quantile(call, facts)
    if not arguments:
        return Range()
    inner = bounds_of(arguments[0], facts)
    if name in _SAME:
        return _averaged(inner) if name == "avg_over_time" else inner
    if name in {"rate", "increase", "irate"}:
        counter = inner.low >= 0 and inner.why
        why = f"{inner.why}, so that `{name}()` of it is not either"
        return Range(0, INF, why=why, certain=inner.certain, may_be_nan=False) if counter else Range()
    if name == "sum_over_time":
        return _summed(inner)
    if name == "abs":
        return Range(0, INF, why="`abs()` is never below 0")
    if name in {"clamp", "clamp_min", "clamp_max"}:
        return _clamped(call, inner)
    return Range()


def _clamped(call: Call, inner: Range) -> Range:
    limits = [constant(one) for one in call.arguments[1:]]
    if None in limits:
        return Range()
    low = limits[0] if call.name in {"clamp", "clamp_min"} else None
    high = limits[-1] if call.name in {"clamp", "clamp_max"} else None
    if low is not None and high is not None and not low <= high:
        return Range()
    why = f"`{call.name}()` bounds it"
    kept = inner
    if low is not None and low >= kept.low:
        kept = replace(kept, low=low, low_open=False, high=max(low, kept.high), why=why)
    if high is not None and high <= kept.high:
        kept = replace(kept, high=high, high_open=False, low=min(high, kept.low), why=why)
    return kept


def _quantile(call: Call, facts: Facts) -> Range:
    """Return what a quantile can be: no more than the highest finite bound, whatever was observed."""
    share = constant(call.arguments[0])
    if share is not None and not 0 <= share <= 1:
        end = INF if share > 1 else -INF
        return Range(end, end, why=f"the quantile {share:g} is not between 0 and 1: its value is {end:+}")
    metrics = bucket_metrics(call.arguments[1])
    if share is None or len(metrics) != 1:
        return Range()
    listed = facts.of(next(iter(metrics))).listed
    if listed is None or not listed.bounds:
        return Range()
    low = 0.0 if listed.bounds[0] > 0 else -INF
    high = listed.bounds[-1] if share < 1 else listed.bounds[-1] + abs(listed.bounds[-1]) * ROUNDING
    why = f"`histogram_quantile()` never gives more than the highest finite bucket, {listed.bounds[-1]:g}"
    return Range(low, high, why=why, certain=facts.shapes_are_certain)


def _aggregated(aggregate: Aggregate, facts: Facts) -> Range:
    if aggregate.op in _RESULTS:
        low, high, nan = _RESULTS[aggregate.op]
        return _fixed(low, high, f"`{aggregate.op}` is {'always' if low == high else 'at least'} {low:g}", nan=nan)
    inner = bounds_of(aggregate.inner, facts)
    if aggregate.op in _SAME:
        return _averaged(inner) if aggregate.op == "avg" else inner
    return _summed(inner) if aggregate.op == "sum" else Range()


def _averaged(inner: Range) -> Range:
    """Return where means of ``inner`` lie: sums of many numbers are rounded, and whole ones are not."""
    low = inner.low if float(inner.low).is_integer() else inner.low - abs(inner.low) * ROUNDING
    high = inner.high if float(inner.high).is_integer() else inner.high + abs(inner.high) * ROUNDING
    return replace(inner, low=low, high=high, low_open=False, high_open=False)


def _summed(inner: Range) -> Range:
    if inner.low >= 0:
        return replace(inner, high=0.0 if inner.high <= 0 else INF, high_open=False)
    return replace(inner, low=-INF, low_open=False) if inner.high <= 0 else Range()


def _negative(bounds: Range) -> Range:
    return replace(bounds, low=-bounds.high, high=-bounds.low, low_open=bounds.high_open, high_open=bounds.low_open)


def _joined(binary: Binary, facts: Facts) -> Range:  # noqa: PLR0911 - a case for each kind of node
    left, right = bounds_of(binary.left, facts), bounds_of(binary.right, facts)
    if binary.op in COMPARISONS:
        if binary.as_bool:
            return _fixed(0, 1, "`bool` makes it 0 or 1")
        if is_scalar(binary.left):
            return right.narrowed({">": "<", "<": ">", ">=": "<=", "<=": ">="}.get(binary.op, binary.op), left)
        return left.narrowed(binary.op, right)
    if binary.op in {"and", "unless"}:
        return left
    if binary.op == "or":
        return _either(left, right)
    if binary.op == "/" and (share := share_of(binary, facts)) is not None:
        whole, certain = share
        return Range(0, whole, why="it is a share: what is above the line is a part of what is below", certain=certain)
    return _computed(binary.op, left, right)


def _either(left: Range, right: Range) -> Range:
    low, high = min(left.low, right.low), max(left.high, right.high)
    why = "; ".join(dict.fromkeys(one for one in (left.why, right.why) if one))
    nan = left.may_be_nan or right.may_be_nan
    return Range(low, high, why=why, certain=left.certain and right.certain, may_be_nan=nan)


def _computed(op: str, left: Range, right: Range) -> Range:
    """Return the range of a sum, a difference, a product or a quotient; ends count as included."""
    ends: Mapping[str, Callable[[], tuple[float, float]]] = {
        "+": lambda: (left.low + right.low, left.high + right.high),
        "-": lambda: (left.low - right.high, left.high - right.low),
        "*": lambda: _product(left, right),
        "/": lambda: _quotient(left, right),
    }
    if op not in ends or left.low > left.high or right.low > right.high:
        return Range()
    low, high = ends[op]()
    if math.isnan(low) or math.isnan(high):
        return Range()
    why = "; ".join(dict.fromkeys(one for one in (left.why, right.why) if one))
    nan = left.may_be_nan or right.may_be_nan or op in "*/"
    return Range(low, high, why=why, certain=left.certain and right.certain, may_be_nan=nan)


def _product(left: Range, right: Range) -> tuple[float, float]:
    corners = [
        0.0 if 0 in {first, second} else first * second
        for first in (left.low, left.high)
        for second in (right.low, right.high)
    ]
    return min(corners), max(corners)


def _quotient(left: Range, right: Range) -> tuple[float, float]:
    if right.low == right.high and right.low not in {0, INF, -INF}:
        ends = (left.low / right.low, left.high / right.low)
        return min(ends), max(ends)
    return (0.0, INF) if left.low >= 0 and right.low >= 0 else (-INF, INF)
