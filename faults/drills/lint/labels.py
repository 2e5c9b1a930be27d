"""Which labels the result of an expression can carry, worked out bottom-up; values are left to those who evaluate.

Two vectors meet only where their labels are equal, a label that is missing being the same as an empty one. So a label
that one side surely has and the other cannot have keeps them apart for ever.
"""

from __future__ import annotations

from dataclasses import dataclass

from faults.drills.lint.expression import (
    SETS,
    Aggregate,
    Binary,
    Call,
    Expr,
    Selector,
    Subquery,
    Text,
    Wrapped,
)
from faults.drills.lint.facts import Facts

_NONE: frozenset[str] = frozenset()
_KEEP_ALL = frozenset({"topk", "bottomk", "limitk", "limit_ratio"})


@dataclass(frozen=True)
class Labels:
    """What is known of the labels of every series of a result."""

    may: frozenset[str] | None
    """The labels that one can have; ``None``: any but those in ``never``."""
    must: frozenset[str]
    """The labels that each one has, and that are not empty."""
    never: frozenset[str] = _NONE
    """Labels that none has, where ``may`` does not say it."""
    certain: bool = True
    """Whether none of this goes by a convention."""

    def cannot_have(self, label: str) -> bool:
        """Say whether no series has ``label``."""
        return label in self.never or (self.may is not None and label not in self.may)

    def only(self, labels: frozenset[str]) -> Labels:
        """Return what is left when all labels but ``labels`` are dropped."""
        may = frozenset(label for label in labels if not self.cannot_have(label))
        return Labels(may, self.must & labels, certain=self.certain)

    def without(self, labels: frozenset[str]) -> Labels:
        """Return what is left when ``labels`` are dropped."""
        may = None if self.may is None else self.may - labels
        return Labels(may, self.must - labels, self.never | labels, self.certain)


ANY = Labels(None, _NONE)
BARE = Labels(_NONE, _NONE)


def labels_of(expr: Expr, facts: Facts) -> Labels:
    """Return the labels that the result of ``expr`` carries, its name left out."""
    match expr:
        case Selector():
            return _selected(expr, facts)
        case Wrapped(inner) | Subquery(inner):
            return labels_of(inner, facts)
        case Call():
            return _called(expr, facts)
        case Aggregate():
            return _aggregated(expr, facts)
        case Binary():
            return _joined(expr, facts)
        case _:
            return BARE


def _selected(selector: Selector, facts: Facts) -> Labels:
    """Return the labels of a selector's series. Those of the target, as job and instance, are in no inventory."""
    demanded = frozenset(one.label for one in selector.matchers if one.label != "__name__" and not one.accepts(""))
    refused = frozenset(one.label for one in selector.matchers if (one.op, one.value) == ("=", ""))
    known = facts.known(selector)
    if known.listed is None or known.listed.labels is None or facts.inventory is None:
        return Labels(None, demanded, refused)
    others = facts.inventory.label_names - frozenset(known.listed.labels)
    return Labels(None, demanded | known.listed.always, refused | (others - demanded), facts.shapes_are_certain)


def _called(call: Call, facts: Facts) -> Labels:
    arguments = [labels_of(one, facts) for one in call.arguments]
    if call.name in {"absent", "absent_over_time"}:
        inner = call.arguments[0]
        equal = inner.matchers if isinstance(inner, Selector) else ()
        named = frozenset(one.label for one in equal if one.op == "=" and one.value)
        return Labels(named, _NONE)
    if call.name in {"vector", "time", "scalar", "pi"} or not arguments:
        return BARE
    if call.name in {"histogram_quantile", "histogram_fraction"}:
        return arguments[-1].without(frozenset({"le"}))
    if call.name in {"label_replace", "label_join"}:
        written = call.arguments[1]
        target = frozenset({written.value}) if isinstance(written, Text) else _NONE
        first = arguments[0]
        may = None if first.may is None else first.may | target
        return Labels(may, first.must - target, first.never - target, first.certain)
    return arguments[1] if call.name == "quantile_over_time" else arguments[0]


def _aggregated(aggregate: Aggregate, facts: Facts) -> Labels:
    inner = labels_of(aggregate.inner, facts)
    if aggregate.op in _KEEP_ALL:
        return inner
    labels = frozenset(aggregate.labels or ())
    kept = inner.without(labels) if aggregate.without else inner.only(labels)
    if aggregate.op == "count_values" and isinstance(aggregate.parameter, Text):
        added = frozenset({aggregate.parameter.value})
        may = None if kept.may is None else kept.may | added
        return Labels(may, kept.must | added, kept.never - added, kept.certain)
    return kept


def _joined(binary: Binary, facts: Facts) -> Labels:  # noqa: PLR0911 - a case for each kind of node
    left, right = labels_of(binary.left, facts), labels_of(binary.right, facts)
    if is_scalar(binary.right):
        return left
    if is_scalar(binary.left):
        return right
    if binary.op == "or":
        may = None if left.may is None or right.may is None else left.may | right.may
        never = frozenset(
            label for label in left.never | right.never if left.cannot_have(label) and right.cannot_have(label)
        )
        return Labels(may, left.must & right.must, never, left.certain and right.certain)
    if binary.op in SETS:
        return left
    if binary.group:
        many, one = (left, right) if binary.group == "left" else (right, left)
        include = frozenset(binary.include)
        may = None if many.may is None else many.may | include
        return Labels(may, (many.must - include) | (one.must & include), many.never - include, many.certain)
    if binary.on is not None:
        return left.only(frozenset(binary.on))
    return left.without(frozenset(binary.ignoring or ()))


def apart(binary: Binary, facts: Facts) -> tuple[str, bool] | None:
    """Return a label that one side surely has and the other cannot have, and whether no convention is in this.

    ``None`` where the two sides may meet, or are not two vectors.
    """
    if is_scalar(binary.left) or is_scalar(binary.right) or binary.op in {"or", "unless"}:
        return None
    left, right = labels_of(binary.left, facts), labels_of(binary.right, facts)
    for one, other in ((left, right), (right, left)):
        for label in sorted(one.must):
            compared = label in binary.on if binary.on is not None else label not in (binary.ignoring or ())
            if compared and other.cannot_have(label):
                return label, one.certain and other.certain
    return None


def is_scalar(expr: Expr) -> bool:
    """Say whether ``expr`` is a number and no vector."""
    match expr:
        case Wrapped(inner):
            return is_scalar(inner)
        case Binary(_, left, right):
            return is_scalar(left) and is_scalar(right)
        case Call(name):
            return name in {"scalar", "time", "pi"}
        case Selector() | Aggregate() | Subquery():
            return False
        case _:
            return True
