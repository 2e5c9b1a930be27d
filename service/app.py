"""The composition root: one app from what it is given, on the registry it is given. Nothing is started here."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from fastapi import FastAPI
from opentelemetry._logs import LoggerProvider
from opentelemetry.trace import TracerProvider
from prometheus_client import CollectorRegistry
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from service.api import (
    PREDICT_ERRORS,
    PREDICT_MODEL_ERRORS,
    add_error_answers,
    add_predictions,
    build_router,
    request_error_answer,
)
from service.asgi import DirectRoutes, ServiceApp
from service.batching import BatchLimits
from service.clock import Clock
from service.compute import Compute
from service.errors import STATUS, BadSettings, ErrorType, UnknownProfile
from service.ids import IdSource
from service.inference import Inference, PredictionQueue
from service.models.base import Profile
from service.models.profiles import options_of, profile_named
from service.models.registry import Models
from service.oip import INFER, INFER_ERRORS, INFER_VERSION, UNKNOWN_NAMES
from service.routes import OTHER, UNMATCHED, UNMATCHED_METHODS, RouteTable
from service.seams import Middleware, Seams
from service.settings import Settings
from service.signals import build_signals_router
from service.telemetry.dialects import load_dialects
from service.telemetry.logs import Log, build_log
from service.telemetry.metrics import Metrics, Runtime, of_this_process
from service.telemetry.observe import QUIET, ObserveMiddleware
from service.telemetry.tracing import Tracing


class SeamMiddleware:
    """Runs the middleware attached at the seams, the first one outermost; with none, one truth test."""

    def __init__(self, app: ASGIApp, attached: Sequence[Middleware]) -> None:
        self._app, self._attached = app, attached
        self._chain, self._folded = app, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request through whatever is attached by now."""
        if self._attached:
            if len(self._attached) != self._folded:
                self._fold()
            await self._chain(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _fold(self) -> None:
        chain = self._app
        for middleware in reversed(self._attached):
            chain = middleware(chain)
        self._chain, self._folded = chain, len(self._attached)


def create_app(
    settings: Settings,
    *,
    registry: CollectorRegistry,
    clock: Clock,
    rng: random.Random,
    ids: IdSource,
    tracer_provider: TracerProvider,
    logger_provider: LoggerProvider | None,
    compute: Compute,
    seams: Seams,
    instance: str = "",
    log: Log | None = None,
    tracing: Tracing | None = None,
    runtime: Runtime = of_this_process,
) -> FastAPI:
    """Return the service; its models load in the app's lifespan.

    ``app.state.models`` is their ``Models``, ``app.state.queue`` the ``PredictionQueue`` that they share.
    Its log lines name the ``instance`` where one is given. ``log`` takes the place of the one that the settings ask
    for, ``tracing`` that of spans by ``tracer_provider``, ``runtime`` that of the metrics of this process.

    Raises ``BadSettings`` where a served model has no profile, and ``BadDialects``. Providers and compute stay the
    caller's to close.
    """
    metrics = Metrics(registry, runtime)
    metrics.describe_service(settings.app_name, settings.app_version, settings.app_description)
    if log is None:
        log = build_log(settings, logger_provider, clock, instance=instance)
    tracing = tracing or Tracing(tracer_provider, clock)
    models = Models(
        _profiles(settings),
        default=settings.model_name,
        artifacts=settings.artifacts_dir,
        max_rows=settings.max_rows,
        device=settings.model_device,
        metrics=metrics,
        tracing=tracing,
        log=log,
        clock=clock,
        compute=compute,
        hooks=seams.loads,
        uris=dict(settings.model_uris),
    )
    queue = PredictionQueue(settings.max_queue_size, settings.inference_workers, rng)
    metrics.watch_queue(queue.limit, lambda: queue.size)
    inference = Inference(
        models,
        queue=queue,
        timeout_s=settings.request_timeout,
        tracing=tracing,
        log=log,
        clock=clock,
        compute=compute,
        seams=seams,
        limits=BatchLimits(settings.max_batch_size, settings.batch_window_ms / 1000.0),
    )
    app = ServiceApp(
        title=settings.app_name,
        version=settings.app_version,
        description=settings.app_description,
        debug=False,  # its traceback page would stand in for our error answers
        redoc_url=None,
        lifespan=lambda _app: _lifespan(settings, models, log),
        telemetry={  # one server span and one set of metrics, ours: the framework's own would double both
            "tracing": False,
            "metrics": False,
            "logs": False,
            "operation_spans": False,
            "auto_configure": False,
        },
    )
    app.state.models = models
    app.state.queue = queue
    add_error_answers(app)
    add_predictions(app.router, settings, models=models, inference=inference, clock=clock)
    app.include_router(build_router(settings, models=models, inference=inference, clock=clock))
    app.include_router(
        build_signals_router(
            metrics,
            registry=registry,
            dialects=load_dialects(settings.dialects_dir),
            clock=clock,
            compute=compute,
            enable_metrics=settings.enable_metrics,
        )
    )
    app.add_middleware(DirectRoutes, routes=app.router.routes, answer=request_error_answer)
    app.add_middleware(SeamMiddleware, attached=seams.middleware)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware, allow_origins=settings.cors_origins, allow_methods=["GET", "POST"], allow_headers=["*"]
        )
    app.add_middleware(
        ObserveMiddleware,
        labels=RouteTable(app.routes, QUIET).labels,
        metrics=metrics,
        tracing=tracing,
        log=log,
        clock=clock,
        ids=ids,
        debug=settings.debug,
    )
    _declare_endpoints(metrics)
    return app


@asynccontextmanager
async def _lifespan(settings: Settings, models: Models, log: Log) -> AsyncIterator[None]:
    """Load the models, serve, say goodbye."""
    log.info(
        "application_starting", service=settings.app_name, version=settings.app_version, models=",".join(models.names)
    )
    await models.start(warm_up=settings.model_warmup)
    log.info("application_ready", model_loaded=models.all_loaded)
    yield
    log.info("application_shutting_down")


def _profiles(settings: Settings) -> list[Profile]:
    options = options_of(settings)
    try:
        return [profile_named(name).with_options(options) for name in settings.models]
    except UnknownProfile as error:
        raise BadSettings([f"MODELS={','.join(settings.models)!r}: {error}"]) from None


def _declare_endpoints(metrics: Metrics) -> None:
    """Give birth to the series of every declared endpoint and status."""
    for endpoint, errors in (
        ("/predict", PREDICT_ERRORS),
        ("/predict/{model}", PREDICT_MODEL_ERRORS),
        (INFER, INFER_ERRORS),
        (INFER_VERSION, INFER_ERRORS),
    ):
        posted = [error for error in errors if error is not ErrorType.METHOD_NOT_ALLOWED]
        metrics.declare_http("POST", endpoint, sorted({200} | {STATUS[error] for error in posted}), posted)
        if endpoint != INFER_VERSION:  # hardly anybody names the version
            metrics.declare_duration("POST", endpoint, 200)
    for endpoint in ("/", "/model-info", "/slo"):
        metrics.declare_http("GET", endpoint, [200], [])
    for endpoint in UNKNOWN_NAMES:
        metrics.declare_http("GET", endpoint, [STATUS[ErrorType.UNKNOWN_MODEL]], [ErrorType.UNKNOWN_MODEL])
    unmatched = {error: STATUS[error] for error in (ErrorType.NOT_FOUND, ErrorType.METHOD_NOT_ALLOWED)}
    for method in UNMATCHED_METHODS:
        metrics.declare_http(method, UNMATCHED, unmatched.values(), unmatched)
    for status in unmatched.values():
        metrics.declare_duration(OTHER, UNMATCHED, status)
