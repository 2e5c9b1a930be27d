"""The HTTP routes, and how errors become answers."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial, reduce
from operator import or_
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response

from service.clock import Clock, utc
from service.departure import disconnected
from service.direct_route import DirectRoute
from service.errors import STATUS, ErrorType, PayloadTooLarge, RequestError, error_body, error_type_of
from service.images import FILE_FIELD, MULTIPART
from service.inference import Inference
from service.models.base import Profile, Reply
from service.models.registry import Models
from service.oip import build_oip_router
from service.schemas import (
    ErrorAnswer,
    FeatureAnswer,
    Health,
    ModelAnswer,
    ModelsAnswer,
    ServiceInfo,
    field_of,
)
from service.settings import Settings
from service.telemetry.observe import exchange_of

PREDICT_ERRORS = (
    ErrorType.INVALID_INPUT,
    ErrorType.METHOD_NOT_ALLOWED,
    ErrorType.MODEL_NOT_LOADED,
    ErrorType.QUEUE_FULL,
    ErrorType.TIMEOUT,
    ErrorType.PAYLOAD_TOO_LARGE,
    ErrorType.PREDICTION_FAILED,
    ErrorType.INTERNAL,
)
PREDICT_MODEL_ERRORS = (*PREDICT_ERRORS, ErrorType.UNKNOWN_MODEL)
JSON = "application/json"


def build_router(
    settings: Settings,
    *,
    models: Models,
    inference: Inference,
    clock: Clock,
) -> APIRouter:
    """Return the routes of the service but for those of ``add_predictions``."""
    router = APIRouter()
    _add_states(router, models, clock)
    router.include_router(build_oip_router(settings, models=models, inference=inference, read_body=_body))

    @router.get("/", summary="What this service is.")
    async def root(request: Request) -> ServiceInfo:
        paths = sorted(request.app.openapi()["paths"])
        status = "ready" if models.all_loaded else "not_ready"
        return ServiceInfo(service=settings.app_name, version=settings.app_version, status=status, endpoints=paths)

    return router


def add_predictions(
    router: APIRouter, settings: Settings, *, models: Models, inference: Inference, clock: Clock
) -> None:
    """Add ``/predict`` and ``/predict/{model}`` to the app's own router: one that is included is searched in turn."""

    async def predict(request: Request, name: str) -> Response:
        exchange = exchange_of(request.scope)
        profile = models.profiles.get(name)
        content_type = header(request, b"content-type", JSON)
        upload = models.reader(name).read_upload(content_type) if profile else None
        payload = await (
            _body(request, settings.max_image_bytes, "MAX_IMAGE_BYTES")
            if upload
            else _body(request, settings.max_body_bytes)
        )
        output = await inference.predict(
            name,
            payload,
            endpoint=exchange.endpoint,
            request_id=exchange.request_id,
            read=upload,
            decode=upload is not None,
            gone=partial(disconnected, request.receive),
        )
        if profile is None:
            raise LookupError(name)
        reply = Reply(exchange.request_id, settings.app_version, models.version(name), clock.time())
        return Response(profile.answer(output, reply), media_type=JSON)

    async def predict_default(request: Request) -> Response:
        return await predict(request, models.default)

    async def predict_named(request: Request, model: str) -> Response:
        return await predict(request, model)

    router.add_api_route(
        "/predict",
        predict_default,
        methods=["POST"],
        summary=f"Predict with the default model, {models.default}.",
        openapi_extra=_request_body(models, [models.default]),
        responses=_responses(models, [models.default], PREDICT_ERRORS),
        response_class=Response,
        route_class_override=DirectRoute,
    )
    router.add_api_route(
        "/predict/{model}",
        predict_named,
        methods=["POST"],
        summary="Predict with a model by name.",
        openapi_extra=_request_body(models, models.names),
        responses=_responses(models, models.names, PREDICT_MODEL_ERRORS),
        response_class=Response,
        route_class_override=DirectRoute,
    )


def _add_states(router: APIRouter, models: Models, clock: Clock) -> None:
    """Add ``/health``, ``/ready`` and ``/model-info``."""

    @router.get("/health", summary="Whether the process lives; always cheap.")
    async def health() -> Health:
        return Health(status="healthy", model_loaded=models.all_loaded, timestamp=utc(clock.time()))

    @router.get(
        "/ready",
        summary="Whether every served model is loaded; 503 until then.",
        response_model=Health,
        responses={503: {"model": Health, "description": "Not ready."}},
    )
    async def ready() -> JSONResponse:
        loaded = models.all_loaded
        state = Health(status="ready" if loaded else "not_ready", model_loaded=loaded, timestamp=utc(clock.time()))
        return JSONResponse(state.model_dump(), 200 if loaded else 503)

    @router.get("/model-info", summary="What is known of each served model.")
    async def model_info() -> ModelsAnswer:
        return ModelsAnswer(
            default=models.default,
            models=[_model_answer(models, profile) for profile in models.profiles.values()],
        )


def _model_answer(models: Models, profile: Profile) -> ModelAnswer:
    """Return what ``/model-info`` says of one model."""
    model = models.loaded(profile.name)
    statistics = model.statistics if model else None
    return ModelAnswer(
        name=profile.name,
        title=profile.title,
        version=models.version(profile.name),
        loaded=model is not None,
        input=profile.input,
        features=[
            FeatureAnswer(
                name=feature.name,
                minimum=feature.minimum,
                maximum=feature.maximum,
                mean=feature.mean,
                std=feature.std,
            )
            for feature in (statistics.features if statistics else ())
        ],
        classes=list(model.classes if model else profile.classes),
        trained_at=model.trained_at if model else None,
        sha256=model.sha256 if model else None,
        data_origin=model.data_origin if model else profile.data_origin,
        training_flagged_share=statistics.flagged_share if statistics else None,
        examples=[list(row) for row in statistics.examples] if statistics else [],
    )


def add_error_answers(app: FastAPI) -> None:
    """Answer every error in the one error shape and note its type for the metrics."""

    async def request_error(request: Request, error: Exception) -> Response:
        if not isinstance(error, RequestError):
            raise error
        return request_error_answer(request, error)

    async def http_error(request: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException):
            raise error
        message = error.detail
        if error.status_code == STATUS[ErrorType.NOT_FOUND]:
            message = f"nothing at {request.url.path[:200]}; GET / lists the endpoints"
        elif error.status_code == STATUS[ErrorType.METHOD_NOT_ALLOWED]:
            message = f"{request.method[:20]} is not allowed at {request.url.path[:200]}"
        kind = error_type_of(error.status_code)
        return _error_answer(request, kind, message, error.status_code, dict(error.headers or {}))

    async def invalid(request: Request, error: Exception) -> Response:
        if not isinstance(error, RequestValidationError):
            raise error
        message = "; ".join(f"{field_of(detail['loc'])}: {detail['msg']}" for detail in error.errors())
        return _error_answer(request, ErrorType.INVALID_INPUT, message, STATUS[ErrorType.INVALID_INPUT], {})

    app.add_exception_handler(RequestError, request_error)
    app.add_exception_handler(HTTPException, http_error)
    app.add_exception_handler(RequestValidationError, invalid)


def request_error_answer(request: Request, error: RequestError) -> Response:
    """Return the answer to ``error``, whose type is noted for the metrics."""
    return _error_answer(request, error.type, str(error), error.status, error.headers)


def _error_answer(request: Request, kind: str, message: str, status: int, headers: dict[str, str]) -> Response:
    exchange = exchange_of(request.scope)
    exchange.error_type = kind
    return Response(error_body(kind, message, exchange.request_id, request.url.path), status, headers, JSON)


async def _body(request: Request, limit: int, setting: str = "MAX_BODY_BYTES") -> bytes:
    """Return the request body; raise ``PayloadTooLarge`` before more than ``limit`` bytes are held."""
    declared = header(request, b"content-length")
    if declared.isdecimal() and int(declared) > limit:
        raise PayloadTooLarge(limit, setting)
    chunks: list[bytes] = []
    size, more = 0, True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise PayloadTooLarge(limit, setting)
        chunks.append(chunk)
        more = message.get("more_body", False)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def header(request: Request, name: bytes, default: str = "") -> str:
    """Return the first header ``name``, given in lower case as servers hand them over."""
    for key, value in request.scope["headers"]:
        if key == name:
            return str(value, "latin-1")
    return default


def _request_body(models: Models, names: Iterable[str]) -> dict[str, Any]:
    """Return the OpenAPI request body that takes every form of the named models."""
    readers = [models.reader(name) for name in names]
    content: dict[str, Any] = {}
    if schemas := [schema for reader in readers for schema in reader.schemas]:
        content[JSON] = {"schema": {"anyOf": schemas}}
    if any(reader.takes_uploads for reader in readers):
        file = {"type": "string", "contentMediaType": "application/octet-stream", "description": "A picture."}
        schema = {"type": "object", "properties": {FILE_FIELD: file}, "required": [FILE_FIELD]}
        content[MULTIPART] = {"schema": schema}
    return {"requestBody": {"required": True, "content": content}}


def _responses(models: Models, names: Iterable[str], errors: Iterable[ErrorType]) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI answers of a prediction route."""
    answer: Any = reduce(or_, dict.fromkeys(models.profiles[name].answer_type for name in names))
    by_status: dict[int | str, dict[str, Any]] = {
        200: {"model": answer, "description": "The prediction, one for each row where there may be many."}
    }
    for error in errors:
        known = by_status.get(STATUS[error])
        description = f"{known['description']}, {error.value}" if known else error.value
        by_status[STATUS[error]] = {"model": ErrorAnswer, "description": description}
    return by_status
