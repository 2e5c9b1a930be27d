"""Which series there are, with type, labels and buckets: what an expression alone cannot tell.

Read from what an endpoint answers with, or put together by whoever knows. It never says what a series' value is.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from types import MappingProxyType

from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as untyped_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from faults.drills.lint.errors import UnreadableInventory

_NO_LABELS: Mapping[str, frozenset[str]] = MappingProxyType({})


class Kind(StrEnum):
    """What a series holds."""

    COUNTER = "counter"
    GAUGE = "gauge"
    BUCKET = "bucket of a histogram"
    SUM = "sum"
    COUNT = "count"
    QUANTILE = "quantile of a summary"
    INFO = "info"
    UNKNOWN = "unknown"

    @property
    def only_rises(self) -> bool:
        """Whether it falls only when its process starts anew."""
        return self in {Kind.COUNTER, Kind.BUCKET, Kind.SUM, Kind.COUNT}


@dataclass(frozen=True)
class Listed:
    """All series of one name."""

    name: str
    kind: Kind
    labels: Mapping[str, frozenset[str]] | None = None
    """The values of each label, none where they are not known; ``None`` where the labels are not known either."""
    always: frozenset[str] = frozenset()
    """The labels that each of the series has, and that are not empty."""
    bounds: tuple[float, ...] = ()
    """The finite bounds of a histogram's buckets, ascending, where this is one of its series."""
    help: str = ""
    guessed: bool = False
    """Whether the kind is none that was stated, but follows from name and value."""


@dataclass(frozen=True)
class Inventory:
    """The series of one place."""

    series: Mapping[str, Listed]
    source: str
    complete: bool = False
    """Whether it was declared that there are no other series."""
    whole_families: bool = False
    """Whether a metric that is listed has all of its series here, and a histogram no bare one beside its buckets."""
    common_names: bool = False
    """Whether a rule may mean other metrics of the same names, which have other labels and buckets."""
    histograms: frozenset[str] = field(default_factory=frozenset)
    """Names of classic histograms and summaries, without a suffix."""

    @cached_property
    def label_names(self) -> frozenset[str]:
        """Return every label that some series has."""
        return frozenset(label for one in self.series.values() for label in one.labels or ())

    def of(self, name: str) -> Listed | None:
        """Return the series named ``name``, those that Prometheus itself adds to each target included."""
        return self.series.get(name) or OWN.get(name)

    def is_bare(self, name: str) -> bool:
        """Say whether ``name`` is that of a histogram or summary whose series have longer names only."""
        return name in self.histograms and name not in self.series


OWN: Mapping[str, Listed] = MappingProxyType(
    {
        name: Listed(name, Kind.GAUGE)
        for name in (
            "up",
            "scrape_duration_seconds",
            "scrape_samples_scraped",
            "scrape_samples_post_metric_relabeling",
            "scrape_series_added",
            "scrape_body_size_bytes",
            "scrape_sample_limit",
            "scrape_timeout_seconds",
            "ALERTS",
            "ALERTS_FOR_STATE",
        )
    }
)
"""What Prometheus itself writes."""

_NAMES = re.compile(r"^(?:# TYPE )?([a-zA-Z_:][\w:]*)", re.MULTILINE)
_PARTS = {
    "counter": (("_total", Kind.COUNTER),),
    "info": (("_info", Kind.INFO),),
    "histogram": (("_bucket", Kind.BUCKET), ("_sum", Kind.SUM), ("_count", Kind.COUNT)),
    "summary": (("_sum", Kind.SUM), ("_count", Kind.COUNT)),
    "gaugehistogram": (("_bucket", Kind.UNKNOWN), ("_gsum", Kind.UNKNOWN), ("_gcount", Kind.UNKNOWN)),
}


def read_inventory(text: str, source: str, complete: bool = False) -> Inventory:
    """Return the series of an exposition, in either format; raise ``UnreadableInventory``, which names ``source``.

    ``complete`` declares that there are no others.
    """
    openmetrics = text.rstrip().endswith("# EOF")
    try:
        families = list(_read_openmetrics(text) if openmetrics else _as_exposed(read_text(text), text))
    except (ValueError, KeyError, IndexError) as error:
        line = 0 if openmetrics else _first_bad_line(text)
        raise UnreadableInventory(source, line, f"it is no exposition ({error})") from None
    inventory = inventory_of(families, source)
    if not inventory.series:
        raise UnreadableInventory(source, 0, "it lists no series")
    return replace(inventory, complete=complete, whole_families=complete)


def _read_openmetrics(text: str) -> Iterator[Metric]:
    families: Iterator[Metric] = untyped_openmetrics(text)  # type: ignore[no-untyped-call]
    return families


def _as_exposed(families: Iterable[Metric], text: str) -> Iterator[Metric]:
    """Yield ``families`` with their counters named as in ``text``: the reader adds `_total` where it is missing."""
    exposed = set(_NAMES.findall(text))
    for family in families:
        full = f"{family.name}_total"
        if family.type == "counter" and full not in exposed:
            plain = Metric(family.name, family.documentation, "counter")
            plain.samples = [sample._replace(name=family.name) for sample in family.samples if sample.name == full]
            yield plain
        else:
            yield family


def inventory_of(families: Iterable[Metric], source: str) -> Inventory:
    """Return the series of ``families``, those without a sample by their type alone."""
    series: dict[str, Listed] = {}
    histograms = set()
    for family in families:
        series |= {listed.name: listed for listed in _listed(family)}
        if family.type in {"histogram", "summary"} and not any(one.name == family.name for one in family.samples):
            histograms.add(family.name)
    return Inventory(MappingProxyType(series), source, histograms=frozenset(histograms))


def _listed(family: Metric) -> Iterator[Listed]:
    labels: dict[str, list[Mapping[str, str]]] = defaultdict(list)
    values: dict[str, set[float]] = defaultdict(set)
    bounds = set()
    for sample in family.samples:
        labels[sample.name].append(sample.labels)
        values[sample.name].add(sample.value)
        if sample.name.endswith("_bucket") and "le" in sample.labels:
            bounds.add(float(sample.labels["le"]))
    finite = tuple(sorted(bound for bound in bounds if math.isfinite(bound)))
    expected = {f"{family.name}{suffix}" for suffix, _ in _PARTS.get(family.type, (("", None),))}
    for name in sorted({*labels, *(expected if not labels else ())}):
        kind = _kind(family.type, family.name, name)
        # the older text format has no type for an info metric
        guessed = kind is Kind.GAUGE and name.endswith("_info") and values[name] <= {1.0}
        seen = labels.get(name)
        yield Listed(
            name,
            Kind.INFO if guessed else kind,
            None if seen is None else _values(seen),
            frozenset() if seen is None else _common(seen),
            finite if family.type == "histogram" else (),
            family.documentation,
            guessed,
        )


def _kind(family_type: str, family: str, name: str) -> Kind:
    for suffix, kind in _PARTS.get(family_type, ()):
        if name == f"{family}{suffix}" or (family_type == "counter" and name == family):
            return kind
    if family_type == "summary":
        return Kind.QUANTILE
    return Kind.GAUGE if family_type in {"gauge", "stateset"} else Kind.UNKNOWN


def _values(seen: Iterable[Mapping[str, str]]) -> Mapping[str, frozenset[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for labels in seen:
        for label, value in labels.items():
            found[label].add(value)
    return MappingProxyType({label: frozenset(values) for label, values in found.items()})


def _common(seen: Iterable[Mapping[str, str]]) -> frozenset[str]:
    sets = [frozenset(label for label, value in labels.items() if value) for labels in seen]
    return frozenset.intersection(*sets) if sets else frozenset()


def _first_bad_line(text: str) -> int:
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            list(read_text(line))
        except (ValueError, KeyError, IndexError):
            return number
    return 0
