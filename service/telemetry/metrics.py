"""Every metric of the service: one table, and the object that holds them on a registry it is given.

Label values come from the code and from artifacts, never from a request, so that the series stay bounded. Counters of
HTTP have exact statuses; latency histograms, 22 lines each, have them for good answers of the prediction endpoints.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import TypeVar

from opentelemetry.trace import SpanContext
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    Info,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.samples import Sample

from service.errors import ErrorType, LoadFailure
from service.models.base import LoadedModel
from service.routes import OTHER, UNMATCHED
from service.telemetry.features import KS, PSI, VALUE, FeatureCollector
from service.telemetry.features import ZSCORE as ZSCORES
from service.telemetry.series import ModelSeries

LATENCY_S = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.2, 0.25),
    *(0.3, 0.5, 0.75, 1.0, 2.0, 2.5, 5.0, 7.5, 10.0),
)
CONFIDENCE = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
ZSCORE = (1.0, 2.0, 3.0, 5.0)
BATCH = (1, 2, 4, 8, 16, 32, 64)
MODEL = ("model_name", "model_version")
FEATURE = (*MODEL, "feature")
MOST_BORN_CLASSES = 50
"""Classes of a model up to which each has its series from the start; of ImageNet's thousand only those that came."""


@dataclass(frozen=True)
class Definition:
    """One metric: its name as exposed, type, labels, help, and a histogram's buckets."""

    name: str
    type: type[MetricWrapperBase]
    labels: tuple[str, ...]
    help: str
    buckets: tuple[float, ...] = ()


DEFINITIONS: Mapping[str, Definition] = MappingProxyType(
    {
        definition.name: definition
        for definition in (
            Definition("http_requests_total", Counter, ("method", "endpoint", "status"), "Requests answered."),
            Definition(
                "http_request_duration_seconds",
                Histogram,
                ("method", "endpoint", "status"),
                "Seconds from a request's arrival to the end of its answer.",
                LATENCY_S,
            ),
            Definition(
                "http_errors_total", Counter, ("method", "endpoint", "error_type"), "4xx and 5xx answers by type."
            ),
            Definition("inference_queue_size", Gauge, (), "Predictions waiting or running."),
            Definition("inference_queue_limit", Gauge, (), "Predictions waiting or running at which more are refused."),
            Definition("prediction_requests_total", Counter, MODEL, "Prediction requests (not rows)."),
            Definition("prediction_errors_total", Counter, (*MODEL, "error_type"), "Prediction requests that failed."),
            Definition("model_predictions_total", Counter, (*MODEL, "prediction_class"), "Predicted rows by class."),
            Definition(
                "model_inference_duration_seconds", Histogram, MODEL, "Seconds in the model, per request.", LATENCY_S
            ),
            Definition("inference_batch_size", Histogram, MODEL, "Requests answered by one call of the model.", BATCH),
            Definition(
                "model_prediction_confidence",
                Histogram,
                MODEL,
                "Probability of the predicted class, per row.",
                CONFIDENCE,
            ),
            Definition("model_prediction_value", Gauge, MODEL, "Last predicted value of a regressor."),
            Definition("model_loaded", Gauge, ("model_name",), "1 while the model is loaded, else 0."),
            Definition(
                "model_memory_usage_bytes", Gauge, ("model_name",), "Size of the loaded model's serialised form."
            ),
            Definition("model_load_duration_seconds", Gauge, ("model_name",), "Seconds that the last good load took."),
            Definition("model_info", Info, MODEL, "The loaded version and the SHA-256 of its model file."),
            Definition("model_load_failures_total", Counter, (*MODEL, "reason"), "Loads that failed, by reason."),
            Definition(VALUE, Gauge, FEATURE, "Last value of a feature."),
            Definition(
                ZSCORES,
                Histogram,
                FEATURE,
                "Distance of a feature from its training mean in training standard deviations, without sign, per row.",
                ZSCORE,
            ),
            Definition("data_drift_requests_total", Counter, MODEL, "Requests with an out-of-distribution feature."),
            Definition("data_drift_ratio", Gauge, MODEL, "Share of such requests among the last 100 of the model."),
            Definition("data_drift_training_ratio", Gauge, MODEL, "Share of training rows that the drift rule flags."),
            Definition(
                PSI, Gauge, FEATURE, "Population stability index of the last 500 rows against training deciles."
            ),
            Definition(
                KS, Gauge, FEATURE, "Kolmogorov-Smirnov distance of the last 500 rows from training percentiles."
            ),
            Definition("inference_gateway_info", Info, (), "Name, version and description of the service."),
        )
    }
)

COLLECTED = (VALUE, ZSCORES, PSI, KS)
M = TypeVar("M", bound=MetricWrapperBase)
Exemplar = dict[str, str]
Runtime = Callable[[CollectorRegistry], None]


def of_this_process(registry: CollectorRegistry) -> None:
    """Register the metrics of this very process and its interpreter."""
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)


class Metrics:
    """The metrics of one app on one registry."""

    def __init__(self, registry: CollectorRegistry, runtime: Runtime | None = None) -> None:
        """``runtime`` registers what is told of the process; by default what it really is."""
        self.registry = registry
        disable_created_metrics()  # type: ignore[no-untyped-call]  # else every counter and histogram is exposed twice
        self._features = FeatureCollector({name: DEFINITIONS[name].help for name in COLLECTED}, FEATURE, ZSCORE)
        self._metrics = {
            name: _build(definition, registry) for name, definition in DEFINITIONS.items() if name not in COLLECTED
        }
        registry.register(self._features)
        self._http: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._http_errors: dict[tuple[str, str, str], Counter] = {}
        self._requests = self._of("http_requests_total", Counter)
        self._durations = self._of("http_request_duration_seconds", Histogram)
        self._errors = self._of("http_errors_total", Counter)
        (runtime or of_this_process)(registry)

    def _of(self, name: str, kind: type[M]) -> M:
        metric = self._metrics[name]
        if not isinstance(metric, kind):
            raise TypeError(f"{name} is a {type(metric).__name__}, not a {kind.__name__}")
        return metric

    def describe_service(self, name: str, version: str, description: str) -> None:
        """Set ``inference_gateway_info``."""
        labels = {"name": name, "version": version, "description": description}
        self._of("inference_gateway_info", Info).info(labels)

    def watch_queue(self, limit: int, size: Callable[[], float]) -> None:
        """Set the queue's limit and where its size is read at each scrape."""
        self._of("inference_queue_limit", Gauge).set(limit)
        self._of("inference_queue_size", Gauge).set_function(size)

    def declare_http(self, method: str, endpoint: str, statuses: Iterable[int], errors: Iterable[ErrorType]) -> None:
        """Give birth to the counters of a declared endpoint at 0."""
        for status in statuses:
            self._requests.labels(method, endpoint, str(status))
        for error in errors:
            self._errors.labels(method, endpoint, error)

    def declare_duration(self, method: str, endpoint: str, status: int) -> None:
        """Give birth to the latency histogram of a declared endpoint and status; others come with their first request.

        A histogram is 22 lines, so that one for each declared pair would make a long exposition of idle series.
        """
        self._duration(method, endpoint, status)

    def _duration(self, method: str, endpoint: str, status: int) -> Histogram:
        return self._durations.labels(OTHER if endpoint == UNMATCHED else method, endpoint, str(status))

    def http(self, method: str, endpoint: str, status: int, seconds: float, exemplar: Exemplar | None) -> None:
        """Count a request and observe its duration."""
        key = (method, endpoint, status)
        series = self._http.get(key)
        if series is None:
            counter = self._requests.labels(method, endpoint, str(status))
            series = self._http[key] = (counter, self._duration(method, endpoint, status))
        series[0].inc()
        series[1].observe(seconds, exemplar)

    def http_error(self, method: str, endpoint: str, error_type: str) -> None:
        """Count an error answer."""
        key = (method, endpoint, error_type)
        series = self._http_errors.get(key)
        if series is None:
            series = self._http_errors[key] = self._errors.labels(*key)
        series.inc()

    def samples(self, name: str) -> Iterator[Sample]:
        """Yield the samples of a metric as they are now."""
        for family in self._metrics[name].collect():
            yield from family.samples

    def declare_model(self, name: str) -> None:
        """Give birth to the load state of a served model: not loaded."""
        for metric in ("model_loaded", "model_memory_usage_bytes", "model_load_duration_seconds"):
            self._of(metric, Gauge).labels(name).set(0)

    def declare_version(self, name: str, version: str, classes: Iterable[str], features: Iterable[str]) -> ModelSeries:
        """Give birth to the series of a model's version at 0 and return them; a regressor has no classes."""
        labels, known = (name, version), tuple(classes)
        for reason in LoadFailure:
            self._load_failures.labels(*labels, reason)
        errors = self._of("prediction_errors_total", Counter)
        predictions = self._of("model_predictions_total", Counter)
        self._of("data_drift_training_ratio", Gauge).labels(*labels).set(math.nan)  # none yet; 0 would look like one
        confidence = value = None
        if known:
            confidence = self._of("model_prediction_confidence", Histogram).labels(*labels)
        else:
            value = self._of("model_prediction_value", Gauge).labels(*labels)
            value.set(math.nan)
        born = known if len(known) <= MOST_BORN_CLASSES else ()
        return ModelSeries(
            requests=self._of("prediction_requests_total", Counter).labels(*labels),
            errors=MappingProxyType({error: errors.labels(*labels, error) for error in PREDICTION_ERRORS}),
            predictions={label: predictions.labels(*labels, label) for label in born},
            new_class=lambda label: predictions.labels(*labels, label),
            inference=self._of("model_inference_duration_seconds", Histogram).labels(*labels),
            batch=self._of("inference_batch_size", Histogram).labels(*labels),
            confidence=confidence,
            value=value,
            features=self._features.series(name, version, features),
            drifted=self._of("data_drift_requests_total", Counter).labels(*labels),
            drift_ratio=self._of("data_drift_ratio", Gauge).labels(*labels),
        )

    @cached_property
    def _load_failures(self) -> Counter:
        return self._of("model_load_failures_total", Counter)

    def loaded(self, model: LoadedModel, seconds: float) -> None:
        """Record a load that succeeded; ``model_info`` then names this version alone."""
        self._of("model_loaded", Gauge).labels(model.name).set(1)
        self._of("model_memory_usage_bytes", Gauge).labels(model.name).set(model.memory_bytes)
        self._of("model_load_duration_seconds", Gauge).labels(model.name).set(seconds)
        baseline = self._of("data_drift_training_ratio", Gauge).labels(model.name, model.version)
        baseline.set(model.statistics.flagged_share)
        info = self._of("model_info", Info)
        info.remove_by_labels({"model_name": model.name})
        info.labels(model.name, model.version).info({"hash": model.sha256})

    def unloaded(self, name: str) -> None:
        """Record that a model is not in memory any more."""
        self._of("model_loaded", Gauge).labels(name).set(0)
        self._of("model_memory_usage_bytes", Gauge).labels(name).set(0)
        self._of("model_info", Info).remove_by_labels({"model_name": name})

    def load_failed(self, name: str, version: str, reason: LoadFailure) -> None:
        """Count a load that failed."""
        self._load_failures.labels(name, version, reason).inc()


PREDICTION_ERRORS = (
    ErrorType.INVALID_INPUT,
    ErrorType.MODEL_NOT_LOADED,
    ErrorType.QUEUE_FULL,
    ErrorType.TIMEOUT,
    ErrorType.PREDICTION_FAILED,
)


def exemplar_of(span: SpanContext) -> Exemplar | None:
    """Return the exemplar that leads to ``span``, or ``None`` where it is not recorded anywhere."""
    if not span.trace_flags.sampled:
        return None
    return {"trace_id": f"{span.trace_id:032x}", "span_id": f"{span.span_id:016x}"}


def _build(definition: Definition, registry: CollectorRegistry) -> MetricWrapperBase:
    """Return the metric on ``registry``."""
    name = definition.name.removesuffix("_info") if definition.type is Info else definition.name
    if definition.type is Histogram:
        return Histogram(name, definition.help, definition.labels, registry=registry, buckets=definition.buckets)
    return definition.type(name, definition.help, definition.labels, registry=registry)
