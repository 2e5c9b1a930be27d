"""The routes by which others learn how the service does: ``/metrics`` in any dialect, and ``/slo``."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from fastapi import APIRouter, Query, Request
from prometheus_client import CollectorRegistry
from starlette.responses import Response

from service import compute as kinds
from service.clock import Clock, utc
from service.compute import Compute
from service.errors import UnknownDialect
from service.schemas import ErrorAnswer
from service.slo import PREDICTION_ENDPOINTS, SloAnswer, objectives
from service.telemetry import exposition
from service.telemetry.dialects import Dialect
from service.telemetry.metrics import Metrics
from service.telemetry.translation import Translation


def build_signals_router(
    metrics: Metrics,
    *,
    registry: CollectorRegistry,
    dialects: Mapping[str, Dialect],
    clock: Clock,
    compute: Compute,
    enable_metrics: bool,
) -> APIRouter:
    """Return ``/slo`` and, where metrics are enabled, ``/metrics``."""
    router = APIRouter()
    since = utc(clock.time())

    @router.get("/slo", summary="The objectives, and good and total counts since the start.")
    async def slo() -> SloAnswer:
        return SloAnswer(since=since, endpoints=list(PREDICTION_ENDPOINTS), objectives=objectives(metrics))

    if enable_metrics:
        described: str | None = Query(
            default=None,
            description="Expose them under the names of this dialect.",
            json_schema_extra={"enum": sorted(dialects)},
        )

        @router.get(
            "/metrics",
            summary="Metrics, as OpenMetrics or Prometheus text by the `Accept` header.",
            response_class=Response,
            responses={404: {"model": ErrorAnswer, "description": "Unknown dialect, not_found."}},
        )
        async def expose(request: Request, dialect: str | None = described) -> Response:
            source: exposition.Source = registry
            if dialect is not None:
                if dialect not in dialects:
                    raise UnknownDialect(dialect, dialects)
                source = Translation(dialects[dialect], registry)
            encode, content_type = exposition.choose(request.headers.get("accept", ""))
            text = await compute.run(kinds.RENDER, partial(encode, source))
            return Response(text, headers={"content-type": content_type})

    return router
