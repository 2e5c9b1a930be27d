"""The iris model behind FastAPI as people commonly build it, bare or with the common instrumentation.

``python fastapi_app.py (bare|common) (scikit-learn|folded) PORT MODEL_FILE OTLP_ENDPOINT``, in the benchmark's own
environment: nothing of Firedrill is importable here. ``folded`` predicts as Firedrill's own profile does, with the
scaler folded into the weights; ``scikit-learn`` calls the pipeline.
"""

from __future__ import annotations

import logging
import sys
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import joblib
import numpy as np
import structlog
import uvicorn
from fastapi import FastAPI, Request, Response
from pydantic import BaseModel
from starlette.middleware.base import BaseHTTPMiddleware

HOST = "127.0.0.1"
CLASSES = ("setosa", "versicolor", "virginica")
Probabilities = Callable[[list[list[float]]], Any]


class Flowers(BaseModel):
    """The request: rows of four sizes in cm."""

    features: list[list[float]]


class Answer(BaseModel):
    """The answer: a prediction for each row."""

    predictions: list[int]
    classes: list[str]
    confidence: list[float]


def scikit_learn(pipeline: Any) -> Probabilities:
    """Return the pipeline's own prediction."""
    return lambda rows: pipeline.predict_proba(np.asarray(rows))


def folded(pipeline: Any) -> Probabilities:
    """Return a prediction without scikit-learn's overhead for each call."""
    scaler, regression = (step for _, step in pipeline.steps)
    weights = (regression.coef_ / scaler.scale_).T
    offset = regression.intercept_ - (scaler.mean_ / scaler.scale_) @ regression.coef_.T

    def probabilities(rows: list[list[float]]) -> Any:
        scores = np.asarray(rows) @ weights + offset
        shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
        return shifted / shifted.sum(axis=1, keepdims=True)

    return probabilities


def answer_of(probabilities: Any) -> Answer:
    """Return what the probabilities (n_rows, n_classes) say."""
    best = probabilities.argmax(axis=1).tolist()
    return Answer(
        predictions=best, classes=[CLASSES[index] for index in best], confidence=probabilities.max(axis=1).tolist()
    )


def bare(predict: Probabilities) -> FastAPI:
    """Return the app without any instrumentation."""
    app = FastAPI()

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "healthy"}

    @app.post("/predict")
    async def predict_flowers(flowers: Flowers) -> Answer:
        return answer_of(predict(flowers.features))

    return app


def common(predict: Probabilities, endpoint: str) -> FastAPI:
    """Return the app with what tutorials put around it.

    An access-log middleware on ``BaseHTTPMiddleware`` with structlog as JSON, a counter and two histograms of the
    model's own, prometheus-fastapi-instrumentator, and OpenTelemetry's FastAPI instrumentation with its defaults,
    exporting every span in batches. Only the batch queue is larger than the default, so that no span is dropped.
    """
    from opentelemetry import trace  # noqa: PLC0415 - the bare app does without, as below
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor  # noqa: PLC0415
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    from prometheus_client import Counter, Histogram  # noqa: PLC0415
    from prometheus_fastapi_instrumentator import Instrumentator  # noqa: PLC0415

    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(),
        cache_logger_on_first_use=True,
    )
    log = structlog.get_logger()
    provider = TracerProvider(resource=Resource.create({"service.name": "common"}))
    exporter = OTLPSpanExporter(f"{endpoint}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=16384, schedule_delay_millis=1000))
    trace.set_tracer_provider(provider)
    predictions = Counter("predictions_total", "Predicted rows.", ["predicted"])
    seconds = Histogram("inference_seconds", "Time in the model.")
    confidence = Histogram("prediction_confidence", "Confidence.", buckets=[0.1 * step for step in range(1, 11)])

    app = FastAPI()

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "healthy"}

    @app.post("/predict")
    async def predict_flowers(flowers: Flowers) -> Answer:
        started = time.perf_counter()
        answer = answer_of(predict(flowers.features))
        took = time.perf_counter() - started
        seconds.observe(took)
        for name, value in zip(answer.classes, answer.confidence, strict=True):
            predictions.labels(name).inc()
            confidence.observe(value)
        log.info("prediction_completed", rows=len(answer.classes), duration_ms=round(took * 1000, 3))
        return answer

    class AccessLog(BaseHTTPMiddleware):
        """Gives each request an id and logs its beginning and its end."""

        async def dispatch(self, request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
            """Pass the request on."""
            request_id = request.headers.get("x-request-id") or str(uuid.uuid4())
            client = request.client.host if request.client else ""
            structlog.contextvars.clear_contextvars()
            structlog.contextvars.bind_contextvars(request_id=request_id, method=request.method, path=request.url.path)
            started = time.perf_counter()
            log.info("request_received", client_ip=client)
            response = await call_next(request)
            took = time.perf_counter() - started
            log.info("request_completed", status_code=response.status_code, duration_ms=round(took * 1000, 3))
            response.headers["X-Request-ID"] = request_id
            return response

    app.add_middleware(AccessLog)
    Instrumentator().instrument(app).expose(app)
    FastAPIInstrumentor.instrument_app(app)
    return app


def main() -> None:
    """Serve."""
    kind, how, port, model, endpoint = sys.argv[1:]
    predict = {"scikit-learn": scikit_learn, "folded": folded}[how](joblib.load(model))
    app = bare(predict) if kind == "bare" else common(predict, endpoint)
    uvicorn.run(app, host=HOST, port=int(port), access_log=False, log_level="warning")


if __name__ == "__main__":
    main()
