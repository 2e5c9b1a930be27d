"""The Open Inference Protocol, version 2, over HTTP: health, metadata, inference, and the model repository.

Protocol: https://github.com/kserve/open-inference-protocol, with Triton's binary tensor and model repository
extensions. Predictions take the same way as those of ``/predict``. Errors are ``{"error": "…"}`` (``service.api``).
"""

from __future__ import annotations

import hmac
import math
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from pydantic import BaseModel, ValidationError
from starlette.responses import JSONResponse, Response

from service.departure import disconnected
from service.direct_route import DirectRoute
from service.errors import STATUS, ErrorType, LoadRefused, UnknownModel
from service.inference import Inference
from service.models.base import Profile
from service.models.parts.pictures import PictureProfile
from service.models.registry import Models
from service.oip_bodies import (
    IndexEntry,
    IndexForm,
    InferAnswer,
    ModelMetadata,
    ModelReady,
    OipError,
    ServerLive,
    ServerMetadata,
    ServerReady,
)
from service.schemas import LARGEST
from service.settings import Settings
from service.telemetry.observe import exchange_of
from service.tensors import Exchange, described_inputs, described_outputs

JSON_LENGTH = "inference-header-content-length"
UNKNOWN_NAMES = (
    "/v2/models/{model}",
    "/v2/models/{model}/ready",
    "/v2/models/{model}/versions/{version}",
    "/v2/models/{model}/versions/{version}/ready",
)
"""Where a name that nobody has is asked for with a ``GET``."""
INFER_ERRORS = (
    ErrorType.INVALID_INPUT,
    ErrorType.UNKNOWN_MODEL,
    ErrorType.METHOD_NOT_ALLOWED,
    ErrorType.MODEL_NOT_LOADED,
    ErrorType.QUEUE_FULL,
    ErrorType.TIMEOUT,
    ErrorType.PAYLOAD_TOO_LARGE,
    ErrorType.PREDICTION_FAILED,
    ErrorType.INTERNAL,
)
INFER = "/v2/models/{model}/infer"
INFER_VERSION = "/v2/models/{model}/versions/{version}/infer"
Answers = dict[int | str, dict[str, Any]]
ReadBody = Callable[[Request, int, str], Awaitable[bytes]]


def build_oip_router(settings: Settings, *, models: Models, inference: Inference, read_body: ReadBody) -> APIRouter:
    """Return the routes below ``/v2``; ``read_body`` reads at most so many bytes, a limit set by the named setting."""
    router = APIRouter(prefix="/v2", tags=["open inference protocol"])
    _add_server(router, settings, models)
    _add_models(router, models)
    _add_inference(router, settings, models, inference, read_body)
    _add_repository(router, settings, models, read_body)
    return router


def _add_server(router: APIRouter, settings: Settings, models: Models) -> None:
    """Add ``/v2`` and ``/v2/health/…``."""

    @router.get("", summary="What this server is.")
    async def server() -> ServerMetadata:
        extensions = ["binary_tensor_data", "model_repository"]
        return ServerMetadata(name=settings.app_name, version=settings.app_version, extensions=extensions)

    @router.get("/health/live", summary="Whether the server lives.")
    async def live() -> ServerLive:
        return ServerLive(live=True)

    @router.get("/health/ready", response_model=ServerReady, responses=_not_ready(ServerReady), summary="And is ready.")
    async def ready() -> Response:
        return JSONResponse({"ready": models.all_loaded}, 200 if models.all_loaded else 503)


def _add_models(router: APIRouter, models: Models) -> None:
    """Add metadata and readiness of models."""

    def metadata(model: str, version: str | None) -> ModelMetadata:
        profile = _known(models, model, version)
        return ModelMetadata(
            name=model,
            versions=[models.version(model)],
            platform=profile.libraries[0].replace("-", "_"),
            inputs=described_inputs(profile),
            outputs=described_outputs(profile),
        )

    def readiness(model: str, version: str | None) -> Response:
        _known(models, model, version)
        loaded = models.loaded(model) is not None
        return JSONResponse({"name": model, "ready": loaded}, 200 if loaded else 503)

    unknown = _answers([ErrorType.UNKNOWN_MODEL])
    maybe = {**unknown, **_not_ready(ModelReady)}

    @router.get("/models/{model}", summary="The tensors of a model.", responses=unknown)
    async def model_metadata(model: str) -> ModelMetadata:
        return metadata(model, None)

    @router.get("/models/{model}/versions/{version}", summary="The tensors of a version.", responses=unknown)
    async def version_metadata(model: str, version: str) -> ModelMetadata:
        return metadata(model, version)

    @router.get("/models/{model}/ready", summary="Whether a model is.", response_model=ModelReady, responses=maybe)
    async def model_ready(model: str) -> Response:
        return readiness(model, None)

    @router.get(
        "/models/{model}/versions/{version}/ready",
        summary="Whether a version is ready.",
        response_model=ModelReady,
        responses=maybe,
    )
    async def version_ready(model: str, version: str) -> Response:
        return readiness(model, version)


def _add_inference(
    router: APIRouter, settings: Settings, models: Models, inference: Inference, read_body: ReadBody
) -> None:
    """Add inference."""

    async def infer(request: Request, model: str, version: str | None) -> Response:
        profile = _known(models, model, version)
        pictures = isinstance(profile, PictureProfile)
        limits = (
            (settings.max_image_bytes, "MAX_IMAGE_BYTES") if pictures else (settings.max_body_bytes, "MAX_BODY_BYTES")
        )
        payload = await read_body(request, *limits)
        call = Exchange(profile, max_rows=settings.max_rows, json_length=request.headers.get(JSON_LENGTH))
        seen = exchange_of(request.scope)
        output = await inference.predict(
            model,
            payload,
            endpoint=seen.endpoint,
            request_id=seen.request_id,
            read=call,
            decode=pictures,
            gone=partial(disconnected, request.receive),
        )
        body, json_length = call.answer(output, models.version(model))
        if json_length is None:
            return Response(body, media_type="application/json")
        return Response(body, headers={JSON_LENGTH: str(json_length)}, media_type="application/octet-stream")

    described: dict[str, Any] = {
        "response_class": Response,
        "responses": {
            200: {"model": InferAnswer, "description": "A tensor for each output."},
            **_answers(INFER_ERRORS),
        },
        "openapi_extra": _request_body(models.profiles.values()),
        "summary": "Predict the rows of a tensor.",
    }

    async def model_infer(request: Request, model: str) -> Response:
        return await infer(request, model, None)

    async def version_infer(request: Request, model: str, version: str) -> Response:
        return await infer(request, model, version)

    for path, endpoint in ((INFER, model_infer), (INFER_VERSION, version_infer)):
        router.add_api_route(
            path.removeprefix("/v2"), endpoint, methods=["POST"], route_class_override=DirectRoute, **described
        )


def _add_repository(router: APIRouter, settings: Settings, models: Models, read_body: ReadBody) -> None:
    """Add the model repository, closed without a token in the settings."""
    token = settings.control_token.get_secret_value()
    refusals: Answers = {
        401: {"model": OipError, "description": "No token, or a wrong one."},
        403: {"model": OipError, "description": "The service has no token: closed."},
    }

    def admit(request: Request) -> None:
        if not token:
            raise HTTPException(403, "the model repository is closed: CONTROL_TOKEN is not set")
        given = request.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode("latin-1", "replace"), f"Bearer {token}".encode()):
            raise HTTPException(401, "send CONTROL_TOKEN as 'Authorization: Bearer …'", {"www-authenticate": "Bearer"})

    @router.post(
        "/repository/index",
        summary="The models of the repository.",
        responses={**refusals, **_answers([ErrorType.INVALID_INPUT, ErrorType.PAYLOAD_TOO_LARGE])},
        openapi_extra={"requestBody": {"content": {"application/json": {"schema": IndexForm.model_json_schema()}}}},
    )
    async def index(request: Request) -> list[IndexEntry]:
        admit(request)
        body = await read_body(request, settings.max_body_bytes, "MAX_BODY_BYTES")
        try:
            form = IndexForm.model_validate_json(body) if body.strip() else IndexForm()
        except ValidationError:
            raise HTTPException(STATUS[ErrorType.INVALID_INPUT], 'expected {"ready": true} or no body') from None
        return [entry for entry in map(entry_of, models.names) if entry.state == "READY" or not form.ready]

    def entry_of(name: str) -> IndexEntry:
        loaded = models.loaded(name) is not None
        reason = "" if loaded else "not loaded; the log says why"
        state = "READY" if loaded else "UNAVAILABLE"
        return IndexEntry(name=name, version=models.version(name), state=state, reason=reason)

    loading = _answers([ErrorType.UNKNOWN_MODEL, ErrorType.MODEL_NOT_LOADED])

    @router.post("/repository/models/{model}/load", summary="Load a model anew.", responses={**refusals, **loading})
    async def load(request: Request, model: str) -> dict[str, str]:
        admit(request)
        if not await models.reload(model):
            raise LoadRefused(model)
        return {}

    @router.post("/repository/models/{model}/unload", summary="Unload a model.", responses={**refusals, **loading})
    async def unload(request: Request, model: str) -> dict[str, str]:
        admit(request)
        await models.unload(model)
        return {}


def _known(models: Models, model: str, version: str | None) -> Profile:
    """Return the profile of a served model; raise ``UnknownModel``, also for another version than the one served."""
    profile = models.profiles.get(model)
    if profile is None:
        raise UnknownModel(model, models.names)
    if version is not None and version != models.version(model):
        raise UnknownModel(f"{model}/{version}", [f"{model}/{models.version(model)}"])
    return profile


def _answers(errors: Iterable[ErrorType]) -> Answers:
    """Return the OpenAPI answers for these errors."""
    by_status: Answers = {}
    for error in errors:
        known = by_status.get(STATUS[error])
        description = f"{known['description']}, {error.value}" if known else error.value
        by_status[STATUS[error]] = {"model": OipError, "description": description}
    return by_status


def _not_ready(model: type[BaseModel]) -> Answers:
    return {503: {"model": model, "description": "Not ready."}}


def _request_body(profiles: Iterable[Profile]) -> dict[str, Any]:
    """Return the OpenAPI request body: one row for each model, though a tensor may have more."""
    schemas = [_one_row(profile) for profile in profiles]
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": {"anyOf": schemas}}}}}


def _one_row(profile: Profile) -> dict[str, Any]:
    tensor = described_inputs(profile)[-1]
    shape = [1, *tensor.shape[1:]]
    most = profile.full_scale if isinstance(profile, PictureProfile) else LARGEST
    least = 0 if isinstance(profile, PictureProfile) else -LARGEST
    size = math.prod(shape)
    value = {"type": "number", "minimum": least, "maximum": most}
    data = {"type": "array", "items": value, "minItems": size, "maxItems": size}
    properties = {
        "name": {"const": tensor.name},
        "shape": {"const": shape},
        "datatype": {"enum": ["FP64", "FP32"]},
        "data": data,
    }
    row = {"type": "object", "properties": properties, "required": list(properties)}
    inputs = {"type": "array", "items": row, "minItems": 1, "maxItems": 1}
    form = {"id": {"type": "string"}, "inputs": inputs}
    return {"type": "object", "title": f"{profile.name}, one row", "properties": form, "required": ["inputs"]}
