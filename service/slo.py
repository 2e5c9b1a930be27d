"""Service level objectives: what is promised, and good and total counts since the start of this process.

Read from the counters that Prometheus scrapes too; nothing is counted twice. Where nothing has been counted there is no
compliance: no data is not 100 %.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client.samples import Sample
from pydantic import BaseModel, Field

from service.telemetry.metrics import Metrics

SUCCESS_OBJECTIVE = 0.99
LATENCY_OBJECTIVE, LATENCY_S = 0.95, 0.5
PREDICTION_ENDPOINTS = (
    "/predict",
    "/predict/{model}",
    "/v2/models/{model}/infer",
    "/v2/models/{model}/versions/{version}/infer",
)


class Objective(BaseModel):
    """One objective and how it stands since the start. Counts are of requests to the prediction endpoints."""

    name: str
    description: str
    objective: float = Field(description="Promised share of good requests, 0 to 1.")
    good: int
    total: int
    compliance: float | None = Field(description="`good / total`; null before the first request: no data is not 100 %.")
    budget_events: float | None = Field(description="Bad requests that `total` still allows; negative once overspent.")
    budget_ratio: float | None = Field(description="The same as a share of all that `total` allows; at most 1.")


class SloAnswer(BaseModel):
    """Answer of ``GET /slo``."""

    since: str = Field(description="Start of the counts, ISO 8601, UTC.")
    endpoints: list[str] = Field(description="The prediction endpoints.")
    objectives: list[Objective]


def objectives(metrics: Metrics) -> list[Objective]:
    """Return the objectives that this process can judge; whether it can be reached at all, only others can."""
    requests = list(_predictions(metrics.samples("http_requests_total")))
    answered = sum(sample.value for sample in requests)
    failed = sum(sample.value for sample in requests if sample.labels["status"].startswith("5"))
    timed = list(_predictions(metrics.samples("http_request_duration_seconds")))
    timed_total = sum(sample.value for sample in timed if sample.name.endswith("_count"))
    fast = sum(sample.value for sample in timed if float(sample.labels.get("le", "nan")) == LATENCY_S)
    return [
        _objective(
            "api_success_rate",
            "Prediction requests that are answered without a 5xx.",
            SUCCESS_OBJECTIVE,
            answered - failed,
            answered,
        ),
        _objective(
            "api_latency",
            f"Prediction requests that are answered within {LATENCY_S:g} s, well or badly.",
            LATENCY_OBJECTIVE,
            fast,
            timed_total,
        ),
    ]


def _predictions(samples: Iterable[Sample]) -> Iterator[Sample]:
    """Yield the samples of the prediction endpoints."""
    return (sample for sample in samples if sample.labels["endpoint"] in PREDICTION_ENDPOINTS)


def _objective(name: str, description: str, objective: float, good: float, total: float) -> Objective:
    allowed = (1.0 - objective) * total
    left = allowed - (total - good)
    return Objective(
        name=name,
        description=description,
        objective=objective,
        good=int(good),
        total=int(total),
        compliance=good / total if total else None,
        budget_events=round(left, 6) if total else None,
        budget_ratio=left / allowed if total else None,
    )
