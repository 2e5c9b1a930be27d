"""The generator's control endpoint: health, settings, status, and below ``FAULTS`` the faults of this process.

It sends no traffic itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from pydantic import BaseModel, ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from faults.drills.wire import TrafficSettings
from faults.gate import Gate, refusal
from faults.traffic.errors import BadTrafficSettings, problems
from faults.traffic.generator import Generator

LARGEST_BODY = 64 * 1024
FAULTS = "/injector"
"""Where the control endpoint of this process's injector is mounted."""

CheckSettings = Callable[[TrafficSettings], Awaitable[TrafficSettings]]


def create_control_app(
    generator: Generator,
    check: CheckSettings,
    token: str,
    hosts: frozenset[str] = frozenset(),
    *,
    faults: ASGIApp | None = None,
) -> Starlette:
    """Return the control app. ``check`` returns what is sent for settings, or raises ``BadTrafficSettings``.

    ``faults`` is the control app of this process's injector. It answers on loopback and to the names of ``hosts``.
    """

    async def health(_request: Request) -> Response:
        return JSONResponse({"status": "healthy", "sending": generator.sending, "waits_for": generator.waits_for})

    async def settings(_request: Request) -> Response:
        return _json(generator.settings)

    async def put_settings(request: Request) -> Response:
        wanted = await check(_parse(await _body(request)))
        if wanted != generator.settings:
            generator.start(wanted)
        return _json(generator.status())

    async def status(_request: Request) -> Response:
        return _json(generator.status())

    return Starlette(
        routes=[
            Route("/health", health),
            Route("/settings", settings, methods=["GET"]),
            Route("/settings", put_settings, methods=["PUT"]),
            Route("/status", status),
            *([Mount(FAULTS, faults)] if faults is not None else []),
        ],
        middleware=[Middleware(Gate, token=token, hosts=hosts)],
        exception_handlers={BadTrafficSettings: _bad_settings, HTTPException: _http_error},
    )


async def _body(request: Request) -> bytes:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > LARGEST_BODY:
            raise HTTPException(413, f"settings take less than {LARGEST_BODY} bytes")
        parts.append(part)
    return b"".join(parts)


def _parse(body: bytes) -> TrafficSettings:
    try:
        return TrafficSettings.model_validate_json(body)
    except ValidationError as error:
        raise BadTrafficSettings(problems(error)) from None


def _json(model: BaseModel) -> Response:
    return Response(model.model_dump_json(), media_type="application/json")


async def _bad_settings(_request: Request, error: Exception) -> Response:
    return refusal(422, "invalid_input", str(error))


async def _http_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    kinds = {404: "not_found", 405: "method_not_allowed", 413: "payload_too_large"}
    message = f"{request.method} {request.url.path}: {error.detail}"
    return refusal(error.status_code, kinds.get(error.status_code, "invalid_input"), message)
