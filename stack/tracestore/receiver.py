"""The OTLP/HTTP endpoints: headers and body in, status and body out. Reads no more than the limit of any body."""

from __future__ import annotations

from collections.abc import Callable, Coroutine

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from stack.tracestore.errors import (
    PayloadError,
    PayloadTooLarge,
    StoreBusy,
    StoreUnavailable,
    TraceStoreError,
    UnsupportedPayload,
)
from stack.tracestore.otlp import MEDIA_TYPES, Format, Signal, answer, coding_of, failure, format_of
from stack.tracestore.store import TraceStore
from stack.tracestore.telemetry import StoreMetrics

_MEDIA_TYPE = {form: media_type for media_type, form in MEDIA_TYPES.items()}
_INVALID_ARGUMENT, _RESOURCE_EXHAUSTED, _UNAVAILABLE = 3, 8, 14  # google.rpc.Code


def create_receiver(store: TraceStore, metrics: StoreMetrics) -> Starlette:
    """Return the app of the OTLP port: ``POST /v1/traces`` and ``/v1/logs``, and ``/health``."""
    return Starlette(
        routes=[
            Route("/v1/traces", _export("traces", store, metrics), methods=["POST"]),
            Route("/v1/logs", _export("logs", store, metrics), methods=["POST"]),
            Route("/health", _health),
        ]
    )


def _export(
    signal: Signal, store: TraceStore, metrics: StoreMetrics
) -> Callable[[Request], Coroutine[None, None, Response]]:
    async def export(request: Request) -> Response:
        form: Format = "json"  # an exporter whose format is not ours is told so in JSON
        try:
            form = format_of(request.headers.get("content-type"))
            coding = coding_of(request.headers.get("content-encoding"))
            raw = await _body(request, store.limits.max_payload_bytes)
            outcome = await store.submit(signal, raw, coding, form)
            body = answer(signal, outcome.rejected, outcome.reason, form)
            response = Response(body, 200, media_type=_MEDIA_TYPE[form])
        except TraceStoreError as error:
            response = _refusal(error, form)
        except ClientDisconnect:
            response = Response(status_code=400)  # nobody reads it; the counter does
        metrics.requests.labels(signal, str(response.status_code)).inc()
        return response

    return export


async def _body(request: Request, limit: int) -> bytes:
    """Return the body as sent; raise ``PayloadTooLarge`` as soon as it is known to be."""
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > limit:
        raise PayloadTooLarge(limit)
    parts = bytearray()
    async for part in request.stream():
        parts += part
        if len(parts) > limit:
            raise PayloadTooLarge(limit)
    return bytes(parts)


def _refusal(error: TraceStoreError, form: Format) -> Response:
    """Return the answer to an export that was not stored: the one place where errors become statuses."""
    status, code = 400, _INVALID_ARGUMENT
    headers: dict[str, str] = {}
    if isinstance(error, PayloadTooLarge):
        status, code = 413, _RESOURCE_EXHAUSTED
    elif isinstance(error, UnsupportedPayload):
        status = 415
        if error.header == "Content-Encoding":
            headers["Accept-Encoding"] = error.supported
    elif isinstance(error, StoreBusy | StoreUnavailable):
        status, code = 503, _UNAVAILABLE
        headers["Retry-After"] = str(error.retry_after_s)
    elif not isinstance(error, PayloadError):
        raise error
    return Response(failure(code, str(error), form), status, headers=headers, media_type=_MEDIA_TYPE[form])


async def _health(_: Request) -> Response:
    return JSONResponse({"status": "healthy"})
