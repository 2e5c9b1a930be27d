"""Drift: the flag of a request, PSI and KS against SciPy, the feature series, and what they cost."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from service_bench import Bench

from service.drift import LEAST_SHARE, ROW_WINDOW, STEP, DriftMonitor, ks, psi
from service.models.base import QUANTILES, TrainingStatistics
from service.telemetry.metrics import ZSCORE, Metrics
from tests.generated import examples

NAMES = ("a", "b", "c")
MODEL = {"model_name": "m", "model_version": "1"}
numbers = st.floats(-1e6, 1e6).map(lambda value: round(value, 3))


def _percentiles(data: np.ndarray) -> np.ndarray:
    return np.quantile(data, QUANTILES, method="inverted_cdf")


class Lab:
    """A monitor on a registry of its own, with training data drawn from a seed."""

    def __init__(self, names: Sequence[str] = NAMES, seed: int = 1) -> None:
        self.rng = np.random.default_rng(seed)
        self.training = self.rng.normal(0.0, 1.0, (2000, len(names)))
        self.trained = TrainingStatistics.of(self.training, names)
        self.registry = CollectorRegistry(auto_describe=True)
        self.metrics = Metrics(self.registry)
        self.series = self.metrics.declare_version("m", "1", ["x"], names)
        self.monitor = DriftMonitor(self.trained.features, self.series)

    def value(self, name: str, **labels: str) -> float:
        """Return a sample."""
        value = self.registry.get_sample_value(name, {**MODEL, **labels})
        assert value is not None, (name, labels)
        return value


@given(
    st.lists(numbers, min_size=1, max_size=60),
    st.lists(numbers, min_size=2, max_size=60),
)
def test_ks_is_scipys(window: list[float], quantiles: list[float]) -> None:
    """The two-sample statistic of window and quantiles, ties included."""
    from scipy import stats  # noqa: PLC0415 - seconds of import, which only its worker pays

    expected = stats.ks_2samp(window, quantiles, method="asymp").statistic
    assert ks(sorted(window), sorted(quantiles)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("kind", ["normal", "skewed", "few values", "constant"])
def test_ks_against_percentiles_is_near_that_against_all_training_rows(kind: str) -> None:
    """Within 0.01, whether the window has drifted or not."""
    from scipy import stats  # noqa: PLC0415 - seconds of import, which only its worker pays

    rng = np.random.default_rng(3)
    draw: dict[str, Callable[[int], np.ndarray]] = {
        "normal": lambda size: rng.normal(size=size),
        "skewed": lambda size: rng.exponential(size=size) ** 3,
        "few values": lambda size: rng.choice([1.0, 12.0, 24.0], size, p=[0.55, 0.25, 0.2]),
        "constant": lambda size: np.full(size, 4.0),
    }
    training = draw[kind](3000)
    for moved in (draw[kind](ROW_WINDOW), draw[kind](ROW_WINDOW) + 0.7):
        expected = stats.ks_2samp(moved, training).statistic
        assert ks(np.sort(moved), _percentiles(training)) == pytest.approx(expected, abs=0.0101)


@given(st.integers(0, 2**32 - 1), st.floats(-2.0, 2.0))
@settings(max_examples=examples(50), deadline=None)
def test_psi_is_jeffreys_divergence_of_the_binned_shares(seed: int, shift: float) -> None:
    """The sum of SciPy's two relative entropies over ten equally likely bins."""
    from scipy import stats  # noqa: PLC0415 - seconds of import, which only its worker pays

    rng = np.random.default_rng(seed)
    training, window = rng.normal(size=5000), rng.normal(shift, 1.0, ROW_WINDOW)
    percentiles = _percentiles(training)
    edges = [-np.inf, *percentiles[10:100:10], np.inf]
    inside = [np.count_nonzero((window > low) & (window <= high)) for low, high in pairwise(edges)]
    actual = np.maximum(np.array(inside) / ROW_WINDOW, LEAST_SHARE)
    expected = np.full(10, 0.1)
    oracle = stats.entropy(actual, expected) + stats.entropy(expected, actual)
    if min(inside) > 0:  # else the floored shares do not sum to 1, and SciPy would scale them
        assert psi(np.sort(window), percentiles) == pytest.approx(oracle, abs=1e-9)
    else:
        assert psi(np.sort(window), percentiles) > 0.5


@given(st.lists(st.sampled_from([0.0, 1.0, 12.0, 24.0]), min_size=1, max_size=80), st.integers(0, 99))
def test_psi_is_zero_for_the_training_shares_and_never_negative(window: list[float], seed: int) -> None:
    """Also where a feature has few values and deciles fall together."""
    training = np.random.default_rng(seed).choice([0.0, 1.0, 12.0, 24.0], 1000, p=[0.05, 0.55, 0.2, 0.2])
    percentiles = _percentiles(training)
    assert psi(sorted(window), percentiles) >= 0.0
    assert psi(np.sort(training), percentiles) < 0.01


def test_psi_by_hand() -> None:
    """Training 0 to 100 evenly; a window with a fifth in the lowest bin, none in the highest."""
    quantiles = [float(value) for value in range(101)]
    window = sorted([5.0] * 20 + [value + 0.5 for value in range(10, 90)])
    expected = (0.2 - 0.1) * np.log(2.0) + (0.1 - LEAST_SHARE) * np.log(0.1 / LEAST_SHARE)
    assert psi(window, quantiles) == pytest.approx(expected, abs=1e-12)


def test_drift_is_not_told_before_the_window_is_full() -> None:
    """NaN up to 499 rows, near 0 with the 500th where nothing drifts."""
    lab = Lab()
    rows = lab.rng.normal(0.0, 1.0, (ROW_WINDOW, 3)).tolist()
    lab.monitor.check(rows[:-1])
    assert np.isnan(lab.value("model_feature_drift_psi", feature="a"))
    assert np.isnan(lab.value("model_feature_drift_ks", feature="a"))
    lab.monitor.check(rows[-1:])
    for feature in NAMES:
        assert 0.0 < lab.value("model_feature_drift_psi", feature=feature) < 0.1
        assert 0.0 < lab.value("model_feature_drift_ks", feature=feature) < 0.08


def test_a_shift_shows_in_its_feature_alone_and_goes_when_the_window_has_passed() -> None:
    """One feature moved by a standard deviation; then good rows again."""
    lab = Lab()
    moved = lab.rng.normal(0.0, 1.0, (ROW_WINDOW, 3))
    moved[:, 1] += 1.0
    lab.monitor.check(moved.tolist())
    assert lab.value("model_feature_drift_psi", feature="b") > 0.5
    assert lab.value("model_feature_drift_ks", feature="b") > 0.3
    assert lab.value("model_feature_drift_psi", feature="a") < 0.1
    for row in lab.rng.normal(0.0, 1.0, (ROW_WINDOW, 3)).tolist():
        lab.monitor.check([row])
    assert lab.value("model_feature_drift_psi", feature="b") < 0.1


def test_the_window_holds_the_newest_rows_in_whatever_portions_they_come() -> None:
    """One by one, in hundreds, or two windows at once: the same drift."""
    results = []
    for portion in (1, 7, 100, 2 * ROW_WINDOW):
        lab = Lab()
        rows = np.random.default_rng(9).normal(0.3, 1.0, (2 * ROW_WINDOW, 3)).tolist()
        for start in range(0, len(rows), portion):
            lab.monitor.check(rows[start : start + portion])
        results.append([lab.value("model_feature_drift_ks", feature=feature) for feature in NAMES])
        assert lab.value("model_feature_zscore_count", feature="a") == len(rows)
    assert all(result == results[0] for result in results)


def test_drift_is_worked_out_again_after_some_rows_and_not_at_every_scrape() -> None:
    """Fewer than 25 new rows change nothing; with the 25th the reading is new."""
    lab = Lab()
    lab.monitor.check(lab.rng.normal(0.0, 1.0, (ROW_WINDOW, 3)).tolist())
    before = lab.value("model_feature_drift_ks", feature="a")
    lab.monitor.check([[9.0, 9.0, 9.0]] * (STEP - 1))
    assert lab.value("model_feature_drift_ks", feature="a") == before
    lab.monitor.check([[9.0, 9.0, 9.0]])
    assert lab.value("model_feature_drift_ks", feature="a") != before


@given(st.lists(st.lists(st.floats(-20.0, 20.0), min_size=3, max_size=3), min_size=1, max_size=40))
@settings(max_examples=examples(50), deadline=None)
def test_z_scores_are_counted_in_the_right_buckets(rows: list[list[float]]) -> None:
    """Cumulative, each bound included; their sum, and the last value of each feature."""
    lab = Lab()
    lab.monitor.check(rows)
    for at, feature in enumerate(lab.trained.features):
        zscores = [abs(row[at] - feature.mean) / feature.std for row in rows]
        for bound in ZSCORE:
            counted = lab.value("model_feature_zscore_bucket", feature=feature.name, le=str(bound))
            assert counted == sum(zscore <= bound for zscore in zscores)
        assert lab.value("model_feature_zscore_bucket", feature=feature.name, le="+Inf") == len(rows)
        assert lab.value("model_feature_zscore_sum", feature=feature.name) == pytest.approx(sum(zscores))
        assert lab.value("model_feature_value", feature=feature.name) == rows[-1][at]


def test_a_flag_needs_one_feature_of_one_row() -> None:
    """Beyond the training range or three deviations from the mean, on either side."""
    lab = Lab()
    assert not lab.monitor.check([[0.0, 0.0, 0.0], [1.0, -1.0, 2.0]])
    assert lab.monitor.check([[0.0, 0.0, 0.0], [0.0, 5.0, 0.0]])
    assert lab.monitor.check([[0.0, 0.0, -3.2]])
    assert lab.value("data_drift_requests_total") == 2
    assert lab.value("data_drift_ratio") == pytest.approx(2 / 3)


def test_a_reload_keeps_the_counts_and_starts_a_new_window() -> None:
    """Counters of a version go on; drift speaks of what the new monitor has seen."""
    lab = Lab()
    lab.monitor.check(lab.rng.normal(0.0, 1.0, (ROW_WINDOW, 3)).tolist())
    second = DriftMonitor(lab.trained.features, lab.series)
    second.check([[0.0, 0.0, 0.0]])
    assert lab.value("model_feature_zscore_count", feature="a") == ROW_WINDOW + 1
    assert np.isnan(lab.value("model_feature_drift_psi", feature="a"))


@pytest.mark.anyio
async def test_the_baseline_is_the_training_share(make: Callable[..., Bench]) -> None:
    """``data_drift_training_ratio`` is NaN before the model is loaded and what the artifact says after it."""
    bench = make(models=("iris",))
    labels = {"model_name": "iris", "model_version": "1.0.0"}
    before = bench.value("data_drift_training_ratio", **labels)
    assert before is not None
    assert np.isnan(before)
    async with bench.client() as client:
        told = (await client.get("/model-info")).json()["models"][0]["training_flagged_share"]
        assert bench.value("data_drift_training_ratio", **labels) == told


def test_the_check_of_a_request_is_cheap() -> None:
    """13 features, one row: a median far below 30 µs, z-scores and windows included."""
    lab = Lab([f"f{number}" for number in range(13)])
    rows = [[row] for row in lab.rng.normal(0.0, 1.0, (4000, 13)).tolist()]
    costs = []
    for start in range(0, 4000, 400):
        began = time.thread_time()
        for row in rows[start : start + 400]:
            lab.monitor.check(row)
        costs.append((time.thread_time() - began) / 400)
    assert statistics.median(costs) < 30e-6
