"""Proofs that an expression can never have a result, whatever is measured: step by step from its innermost parts.

What is not proved is left alone. A step that rests on a convention of names is told from one that is certain.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from faults.drills.lint.bounds import bounds_of
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
from faults.drills.lint.labels import apart, is_scalar, labels_of
from faults.drills.lint.ranges import Range
from faults.drills.lint.shapes import ABSENCE, bare, bucket_metrics, constant, selectors
from faults.drills.lint.writing import written


@dataclass(frozen=True)
class Proof:
    """That ``node`` never has a result, and therefore the whole that it was asked for."""

    node: Expr
    reason: str
    certain: bool = True
    """Whether no step goes by a convention of names."""


def empty(expr: Expr, facts: Facts) -> Proof | None:
    """Return the proof that ``expr`` never has a result, or ``None``: it may have one, or that is not known."""
    match expr:
        case Wrapped(inner) | Subquery(inner):
            return empty(inner, facts)
        case Selector():
            return _selected(expr, facts)
        case Call():
            return _called(expr, facts)
        case Aggregate():
            return empty(expr.inner, facts)
        case Binary():
            return _joined(expr, facts)
        case _:
            return None


def _selected(selector: Selector, facts: Facts) -> Proof | None:
    for label in {one.label for one in selector.matchers}:
        if contradiction := _contradiction(selector, label):
            return Proof(selector, contradiction)
    if facts.is_bare(selector.metric):
        reason = f"`{selector.metric}` is a histogram or summary: its series are named with a suffix, none is so bare"
        return Proof(selector, reason, facts.whole_families)
    if facts.missing(selector):
        source = facts.inventory.source if facts.inventory is not None else ""
        return Proof(selector, f"{source}, which was declared complete, has no series named `{selector.metric}`")
    return None


def _contradiction(selector: Selector, label: str) -> str:
    """Return why no value of ``label`` passes all matchers, which can be told where one of them asks for equality."""
    matchers = [one for one in selector.matchers if one.label == label]
    for one in matchers:
        if one.op == "=":
            for other in matchers:
                if not other.accepts(one.value):
                    first, second = (written(Selector("", (each,))) for each in (one, other))
                    return f"no series is selected by `{first}` and by `{second}`"
    return ""


def _called(call: Call, facts: Facts) -> Proof | None:
    if call.name in {*ABSENCE, "vector", "scalar", "time", "pi"}:
        return None
    proofs = [empty(one, facts) for one in call.arguments if not is_scalar(one)]
    found = next((one for one in proofs if one is not None), None)
    if found is not None or call.name != "histogram_quantile":
        return found
    inner = call.arguments[1]
    metrics = bucket_metrics(inner)
    labels = labels_of(inner, facts)
    if metrics and {one.metric for one in selectors(inner)} == metrics and labels.cannot_have("le"):
        certain = all(facts.of(one).certain for one in metrics)
        return Proof(call, f"`{written(inner)}` has lost the label `le`, without which there are no buckets", certain)
    return None


def _joined(binary: Binary, facts: Facts) -> Proof | None:  # noqa: PLR0911 - a case for each kind of node
    left, right = empty(binary.left, facts), empty(binary.right, facts)
    if binary.op == "or":
        return left if left is not None and right is not None else None
    if binary.op == "unless":
        return left or _taken_away(binary)
    for proof in (left, right):
        if proof is not None:
            return proof
    if opposed := _absent_and_present(binary):
        return Proof(binary, opposed)
    if separate := apart(binary, facts):
        label, certain = separate
        reason = (
            f"the two sides of `{binary.op}` never match: all series of one have the label `{label}`, none of the other"
        )
        return Proof(binary, reason, certain)
    if binary.op in COMPARISONS and not binary.as_bool:
        return _never_true(binary, facts)
    if binary.op == "and":
        return _opposed(binary, facts)
    return None


def _never_true(binary: Binary, facts: Facts) -> Proof | None:
    left, right = bounds_of(binary.left, facts), bounds_of(binary.right, facts)
    if left.never(binary.op, right):
        why = "; ".join(dict.fromkeys(one for one in (left.why, right.why) if one))
        return Proof(
            binary, f"`{written(binary)}` is never true{': ' + why if why else ''}", left.certain and right.certain
        )
    named = all(one.metric for one in selectors(binary))
    same = (
        named and bare(binary.left) == bare(binary.right) and binary.matches_all_labels and not is_scalar(binary.left)
    )
    if same and binary.op in {">", "<"}:
        return Proof(binary, f"both sides of `{written(binary)}` are the same")
    return None


def _absent_and_present(binary: Binary) -> str:
    """Return why ``binary`` has no result where one side is there only when what the other reads is not."""
    for one, other in ((binary.left, binary.right), (binary.right, binary.left)):
        gone = bare(one)
        if not isinstance(gone, Call) or gone.name != "absent" or not isinstance(gone.arguments[0], Selector):
            continue
        needed, missing = _required(other), gone.arguments[0]
        for selector in needed:
            alike = (selector.metric, selector.offset_ms, selector.at) == (
                missing.metric,
                missing.offset_ms,
                missing.at,
            )
            if alike and set(missing.matchers) <= set(selector.matchers):
                return (
                    f"`{written(gone)}` has a result only where `{written(selector)}` has none, and both are asked for"
                )
    return ""


def _required(expr: Expr) -> list[Selector]:  # noqa: PLR0911 - a case for each kind of node
    """Return instant selectors without which ``expr`` has no result."""
    match expr:
        case Selector():
            return [] if expr.range_ms else [expr]
        case Wrapped(inner) | Aggregate(_, inner):
            return _required(inner)
        case Call(name) if name in {*ABSENCE, "vector", "scalar"}:
            return []
        case Call(_, arguments):
            return [one for argument in arguments for one in _required(argument)]
        case Binary("or"):
            return []
        case Binary("unless", left):
            return _required(left)
        case Binary(_, left, right):
            return _required(left) + _required(right)
        case _:
            return []


def _taken_away(binary: Binary) -> Proof | None:
    """Return the proof that ``unless`` leaves nothing: behind it stands the same, with no other condition."""
    kept, taken = bare(binary.left), bare(binary.right)
    if not binary.matches_all_labels:
        return None
    unfiltered = _unfiltered(kept)
    if taken in {kept, unfiltered}:
        return Proof(binary, f"`unless` takes away all of `{written(kept)}`: the same stands behind it")
    return None


def _unfiltered(expr: Expr) -> Expr:
    """Return what ``expr`` is a part of: without its comparisons with numbers."""
    expr = bare(expr)
    while isinstance(expr, Binary) and expr.op in COMPARISONS and not expr.as_bool and constant(expr.right) is not None:
        expr = bare(expr.left)
    return expr


def _opposed(binary: Binary, facts: Facts) -> Proof | None:
    """Return the proof that two conditions on the same value, joined by ``and``, are never true together."""
    ranges: list[tuple[Expr, Range]] = []
    for part in _conjuncts(binary):
        value, within = _condition(part, facts)
        for known, earlier in ranges:
            if known == value and all(one.metric for one in selectors(value)) and earlier.never("==", within):
                reason = f"what is asked of `{written(value)}` on the two sides of `and` is never true together"
                return Proof(binary, reason)
        ranges.append((value, within))
    return None


def _conjuncts(expr: Expr) -> list[Expr]:
    """Return what ``and`` joins, as long as series meet only with the very same labels."""
    inner = bare(expr)
    if isinstance(inner, Binary) and inner.op == "and" and inner.matches_all_labels:
        return _conjuncts(inner.left) + _conjuncts(inner.right)
    return [inner]


def _condition(part: Expr, facts: Facts) -> tuple[Expr, Range]:
    value, within = part, Range()
    while isinstance(value, Binary) and value.op in COMPARISONS and not value.as_bool:
        threshold = constant(value.right)
        if threshold is None:
            break
        bounds = bounds_of(value.right, facts)
        narrowed = replace(within, may_be_nan=False)
        within = narrowed if value.op == "!=" else narrowed.narrowed(value.op, bounds)
        value = bare(value.left)
    return value, within
