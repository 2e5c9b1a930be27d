"""The series that one model version keeps, and what a prediction adds to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from prometheus_client import Counter, Gauge, Histogram

from service.models.base import Output
from service.telemetry.features import FeatureSeries


@dataclass(frozen=True)
class ModelSeries:
    """The series of one model version, looked up once; ``confidence`` is a classifier's, ``value`` a regressor's."""

    requests: Counter
    errors: Mapping[str, Counter]
    predictions: dict[str, Counter]
    new_class: Callable[[str], Counter]
    inference: Histogram
    batch: Histogram
    confidence: Histogram | None
    value: Gauge | None
    features: FeatureSeries
    drifted: Counter
    drift_ratio: Gauge

    def observe(self, output: Output) -> None:
        """Count what was predicted."""
        for label in output.classes:
            series = self.predictions.get(label)
            if series is None:
                series = self.predictions[label] = self.new_class(label)
            series.inc()
        if self.confidence is not None:
            for confidence in output.confidence:
                self.confidence.observe(confidence)
        if self.value is not None:
            self.value.set(output.values[-1])
