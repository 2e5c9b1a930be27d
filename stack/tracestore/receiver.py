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
    StoreStopped,
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
    intake = Intake(store.limits.max_payload_bytes, store.limits.max_pending_bytes)
    return Starlette(
        routes=[
            Route("/v1/traces", _export("traces", store, metrics, intake), methods=["POST"]),
            Route("/v1/logs", _export("logs", store, metrics, intake), methods=["POST"]),
            Route("/health", _health),
        ]
    )


def _export(
    signal: Signal, store: TraceStore, metrics: StoreMetrics, intake: Intake
) -> Callable[[Request], Coroutine[None, None, Response]]:
    async def export(request: Request) -> Response:
        form: Format = "json"  # an exporter whose format is not ours is told so in JSON
        try:
            form = format_of(request.headers.get("content-type"))
            coding = coding_of(request.headers.get("content-encoding"))
            raw = await intake.body(request)
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


class Intake:
    """Reads bodies, none longer than ``limit`` and all that are under way together not more than ``most`` bytes."""

    def __init__(self, limit: int, most: int) -> None:
        self._limit, self._most, self._held = limit, most, 0

    async def body(self, request: Request) -> bytes:
        """Return a body as sent; raise ``PayloadTooLarge`` or ``StoreBusy`` as soon as that is known."""
        announced = request.headers.get("content-length", "")
        if announced.isdigit() and int(announced) > self._limit:
            raise PayloadTooLarge(self._limit)
        parts = bytearray()
        try:
            async for part in request.stream():
                parts += part
                self._held += len(part)
                if len(parts) > self._limit:
                    raise PayloadTooLarge(self._limit)
                if len(parts) < self._held > self._most:  # one alone may always come
                    raise StoreBusy(self._held)
        finally:
            self._held -= len(parts)
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
    elif isinstance(error, StoreBusy | StoreUnavailable | StoreStopped):
        status, code = 503, _UNAVAILABLE
        headers["Retry-After"] = str(error.retry_after_s)
    elif not isinstance(error, PayloadError):
        raise error
    return Response(failure(code, str(error), form), status, headers=headers, media_type=_MEDIA_TYPE[form])


async def _health(_: Request) -> Response:
    return JSONResponse({"status": "healthy"})
