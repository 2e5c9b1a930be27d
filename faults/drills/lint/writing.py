"""An expression written out again, on one line: for messages that quote a part of it, and for suggested repairs."""

from __future__ import annotations

import json
import math

from faults.drills.lint.expression import (
    Aggregate,
    Binary,
    Call,
    Expr,
    Matcher,
    Number,
    Selector,
    Subquery,
    Text,
    Wrapped,
)
from stack.rules.durations import format_duration


def written(expr: Expr) -> str:  # noqa: PLR0911 - a case for each kind of node
    """Return ``expr`` as PromQL."""
    match expr:
        case Number(value):
            return _number(value)
        case Text(value):
            return json.dumps(value, ensure_ascii=False)
        case Selector():
            return _selector(expr)
        case Call(name, arguments):
            return f"{name}({', '.join(map(written, arguments))})"
        case Aggregate():
            return _aggregate(expr)
        case Binary():
            return f"{written(expr.left)} {expr.op}{_matching(expr)} {written(expr.right)}"
        case Wrapped(inner, negative):
            return f"-{written(inner)}" if negative else f"({written(inner)})"
        case Subquery(inner, range_ms, step_ms):
            step = _span(step_ms) if step_ms else ""
            return f"{written(inner)}[{_span(range_ms)}:{step}]{_shift(expr.offset_ms, expr.at)}"
        case _:
            raise TypeError(f"no way to write a {type(expr).__name__}")


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


def _selector(expr: Selector) -> str:
    matchers = f"{{{', '.join(map(_matcher, expr.matchers))}}}" if expr.matchers or not expr.metric else ""
    window = f"[{_span(expr.range_ms)}]" if expr.range_ms else ""
    return f"{expr.metric}{matchers}{window}{_shift(expr.offset_ms, expr.at)}"


def _matcher(matcher: Matcher) -> str:
    return f"{matcher.label}{matcher.op}{json.dumps(matcher.value, ensure_ascii=False)}"


def _shift(offset_ms: int, at: str) -> str:
    pinned = f" @ {at.removeprefix('@').strip()}" if at else ""
    if not offset_ms:
        return pinned
    return f"{pinned} offset {'-' if offset_ms < 0 else ''}{_span(abs(offset_ms))}"


def _span(milliseconds: int) -> str:
    return format_duration(milliseconds / 1000)


def _aggregate(expr: Aggregate) -> str:
    arguments = ", ".join(map(written, expr.children))
    if expr.labels is None:
        return f"{expr.op}({arguments})"
    return f"{expr.op} {'without' if expr.without else 'by'} ({', '.join(expr.labels)}) ({arguments})"


def _matching(expr: Binary) -> str:
    text = " bool" if expr.as_bool else ""
    if expr.on is not None:
        text += f" on ({', '.join(expr.on)})"
    elif expr.ignoring is not None:
        text += f" ignoring ({', '.join(expr.ignoring)})"
    return text + (f" group_{expr.group} ({', '.join(expr.include)})" if expr.group else "")
