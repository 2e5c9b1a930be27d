"""Metrics in a dialect, worked out from the collected registry at each scrape: no request pays for it."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from prometheus_client import Histogram, Info, Metric
from prometheus_client.samples import Exemplar

from service.telemetry.dialects import Dialect, MetricRule
from service.telemetry.exposition import Source, number

RUNTIME = ("process_", "python_")
Key = tuple[str, ...]


@dataclass
class Pile:
    """One histogram series in the making: cumulative counts by bound, their sum, and the newest exemplar of each."""

    buckets: dict[float, float] = field(default_factory=dict)
    exemplars: dict[float, Exemplar] = field(default_factory=dict)
    total: float = 0.0
    count: float = 0.0

    def keep(self, bound: float, exemplar: Exemplar) -> None:
        """Keep ``exemplar`` unless there is a newer one."""
        before = self.exemplars.get(bound)
        if before is None or float(before.timestamp or 0) <= float(exemplar.timestamp or 0):
            self.exemplars[bound] = exemplar


class Translation:
    """The metrics of ``registry`` as ``dialect`` has them; to be collected like a registry."""

    def __init__(self, dialect: Dialect, registry: Source) -> None:
        self._dialect, self._registry = dialect, registry

    def collect(self) -> Iterator[Metric]:
        """Yield the dialect's families; those without a series are left out."""
        families = {family.name: family for family in self._registry.collect()}
        for rule in self._dialect.metrics:
            family = families.get(rule.source.name.removesuffix("_total").removesuffix("_info"))
            if family is not None:
                translated = _translate(rule, family)
                if translated.samples:
                    yield translated
        if self._dialect.runtime:
            yield from (family for name, family in families.items() if name.startswith(RUNTIME))


def _translate(rule: MetricRule, family: Metric) -> Metric:
    if rule.source.type is Histogram:
        return _histogram(rule, family)
    if rule.source.type is Info:
        return _info(rule, family)
    return _scalar(rule, family)


def _scalar(rule: MetricRule, family: Metric) -> Metric:
    """Return a counter or gauge, aggregated over the labels that are dropped."""
    values: dict[Key, float] = {}
    for sample in family.samples:
        key = _key(rule, sample.labels)
        if key is not None:
            known = values.get(key)
            values[key] = sample.value if known is None else _joined(rule.aggregate, known, sample.value)
    translated = Metric(rule.name.removesuffix("_total"), rule.help, family.type)
    for key, value in values.items():
        translated.add_sample(rule.name, _labels(rule, key), value)
    return translated


def _joined(aggregate: str, known: float, value: float) -> float:
    """Return two values as one; a NaN, which stands for no reading, gives way to any."""
    if math.isnan(value):
        return known
    if math.isnan(known) or aggregate == "last":
        return value
    if aggregate == "sum":
        return known + value
    return min(known, value) if aggregate == "min" else max(known, value)


def _info(rule: MetricRule, family: Metric) -> Metric:
    """Return an info metric under its new name."""
    translated = Metric(rule.name.removesuffix("_info"), rule.help, "info")
    for sample in family.samples:
        if _wanted(rule, sample.labels):
            translated.add_sample(rule.name, sample.labels, sample.value)
    return translated


def _histogram(rule: MetricRule, family: Metric) -> Metric:
    """Return a histogram: summed over the labels that are dropped, with the rule's buckets.

    Cumulative buckets may be left out without changing the others. The exemplar of one that is left out goes to the
    next one that is kept.
    """
    piles: dict[Key, Pile] = {}
    bounds = (*rule.buckets, math.inf)
    for sample in family.samples:
        key = _key(rule, sample.labels)
        if key is None:
            continue
        pile = piles.get(key)
        if pile is None:
            pile = piles[key] = Pile()
        if sample.name.endswith("_bucket"):
            bound = float(sample.labels["le"])
            nearest = bounds[bisect_left(bounds, bound)]
            if nearest == bound:
                pile.buckets[bound] = pile.buckets.get(bound, 0.0) + sample.value
            if sample.exemplar:
                pile.keep(nearest, sample.exemplar)
        elif sample.name.endswith("_count"):
            pile.count += sample.value
        else:
            pile.total += sample.value
    return _piled(rule, bounds, piles.items())


def _piled(rule: MetricRule, bounds: Iterable[float], piles: Iterable[tuple[Key, Pile]]) -> Metric:
    translated = Metric(rule.name, rule.help, "histogram")
    for key, pile in piles:
        labels = _labels(rule, key)
        for bound in bounds:
            with_bound = {**labels, "le": number(bound)}
            exemplar = pile.exemplars.get(bound)
            translated.add_sample(f"{rule.name}_bucket", with_bound, pile.buckets[bound], exemplar=exemplar)
        translated.add_sample(f"{rule.name}_count", labels, pile.count)
        translated.add_sample(f"{rule.name}_sum", labels, pile.total)
    return translated


def _wanted(rule: MetricRule, labels: dict[str, str]) -> bool:
    return all(labels.get(label) == value for label, value in rule.where.items())


def _key(rule: MetricRule, labels: dict[str, str]) -> Key | None:
    """Return the exposed label values of a sample, or ``None`` where the rule leaves it out."""
    return tuple([label.value(labels[label.source]) for label in rule.labels]) if _wanted(rule, labels) else None


def _labels(rule: MetricRule, key: Key) -> dict[str, str]:
    return {label.name: value for label, value in zip(rule.labels, key, strict=True)}
