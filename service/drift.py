"""Drift: the out-of-distribution check of each request, and PSI and KS of each feature over a window.

A feature is out of distribution outside its training minimum and maximum, or more than three training standard
deviations from its training mean. A request is when any feature of any of its rows is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from threading import Lock

import numpy as np
import numpy.typing as npt

from service.models.base import FeatureStatistics, Rows
from service.telemetry.series import ModelSeries

Vector = npt.NDArray[np.float64]
Matrix = npt.NDArray[np.float64]
FLAG_WINDOW = 100
"""Requests behind ``data_drift_ratio``."""
ROW_WINDOW = 500
"""Rows behind PSI and KS. Without any drift PSI with ten bins exceeds 0.1 in 79 % of windows of 50 rows, in 5 % of
windows of 200 and in none of 500."""
STEP = 25
"""New rows after which PSI and KS are worked out again, at the next scrape."""
BINS = 10
LEAST_SHARE = 1e-4
"""Share that an empty bin counts as, so that its logarithm is finite."""


def psi(window: Sequence[float] | Vector, quantiles: Sequence[float] | Vector) -> float:
    """Return the population stability index of ``window`` against the training ``quantiles``, both ascending.

    ``quantiles`` are training values at levels evenly spaced from 0 to 1. The bins are the training deciles; where
    several fall together (a feature of few values) their bins are one, so that the training shares stay right::

        PSI = sum over bins of (actual - expected) * ln(actual / expected)

    Source: N. Siddiqi, Credit Risk Scorecards, Wiley 2006, ch. 8; it is Jeffreys' divergence of the binned shares.
    Usual reading: below 0.1 no shift, above 0.25 a major one. Shape within a bin is invisible to it.
    """
    edges, expected = _bins(np.asarray(quantiles, dtype=np.float64))
    return _psi(np.asarray(window, dtype=np.float64), edges, expected)


def ks(window: Sequence[float] | Vector, quantiles: Sequence[float] | Vector) -> float:
    """Return the two-sample Kolmogorov-Smirnov statistic of ``window`` and ``quantiles``, both ascending; 0 to 1.

    It is the largest distance of the two empirical distribution functions. The training quantiles stand for the
    training sample: with 101 of them the result is within 0.01 of the one against all training rows, also for features
    of few values.

    Source: N. Smirnov, Table for estimating the goodness of fit of empirical distributions, Ann. Math. Statist. 19
    (1948) 279-281.
    """
    ours, theirs = np.asarray(window, dtype=np.float64), np.asarray(quantiles, dtype=np.float64)
    points = np.concatenate((ours, theirs))
    below_ours = np.searchsorted(ours, points, side="right") / len(ours)
    below_theirs = np.searchsorted(theirs, points, side="right") / len(theirs)
    return float(np.abs(below_ours - below_theirs).max())


def _bins(quantiles: Vector) -> tuple[Vector, Vector]:
    """Return the inner bounds of the bins (each bin includes its upper one) and the training share of each bin."""
    steps = len(quantiles) - 1
    levels = np.linspace(0.0, 1.0, BINS + 1)[1:-1] * steps
    edges = np.unique(quantiles[np.rint(levels).astype(int)])
    at_or_below = (np.searchsorted(quantiles, edges, side="right") - 1) / steps
    return edges, np.diff(np.concatenate(([0.0], at_or_below, [1.0])))


def _psi(window: Vector, edges: Vector, expected: Vector) -> float:
    at_or_below = np.searchsorted(window, edges, side="right") / len(window)
    actual = np.diff(np.concatenate(([0.0], at_or_below, [1.0])))
    a, e = np.maximum(actual, LEAST_SHARE), np.maximum(expected, LEAST_SHARE)
    return float(((a - e) * np.log(a / e)).sum())


class FlagWindow:
    """Which of the last ``FLAG_WINDOW`` requests were out of distribution."""

    def __init__(self) -> None:
        self._flags: deque[bool] = deque(maxlen=FLAG_WINDOW)

    def add(self, *, flagged: bool) -> None:
        """Add a request."""
        self._flags.append(flagged)

    def ratio(self) -> float:
        """Return the share from 0 to 1; 0 before the first request."""
        flags = tuple(self._flags)
        return sum(flags) / len(flags) if flags else 0.0


class RowWindow:
    """The last ``ROW_WINDOW`` rows, and how far each feature has drifted from its training quantiles."""

    def __init__(self, features: Sequence[FeatureStatistics]) -> None:
        self._quantiles = [np.array(feature.quantiles) for feature in features]
        self._bins = [_bins(quantiles) for quantiles in self._quantiles]
        self._ring = np.empty((ROW_WINDOW, len(features)))
        self._seen = 0
        self._lock = Lock()
        self._drift: tuple[Vector, Vector] | None = None
        self._due = ROW_WINDOW

    def extend(self, rows: Matrix) -> None:
        """Take ``rows`` (n_rows, n_features), the newest last."""
        kept = rows[-ROW_WINDOW:]
        with self._lock:
            self._seen += len(rows)
            self._ring[np.arange(self._seen - len(kept), self._seen) % ROW_WINDOW] = kept

    def drift(self) -> tuple[Vector, Vector] | None:
        """Return PSI and KS (n_features each), or ``None`` before ``ROW_WINDOW`` rows have come."""
        with self._lock:
            if self._seen < self._due:
                return self._drift
            self._due = self._seen + STEP
            columns = self._ring.T.copy()
        columns.sort(axis=1)
        self._drift = (
            np.array([_psi(column, *bins) for column, bins in zip(columns, self._bins, strict=True)]),
            np.array([ks(column, quantiles) for column, quantiles in zip(columns, self._quantiles, strict=True)]),
        )
        return self._drift


class DriftMonitor:
    """Checks the inputs of one model version and keeps its drift metrics."""

    def __init__(self, features: Sequence[FeatureStatistics], series: ModelSeries) -> None:
        self._limits = tuple([(feature.lower, feature.upper) for feature in features])
        self._series = series
        self._window = FlagWindow()
        series.drift_ratio.set_function(self._window.ratio)
        series.features.measure_by(
            [feature.mean for feature in features], [feature.std for feature in features], RowWindow(features)
        )

    def check(self, rows: Rows) -> bool:
        """Observe ``rows`` (n_rows, n_features) and return whether the request is out of distribution."""
        flagged = self._flags(rows)
        self._series.features.add(rows)
        self._window.add(flagged=flagged)
        if flagged:
            self._series.drifted.inc()
        return flagged

    def _flags(self, rows: Rows) -> bool:
        for row in rows:
            for value, (lower, upper) in zip(row, self._limits, strict=True):
                if not lower <= value <= upper:
                    return True
        return False
