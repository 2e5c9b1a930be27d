"""The control endpoint: the injector over HTTP, as a Starlette app of its own behind ``faults.gate.Gate``.

It may run on a port of its own (``faults.serve`` does that) or be mounted in a foreign app, whose injector should then
exempt the mount's path. It never decides anything: bounds are the models', life times the injector's.
"""

from __future__ import annotations

from pydantic import TypeAdapter, ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

import faults.kinds  # noqa: F401 - fills the catalogue
from faults.admission import problems
from faults.base import FaultKind, FaultRecord, FaultRequest
from faults.errors import (
    BadFaultRequest,
    FaultError,
    FaultNotApplied,
    FaultUnavailable,
    UnknownFault,
    UnknownFaultKind,
)
from faults.gate import Gate, refusal
from faults.injector import Injector

MAX_BODY_BYTES = 64 * 1024
_STATUS: dict[type[FaultError], tuple[int, str]] = {
    BadFaultRequest: (422, "invalid_input"),
    UnknownFaultKind: (422, "unknown_fault_kind"),
    UnknownFault: (404, "unknown_fault"),
    FaultUnavailable: (409, "fault_unavailable"),
    FaultNotApplied: (500, "fault_not_applied"),
}
_RECORDS = TypeAdapter(tuple[FaultRecord, ...])
_KINDS = TypeAdapter(tuple[FaultKind, ...])


def create_control_app(
    injector: Injector, token: str, *, instance: str, started_at: float, hosts: frozenset[str] = frozenset()
) -> Starlette:
    """Return the control app; ``instance`` names this process's start and ``started_at`` is its Unix time.

    It answers on loopback and to the names of ``hosts``.
    """
    health = {"status": "healthy", "instance": instance, "started_at": started_at}

    async def show_health(_: Request) -> Response:
        return JSONResponse(health)

    async def list_kinds(_: Request) -> Response:
        return _json(_KINDS.dump_json(injector.kinds(), by_alias=True))

    async def list_faults(_: Request) -> Response:
        return _json(_RECORDS.dump_json(injector.records()))

    async def light(request: Request) -> Response:
        try:
            wanted = FaultRequest.model_validate_json(await _body(request))
        except ValidationError as error:
            return refusal(422, "invalid_input", "; ".join(problems(error, "body")))
        return _json((await injector.light(wanted)).model_dump_json().encode(), 201)

    async def put_out(request: Request) -> Response:
        record = await injector.put_out(request.path_params["fault_id"])
        return _json(record.model_dump_json().encode())

    async def heartbeat(_: Request) -> Response:
        return JSONResponse({"guarded": injector.heartbeat()})

    async def reset(_: Request) -> Response:
        return _json(_RECORDS.dump_json(await injector.reset()))

    routes = [
        Route("/health", show_health, methods=["GET"]),
        Route("/kinds", list_kinds, methods=["GET"]),
        Route("/faults", list_faults, methods=["GET"]),
        Route("/faults", light, methods=["POST"]),
        Route("/faults/{fault_id}", put_out, methods=["DELETE"]),
        Route("/heartbeat", heartbeat, methods=["POST"]),
        Route("/reset", reset, methods=["POST"]),
    ]
    return Starlette(
        routes=routes,
        middleware=[Middleware(Gate, token=token, hosts=hosts)],
        exception_handlers={FaultError: _fault_error, HTTPException: _http_error},
    )


def status_of(error: Exception) -> tuple[int, str]:
    """Return the HTTP status and the type that an error of the injector is answered with."""
    return next((entry for cls, entry in _STATUS.items() if isinstance(error, cls)), (500, "internal"))


def _json(body: bytes, status: int = 200) -> Response:
    return Response(body, status, media_type="application/json")


async def _body(request: Request) -> bytes:
    """Return the request's body, or raise 413 as soon as it is longer than ``MAX_BODY_BYTES``."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise HTTPException(413, f"the body is longer than {MAX_BODY_BYTES} bytes")
    return bytes(body)


async def _fault_error(_: Request, error: Exception) -> Response:
    return refusal(*status_of(error), str(error))


async def _http_error(_: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    kinds = {404: "not_found", 405: "method_not_allowed", 413: "payload_too_large"}
    return refusal(error.status_code, kinds.get(error.status_code, "invalid_input"), error.detail)
