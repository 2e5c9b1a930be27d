"""The testbed's own series, in the service's names or in a dialect's: from its table of metrics, without running it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info
from prometheus_client.metrics import MetricWrapperBase

from faults.drills.lint.errors import NoSuchDialect
from faults.drills.lint.inventory import Inventory, Kind, Listed, inventory_of
from service.telemetry.dialects import load_dialects
from service.telemetry.export import ExportCollector
from service.telemetry.metrics import DEFINITIONS, Metrics
from service.telemetry.translation import RUNTIME


@cache
def testbed_inventory(  # it is no test
    dialect: str = "",  # noqa: PT028 - as above
    folder: Path | None = None,  # noqa: PT028 - as above
) -> Inventory:
    """Return the series of the service as ``dialect`` names them; empty: as the service does.

    Only who chose a dialect has said that these are the metrics meant, labels and buckets included: without one a
    common name may be another's, and no proof rests on those. ``folder`` has dialects beside the built-in ones. Raises
    ``NoSuchDialect``, and ``service.errors.BadDialects``.
    """
    registry = CollectorRegistry()
    Metrics(registry)
    runtime = inventory_of((one for one in registry.collect() if one.name.startswith(RUNTIME)), "")
    if not dialect:
        source = "the service's metrics"
        own = [
            one
            for each in DEFINITIONS.values()
            for one in _series(each.name, each.type, each.labels, each.buckets, each.help)
        ]
        own += inventory_of(ExportCollector(()).collect(), "").series.values()
        has_runtime = True
    else:
        dialects = load_dialects(folder)
        if dialect not in dialects:
            raise NoSuchDialect(dialect, sorted(dialects))
        chosen = dialects[dialect]
        source, has_runtime = f"the service's metrics in dialect {dialect}", chosen.runtime
        own = [
            one
            for rule in chosen.metrics
            for one in _series(
                rule.name, rule.source.type, [label.name for label in rule.labels], rule.buckets, rule.help
            )
        ]
    series = {listed.name: listed for listed in own} | (dict(runtime.series) if has_runtime else {})
    histograms = {name.removesuffix("_bucket") for name, one in series.items() if one.kind is Kind.BUCKET}
    return Inventory(series, source, whole_families=True, common_names=not dialect, histograms=frozenset(histograms))


def _series(
    name: str, kind: type[MetricWrapperBase], labels: Iterable[str], bounds: tuple[float, ...], text: str
) -> Iterator[Listed]:
    """Yield the series of one metric. Of an info metric the labels are left open: they are set when it is."""
    known = dict.fromkeys(labels, frozenset[str]())
    if kind is Histogram:
        with_bound = {**known, "le": frozenset[str]()}
        yield Listed(f"{name}_bucket", Kind.BUCKET, with_bound, frozenset(with_bound), bounds, text)
        yield Listed(f"{name}_sum", Kind.SUM, known, frozenset(known), bounds, text)
        yield Listed(f"{name}_count", Kind.COUNT, known, frozenset(known), bounds, text)
    elif kind is Info:
        yield Listed(name, Kind.INFO, None, frozenset(), (), text)
    else:
        yield Listed(name, {Counter: Kind.COUNTER, Gauge: Kind.GAUGE}[kind], known, frozenset(known), (), text)
