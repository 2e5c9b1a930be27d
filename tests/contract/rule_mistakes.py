"""The mistakes that alert rules of ML services usually have and that promtool lets pass, found on the syntax tree.

Each check is a function from one alert to whether it has that mistake. Nothing is evaluated.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

from stack.pace import PRODUCTION_INTERVAL_S
from stack.rules.file import AlertingRule
from stack.rules.measures import COMPARISONS
from stack.rules.scale import LEAST_SAMPLES
from stack.rules.tree import Kind, Node, read_tree

TARGET_LABELS = frozenset({"job", "instance"})
LAST_VALUES = frozenset({"model_prediction_value", "model_feature_value"})
COUNTED_OVER_WINDOWS = frozenset({"rate", "irate", "increase"})
UNTOLD = frozenset({"vector", "absent", "time", "scalar", "label_replace", "label_join"})
STEPS = frozenset({"delta", "idelta", "deriv"})


@dataclass(frozen=True)
class Signal:
    """One sample name: the type of its metric, which part of a histogram it is, its labels, its finite buckets."""

    kind: str
    part: str = ""
    labels: frozenset[str] = frozenset()
    buckets: tuple[float, ...] = ()

    @property
    def rises(self) -> bool:
        """Whether it only ever rises."""
        return self.kind == "counter" or (self.kind == "histogram" and self.part != "")


Signals = Mapping[str, Signal]


def read_signals(exposition: str) -> dict[str, Signal]:
    """Return every sample name of a text exposition; a histogram's bare name is there, too."""
    found: dict[str, Signal] = {}
    for family in text_string_to_metric_families(exposition):
        bounds = {float(one.labels["le"]) for one in family.samples if "le" in one.labels}
        buckets = tuple(sorted(bounds - {float("inf")}))
        if family.type == "histogram":
            found[family.name] = Signal("histogram", buckets=buckets)
        for sample in family.samples:
            part = sample.name.removeprefix(family.name) if family.type == "histogram" else ""
            kind = "info" if sample.name.endswith("_info") else family.type
            known = found.get(sample.name, Signal(kind)).labels
            found[sample.name] = Signal(kind, part, known | set(sample.labels) | TARGET_LABELS, buckets)
    return found


@dataclass(frozen=True)
class Suspect:
    """One alert, with the signals that it may read and the alerts that it stands among."""

    rule: AlertingRule
    root: Node
    signals: Signals
    others: tuple[AlertingRule, ...]

    def reads(self, node: Node) -> Signal:
        """Return what a selector selects; a recorded series says its labels in its name."""
        name = metric(node)
        if ":" in name:
            level = name.split(":", 1)[0]
            return Signal("gauge", labels=frozenset(level.split("_")))
        return self.signals.get(name, Signal("unknown", labels=TARGET_LABELS))

    def selectors(self, below: Node | None = None) -> Iterator[Node]:
        """Yield the selectors below a node, or all."""
        return (node for node in (below or self.root).walk() if node.kind in {Kind.SELECTOR, Kind.MATRIX})

    def calls(self, names: Iterable[str], below: Node | None = None) -> Iterator[Node]:
        """Yield the calls of these functions."""
        wanted = frozenset(names)
        return (node for node in (below or self.root).walk() if node.kind is Kind.CALL and node.name in wanted)

    def operations(self, names: Iterable[str]) -> Iterator[tuple[Node, Node, Node]]:
        """Yield the operators of these names with their sides, parentheses taken off."""
        wanted = frozenset(names)
        for node in self.root.walk():
            if node.kind is Kind.BINARY and node.name in wanted:
                left, right = node.children
                yield node, bare(left), bare(right)


def metric(node: Node) -> str:
    """Return the metric name of a selector."""
    return node.name.split("{", 1)[0]


def bare(node: Node) -> Node:
    """Return ``node`` without parentheses around it."""
    return bare(node.children[0]) if node.kind is Kind.PAREN else node


def bare_histogram(suspect: Suspect) -> bool:
    """Say whether it reads a histogram's name without its suffix, or averages buckets."""
    averaged = (node for node in suspect.root.walk() if node.kind is Kind.AGGREGATE and node.name == "avg")
    return any(
        (signal := suspect.reads(node)).kind == "histogram" and not signal.part for node in suspect.selectors()
    ) or any(suspect.reads(node).part == "_bucket" for each in averaged for node in suspect.selectors(each))


def lifetime_value(suspect: Suspect) -> bool:
    """Say whether it has a quantile of buckets without ``rate``, or anything ``_over_time`` of what only rises."""
    quantiles = suspect.calls(["histogram_quantile"])
    of_all_time = (
        any(suspect.reads(node).part == "_bucket" for node in suspect.selectors(call))
        and not any(suspect.calls(COUNTED_OVER_WINDOWS, call))
        for call in quantiles
    )
    over_time = suspect.calls(["avg_over_time", "sum_over_time", "max_over_time", "min_over_time"])
    risen = (node for call in over_time for node in suspect.selectors(call) if suspect.reads(node).rises)
    return any(of_all_time) or any(True for _ in risen)


def rate_called_a_share(suspect: Suspect) -> bool:
    """Say whether its text speaks of a share and its expression divides nothing."""
    told = " ".join(suspect.rule.annotations.values())
    rates = any(suspect.reads(node).kind == "counter" for node in suspect.selectors())
    divides = any(True for _ in suspect.operations(["/"]))
    return "%" in told and rates and not divides and any(suspect.calls(COUNTED_OVER_WINDOWS))


def rate_of_a_gauge(suspect: Suspect) -> bool:
    """Say whether it has a rate of what may fall."""
    calls = suspect.calls(COUNTED_OVER_WINDOWS)
    return any(suspect.reads(node).kind == "gauge" for call in calls for node in suspect.selectors(call))


def labels_that_never_match(suspect: Suspect) -> bool:
    """Say whether two sides have different labels and nobody said which of them count."""
    for node, left, right in suspect.operations(["/", "*", "-", "+"]):
        here, there = _labels(suspect, left), _labels(suspect, right)
        if here is not None and there is not None and here != there and "LabelModifierType" not in node.modifier:
            return True
    return False


def bound_as_denominator(suspect: Suspect) -> bool:
    """Say whether it divides by something bounded from below, which hides little traffic."""
    return any(right.kind is Kind.CALL and right.name == "clamp_min" for _, _, right in suspect.operations(["/"]))


def never_or_always_zero(suspect: Suspect) -> bool:
    """Say whether it compares a counter or an info itself with 0."""
    return any(
        left.kind is Kind.SELECTOR and right.name == "0.0" and suspect.reads(left).kind in {"counter", "info"}
        for _, left, right in suspect.operations(["==", "<="])
    )


def silent_when_gone(suspect: Suspect) -> bool:
    """Say whether it waits for a 0 and nobody notices when the series is not there at all."""
    zero = (
        left
        for _, left, right in suspect.operations(["=="])
        if right.name == "0.0" and not (left.kind is Kind.SELECTOR and suspect.reads(left).kind in {"counter", "info"})
    )
    noticed = any("absent(" in other.expr or "absent_over_time(" in other.expr for other in suspect.others)
    return any(True for _ in zero) and not noticed


def delta_of_a_counter(suspect: Suspect) -> bool:
    """Say whether it has a difference of what only rises: traffic, and negative at a restart."""
    return any(suspect.reads(node).rises for call in suspect.calls(STEPS) for node in suspect.selectors(call))


def last_value(suspect: Suspect) -> bool:
    """Say whether it reads a gauge of the last request, which samples one per scrape."""
    return any(metric(node) in LAST_VALUES for node in suspect.selectors())


def above_the_highest_bucket(suspect: Suspect) -> bool:
    """Say whether it waits for a quantile above the highest finite bucket."""
    for _, left, right in suspect.operations([">", ">="]):
        if left.kind is Kind.CALL and left.name == "histogram_quantile" and right.kind is Kind.NUMBER:
            highest = [max(suspect.reads(node).buckets, default=float("inf")) for node in suspect.selectors(left)]
            if right.value >= max(highest, default=float("inf")):
                return True
    return False


def window_too_short(suspect: Suspect) -> bool:
    """Say whether a window holds less than two scrapes."""
    least_ms = LEAST_SAMPLES * PRODUCTION_INTERVAL_S * 1000
    return any(node.kind is Kind.MATRIX and node.range_ms < least_ms for node in suspect.root.walk())


def centred_on_the_wrong_value(suspect: Suspect) -> bool:
    """Say whether it takes 1 for the value of PSI or KS where nothing has drifted; it is 0."""
    return any(
        re.search(r"psi|_ks\b", metric(node)) and bare(call.children[0]).name == "-"
        for call in suspect.calls(["abs"])
        for node in suspect.selectors(call)
    )


CHECKS: Mapping[str, Callable[[Suspect], bool]] = {
    check.__name__.replace("_", " "): check
    for check in (
        *(bare_histogram, lifetime_value, rate_called_a_share, rate_of_a_gauge, labels_that_never_match),
        *(bound_as_denominator, silent_when_gone, delta_of_a_counter, last_value, above_the_highest_bucket),
        *(window_too_short, centred_on_the_wrong_value),
    )
} | {"never or always 0": never_or_always_zero}


def mistakes(rule: AlertingRule, signals: Signals, others: Iterable[AlertingRule]) -> frozenset[str]:
    """Return the names of the mistakes that ``rule`` has; ``others`` are all alerts that it stands among."""
    suspect = Suspect(rule, read_tree(rule.expr), signals, tuple(others))
    return frozenset(name for name, check in CHECKS.items() if check(suspect))


def _labels(suspect: Suspect, node: Node) -> frozenset[str] | None:
    """Return the labels of a node's result, ``None`` for a number or where they cannot be told."""
    found: frozenset[str] | None = None
    match node.kind:
        case Kind.SELECTOR | Kind.MATRIX:
            found = suspect.reads(node).labels
        case Kind.AGGREGATE if node.modifier.startswith("AggModifierType.By"):
            named = node.modifier.removeprefix("AggModifierType.By").strip()
            found = frozenset(each for each in named.split(",") if each)
        case Kind.AGGREGATE if not node.modifier:
            found = frozenset()
        case Kind.CALL if node.name not in UNTOLD:
            found = next((known for child in node.children if (known := _labels(suspect, child)) is not None), None)
            if found is not None and node.name == "histogram_quantile":
                found -= {"le"}
        case Kind.PAREN | Kind.UNARY | Kind.SUBQUERY:
            found = _labels(suspect, node.children[0])
        case Kind.BINARY:
            found = _labels(suspect, node.children[0])
            if found is None and node.name not in COMPARISONS:
                found = _labels(suspect, node.children[1])
    return found
