"""The feature metrics of the models: last values, z-scores and drift, worked out when somebody looks.

A request pays for one ``list.extend``. Rows are worked on in numpy once ``BATCH`` of them have come, or at a scrape.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from threading import Lock
from typing import Protocol

import numpy as np
import numpy.typing as npt
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from service.telemetry.exposition import number

Vector = npt.NDArray[np.float64]
Matrix = npt.NDArray[np.float64]
BATCH = 256
"""Rows at which those that wait are worked on, whether or not anybody looks: what bounds the memory."""
VALUE, ZSCORE = "model_feature_value", "model_feature_zscore"
PSI, KS = "model_feature_drift_psi", "model_feature_drift_ks"


class Window(Protocol):
    """A sliding window of rows, and how far its features have drifted."""

    def extend(self, rows: Matrix) -> None:
        """Take ``rows`` (n_rows, n_features), the newest last."""

    def drift(self) -> tuple[Vector, Vector] | None:
        """Return PSI and KS (n_features each), or ``None`` while there are too few rows."""


class FeatureSeries:
    """The features of one model version. Rows come from the event loop, a scrape may look from a thread."""

    def __init__(self, model: str, version: str, names: Sequence[str], buckets: Sequence[float]) -> None:
        self.model, self.version, self.names = model, version, tuple(names)
        self.last: Sequence[float] | None = None
        self._buckets = np.array(buckets)
        self._counts = np.zeros((len(self.names), len(buckets) + 1), dtype=np.int64)
        self._sums = np.zeros(len(self.names))
        self._pending: list[Sequence[float]] = []
        self._taking, self._working = Lock(), Lock()
        self._mean: Vector = np.zeros(len(self.names))
        self._std: Vector = np.ones(len(self.names))
        self._window: Window | None = None

    def measure_by(self, mean: Sequence[float], std: Sequence[float], window: Window) -> None:
        """Measure the rows to come by these training means and deviations, and put them into ``window``."""
        self.work()
        with self._working:
            self._mean, self._std, self._window = np.array(mean), np.array(std), window
            self._std[self._std == 0.0] = 1.0

    def add(self, rows: Sequence[Sequence[float]]) -> None:
        """Take ``rows`` (n_rows, n_features)."""
        with self._taking:
            self._pending.extend(rows)
            due = len(self._pending) >= BATCH
        self.last = rows[-1]
        if due:
            self.work()

    def work(self) -> None:
        """Count the rows that wait."""
        with self._working:
            with self._taking:
                waiting, self._pending = self._pending, []
            if not waiting:
                return
            rows = np.array(waiting, dtype=np.float64)
            zscores = np.abs(rows - self._mean) / self._std
            places = np.searchsorted(self._buckets, zscores)  # the first bucket whose bound is not below the value
            width = len(self._buckets) + 1
            places += np.arange(len(self.names)) * width
            self._counts += np.bincount(places.ravel(), minlength=self._counts.size).reshape(self._counts.shape)
            self._sums += zscores.sum(axis=0)
            if self._window is not None:
                self._window.extend(rows)

    def zscores(self) -> tuple[npt.NDArray[np.int64], Vector]:
        """Return cumulative bucket counts (n_features, n_buckets + 1) and sums (n_features)."""
        with self._working:
            return self._counts.cumsum(axis=1), self._sums.copy()

    def readings(self) -> tuple[Sequence[float], Sequence[float], Sequence[float]]:
        """Return last values, PSI and KS (n_features each), NaN where there is none yet."""
        nothing = (math.nan,) * len(self.names)
        drift = self._window.drift() if self._window is not None else None
        psi, ks = (nothing, nothing) if drift is None else (drift[0].tolist(), drift[1].tolist())
        return self.last or nothing, psi, ks


class FeatureCollector(Collector):
    """Exposes the feature series: NaN where there is nothing to say yet, for a 0 would look like a reading."""

    def __init__(self, helps: Mapping[str, str], labels: Sequence[str], buckets: Sequence[float]) -> None:
        self._helps, self._labels, self._buckets = helps, tuple(labels), tuple(buckets)
        self.bounds = (*map(number, buckets), "+Inf")
        """The upper bounds of the z-scores' buckets, as labels."""
        self._series: list[FeatureSeries] = []

    def series(self, model: str, version: str, names: Iterable[str]) -> FeatureSeries:
        """Return new series of a model version, exposed from now on."""
        born = FeatureSeries(model, version, tuple(names), self._buckets)
        self._series.append(born)
        return born

    @property
    def born(self) -> Sequence[FeatureSeries]:
        """The series that are exposed, in the order of their birth."""
        return tuple(self._series)

    def labels(self, series: FeatureSeries) -> list[dict[str, str]]:
        """Return the labels of each feature of ``series``."""
        return [dict(zip(self._labels, (series.model, series.version, name), strict=True)) for name in series.names]

    def describe(self) -> Iterator[Metric]:
        """Yield the families without samples."""
        yield from self._families(())

    def collect(self) -> Iterator[Metric]:
        """Yield the families."""
        yield from self._families(tuple(self._series))

    def _families(self, all_series: Iterable[FeatureSeries]) -> tuple[Metric, ...]:
        gauges = [GaugeMetricFamily(name, self._helps[name], labels=self._labels) for name in (VALUE, PSI, KS)]
        zscore = HistogramMetricFamily(ZSCORE, self._helps[ZSCORE], labels=self._labels)
        for series in all_series:
            series.work()
            counts, sums = series.zscores()
            readings = series.readings()
            for at, name in enumerate(series.names):
                labels = (series.model, series.version, name)
                for gauge, values in zip(gauges, readings, strict=True):
                    gauge.add_metric(labels, values[at])
                zscore.add_metric(labels, list(zip(self.bounds, counts[at].tolist(), strict=True)), float(sums[at]))
        return gauges[0], zscore, gauges[1], gauges[2]
