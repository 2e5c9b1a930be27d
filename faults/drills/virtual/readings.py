"""The numbers of a registry without the text: each sample's place in a table of series, and its value.

Collecting families as a scrape does costs 4 µs a sample. Here the children of each metric are looked up once, their
values read one by one. It reads what ``prometheus_client`` keeps inside (0.2x); a test holds every number against
the families that its own ``collect`` yields. Nothing is written, and exemplars are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric
from prometheus_client.metrics import MetricWrapperBase

from service.telemetry.dialects import Dialect
from service.telemetry.exposition import number
from service.telemetry.features import KS, PSI, VALUE, ZSCORE, FeatureCollector, FeatureSeries
from service.telemetry.translation import RUNTIME, Translation

ColumnOf = Callable[[str, Mapping[str, str]], int]
"""Gives a series, by name and labels, its place in the table."""
Reading = tuple[Sequence[int], Sequence[float]]
"""Places and values of what was read."""
Wanted = Callable[[str], bool]


class Readings:
    """Reads the samples of ``registry`` whose names are wanted."""

    def __init__(self, registry: CollectorRegistry, wanted: Wanted, column_of: ColumnOf) -> None:
        self._wanted, self._column_of = wanted, column_of
        self._plans: list[_Plan | _FeaturePlan] = []
        self._others: list[Any] = []
        self._known: dict[tuple[str, tuple[tuple[str, str], ...]], int] = {}
        for collector, names in registry._collector_to_names.items():  # noqa: SLF001 - there is no public way
            if not any(map(wanted, names)):
                continue
            if isinstance(collector, Counter | Gauge | Histogram):
                self._plans.append(_Plan(collector, wanted, column_of))
            elif isinstance(collector, FeatureCollector):
                self._plans.append(_FeaturePlan(collector, wanted, column_of))
            else:
                self._others.append(collector)

    def read(self) -> Reading:
        """Return the samples as they are now."""
        columns: list[int] = []
        values: list[float] = []
        for plan in self._plans:
            plan.read(columns, values)
        known = self._known
        for collector in self._others:
            for family in collector.collect():
                for sample in family.samples:
                    if self._wanted(sample.name):
                        key = (sample.name, tuple(sample.labels.items()))
                        column = known.get(key)
                        if column is None:
                            column = known[key] = self._column_of(sample.name, sample.labels)
                        columns.append(column)
                        values.append(sample.value)
        return columns, values


class _Plan:
    """One metric: where the value of each sample lies, worked out anew when its children change."""

    def __init__(self, metric: MetricWrapperBase, wanted: Wanted, column_of: ColumnOf) -> None:
        self._metric, self._wanted, self._column_of = metric, wanted, column_of
        self._children: list[Any] | None = None
        self._columns: list[int] = []
        self._singles: list[Callable[[], float]] = []
        self._piles: list[tuple[tuple[Any, ...], Any, tuple[int, ...]]] = []
        """Of each histogram: the values of its buckets, its sum, and which of all its samples are wanted."""

    def read(self, columns: list[int], values: list[float]) -> None:
        """Append the places and the values of all samples."""
        metric: Any = self._metric
        children = list(metric._metrics.values()) if metric._labelnames else [metric]  # noqa: SLF001 - as above
        if children != self._children:
            self._children = children
            self._look()
        columns += self._columns
        values += [get() for get in self._singles]
        for buckets, total, kept in self._piles:
            counts = list(accumulate([one._value for one in buckets]))  # noqa: SLF001 - as above, without its lock
            counts += (counts[-1], total._value)  # noqa: SLF001 - as above
            values += [counts[index] for index in kept]

    def _look(self) -> None:
        metric: Any = self._metric
        name = metric._name  # noqa: SLF001 - as above
        self._columns, self._singles, self._piles = [], [], []
        for child in self._children or ():
            labels = dict(zip(metric._labelnames, child._labelvalues, strict=False))  # noqa: SLF001 - as above
            if isinstance(child, Histogram):
                self._add_histogram(name, labels, child)
            elif isinstance(child, Counter):
                if not self._wanted(f"{name}_total"):
                    continue
                self._columns.append(self._column_of(f"{name}_total", labels))
                self._singles.append(child._value.get)  # noqa: SLF001 - as above
            else:
                self._columns.append(self._column_of(name, labels))
                self._singles.append(_gauge(child))

    def _add_histogram(self, name: str, labels: Mapping[str, str], child: Any) -> None:
        bounds = child._upper_bounds  # noqa: SLF001 - as above
        wanted = self._wanted
        kept: list[int] = []
        if wanted(f"{name}_bucket"):
            kept += range(len(bounds))
            self._columns += [self._column_of(f"{name}_bucket", {**labels, "le": number(one)}) for one in bounds]
        for offset, suffix in enumerate(("_count", "_sum")):
            if wanted(name + suffix):
                kept.append(len(bounds) + offset)
                self._columns.append(self._column_of(name + suffix, labels))
        if kept:
            self._piles.append((tuple(child._buckets), child._sum, tuple(kept)))  # noqa: SLF001 - as above


class _FeaturePlan:
    """The feature metrics of all models: as their collector works them out, and no more than is wanted put together."""

    def __init__(self, collector: FeatureCollector, wanted: Wanted, column_of: ColumnOf) -> None:
        self._collector, self._wanted, self._column_of = collector, wanted, column_of
        self._known: list[tuple[FeatureSeries, tuple[list[int], ...], list[int], tuple[bool, bool, bool]]] = []

    def read(self, columns: list[int], values: list[float]) -> None:
        """Append the places and the values of all samples."""
        born = self._collector.born
        if len(born) > len(self._known):
            self._known += [self._looked_up(series) for series in born[len(self._known) :]]
        for series, gauges, piled, (buckets, count, total) in self._known:
            series.work()
            for places, found in zip(gauges, series.readings(), strict=True):
                if places:
                    columns += places
                    values += found
            if not piled:
                continue
            columns += piled
            counts, sums = series.zscores()
            for row, whole in zip(counts.tolist(), sums.tolist(), strict=True):
                values += row if buckets else ()
                values += (row[-1],) if count else ()
                values += (whole,) if total else ()

    def _looked_up(
        self, series: FeatureSeries
    ) -> tuple[FeatureSeries, tuple[list[int], ...], list[int], tuple[bool, bool, bool]]:
        """Return ``series`` with the places of its gauges, of its z-scores, and which of the latter are wanted."""
        place, wanted, labels = self._column_of, self._wanted, self._collector.labels(series)
        gauges = tuple([place(name, each) for each in labels] if wanted(name) else [] for name in (VALUE, PSI, KS))
        buckets, count, total = (wanted(f"{ZSCORE}{suffix}") for suffix in ("_bucket", "_count", "_sum"))
        piled: list[int] = []
        for each in labels:
            if buckets:
                piled += [place(f"{ZSCORE}_bucket", {**each, "le": bound}) for bound in self._collector.bounds]
            piled += [place(f"{ZSCORE}_count", each)] if count else []
            piled += [place(f"{ZSCORE}_sum", each)] if total else []
        return series, gauges, piled, (buckets, count, total)


def _gauge(child: Any) -> Callable[[], float]:
    """Return what reads a gauge, which may have a function in the place of a value."""

    def read() -> float:
        value: float = child._child_samples()[0].value  # noqa: SLF001 - as above
        return value

    return read


class TranslatedReadings:
    """Reads the samples of a dialect whose names are wanted."""

    def __init__(self, registry: CollectorRegistry, dialect: Dialect, wanted: Wanted, column_of: ColumnOf) -> None:
        rules = tuple(rule for rule in dialect.metrics if any(map(wanted, _names(rule.name))))
        sources = {rule.source.name for rule in rules}
        self._wanted, self._column_of = wanted, column_of
        self._source = _Families(registry, sources, wanted if dialect.runtime else None)
        self._translation = Translation(replace(dialect, metrics=rules), self._source)
        self._known: dict[tuple[str, tuple[tuple[str, str], ...]], int] = {}

    def read(self) -> Reading:
        """Return the samples as they are now."""
        columns: list[int] = []
        values: list[float] = []
        known = self._known
        for family in self._translation.collect():
            for sample in family.samples:
                if not self._wanted(sample.name):
                    continue
                key = (sample.name, tuple(sample.labels.items()))
                column = known.get(key)
                if column is None:
                    column = known[key] = self._column_of(sample.name, sample.labels)
                columns.append(column)
                values.append(sample.value)
        return columns, values


class _Families:
    """A part of a registry: the collectors of some metrics."""

    def __init__(self, registry: CollectorRegistry, names: Iterable[str], runtime: Wanted | None) -> None:
        """``runtime``: which metrics of the process and its interpreter are wanted beside ``names``."""
        stems = {name.removesuffix("_total").removesuffix("_info") for name in names}
        self._collectors = [
            collector
            for collector, known in registry._collector_to_names.items()  # noqa: SLF001 - as above
            if stems & set(known) or (runtime and any(name.startswith(RUNTIME) and runtime(name) for name in known))
        ]

    def collect(self) -> Iterator[Metric]:
        """Yield their families."""
        for collector in self._collectors:
            yield from collector.collect()


def _names(name: str) -> tuple[str, ...]:
    return name, *(f"{name}{suffix}" for suffix in ("_bucket", "_count", "_sum"))
