"""The conductor's HTTP API. It reads requests, calls the parts, and maps errors to statuses, in this one place."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import unquote

from pydantic import BaseModel, JsonValue, TypeAdapter, ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from faults.base import FaultKind, FaultRecord, FaultRequest
from faults.client import ACTOR_HEADER
from faults.drills.alerts import AlertBoard
from faults.drills.control import ServiceControl, TrafficControl
from faults.drills.errors import (
    BadDrill,
    BadNotification,
    ControlRefused,
    ControlUnreachable,
    DrillRunning,
    FaultsActive,
    PartlyLit,
    StillUndoing,
    UnknownDrill,
    UnknownRun,
)
from faults.drills.fires import Fires
from faults.drills.journal import Journal
from faults.drills.runs import Runs
from faults.drills.webhook import read_notifications
from faults.drills.wire import (
    AlertStatus,
    ConductorHealth,
    DrillInfo,
    DrillRun,
    DrillStart,
    JournalEntry,
    Notification,
    TrafficSettings,
)
from faults.errors import FaultError
from faults.gate import Gate, refusal
from stack.errors import SourceUnreachable, StackError

MAX_BODY_BYTES = 256 * 1024
MAX_WEBHOOK_BYTES = 8 * 1024 * 1024
MAX_LIMIT = 1000
_STATUS: dict[type[Exception], tuple[int, str]] = {
    BadDrill: (422, "invalid_drill"),
    BadNotification: (400, "invalid_notification"),
    UnknownDrill: (404, "unknown_drill"),
    UnknownRun: (404, "unknown_run"),
    DrillRunning: (409, "drill_running"),
    FaultsActive: (409, "faults_active"),
    StillUndoing: (409, "still_undoing"),
    ControlUnreachable: (503, "unreachable"),
    PartlyLit: (502, "partly_lit"),
    SourceUnreachable: (503, "unreachable"),
    StackError: (502, "source_failed"),
}
_KINDS = TypeAdapter(list[FaultKind])
_RECORDS = TypeAdapter(list[FaultRecord])
_DRILLS = TypeAdapter(list[DrillInfo])
_RUNS = TypeAdapter(list[DrillRun])
_ALERTS = TypeAdapter(list[AlertStatus])
_ENTRIES = TypeAdapter(list[JournalEntry])
_NOTIFICATIONS = TypeAdapter(list[Notification])

M = TypeVar("M", bound=BaseModel)
Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class Desk:
    """What the API answers from."""

    runs: Runs
    control: ServiceControl
    traffic: TrafficControl
    fires: Fires
    journal: Journal
    board: AlertBoard
    now: Callable[[], float]
    started_at: float


class Answers:
    """The handlers, one for each route."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def health(self, _: Request) -> Response:
        """Say that the conductor runs, and which drill."""
        running = self._desk.runs.running
        return _model(ConductorHealth(started_at=self._desk.started_at, running=running.id if running else None))

    async def kinds(self, _: Request) -> Response:
        """Return the service's kinds of fault."""
        return _json(_KINDS.dump_json(list(await self._desk.control.kinds()), by_alias=True))

    async def faults(self, _: Request) -> Response:
        """Return the service's faults."""
        return _json(_RECORDS.dump_json(list(await self._desk.control.faults())))

    async def light(self, request: Request) -> Response:
        """Light a fault."""
        wanted = await _read(request, FaultRequest)
        record = await self._desk.control.light(wanted)
        facts: dict[str, JsonValue] = {"kind": record.kind, "parameters": record.parameters, "ttl_s": record.ttl_s}
        self._desk.journal.write(_actor(request), "fault_lit", record.id, facts)
        return _model(record, 201)

    async def put_out(self, request: Request) -> Response:
        """Put a fault out."""
        record = await self._desk.control.put_out(request.path_params["fault_id"])
        facts = {"kind": record.kind, "end_reason": record.end_reason}
        self._desk.journal.write(_actor(request), "fault_put_out", record.id, facts)
        return _model(record)

    async def reset(self, request: Request) -> Response:
        """Put every fault out."""
        records = list(await self._desk.control.reset())
        self._desk.journal.write(_actor(request), "faults_reset", "all", {"ended": [one.id for one in records]})
        return _json(_RECORDS.dump_json(records))

    async def drills(self, _: Request) -> Response:
        """Return the library."""
        return _json(_DRILLS.dump_json(self._desk.runs.drills()))

    async def start(self, request: Request) -> Response:
        """Start a drill."""
        start = await _read(request, DrillStart)
        return _model(await self._desk.runs.start(start, _actor(request)), 201)

    async def runs(self, request: Request) -> Response:
        """Return the newest runs."""
        return _json(_RUNS.dump_json(self._desk.runs.runs(_limit(request, 20))))

    async def run(self, request: Request) -> Response:
        """Return one run."""
        return _model(self._desk.runs.run(request.path_params["run_id"]))

    async def abort(self, request: Request) -> Response:
        """Abort a run."""
        return _model(await self._desk.runs.abort(request.path_params["run_id"], _actor(request)))

    async def alerts(self, _: Request) -> Response:
        """Return every alerting rule."""
        return _json(_ALERTS.dump_json(await self._desk.board.statuses()))

    async def journal(self, request: Request) -> Response:
        """Return the newest lines of the journal."""
        return _json(_ENTRIES.dump_json(self._desk.journal.entries(_limit(request, 100))))

    async def notifications(self, request: Request) -> Response:
        """Return the newest notifications."""
        return _json(_NOTIFICATIONS.dump_json(self._desk.journal.notifications(_limit(request, 100))))

    async def traffic(self, _: Request) -> Response:
        """Return what is sent."""
        return _model(await self._desk.traffic.status())

    async def set_traffic(self, request: Request) -> Response:
        """Change what is sent; a drill under way then no longer puts its own settings back."""
        wanted = await _read(request, TrafficSettings)
        status = await self._desk.traffic.apply(wanted)
        self._desk.fires.keep_traffic()
        self._desk.journal.write(_actor(request), "traffic_set", "traffic", wanted.model_dump(mode="json"))
        return _model(status)

    async def webhook(self, request: Request) -> Response:
        """Take what Alertmanager delivers."""
        at = self._desk.now()
        for notification in read_notifications(await _body(request, MAX_WEBHOOK_BYTES), at):
            self._desk.journal.notify(notification)
        return Response(status_code=204)


def create_app(
    desk: Desk,
    token: str,
    *,
    tend: Callable[[], Awaitable[None]],
    close: Callable[[], Awaitable[None]],
    hosts: frozenset[str] = frozenset(),
) -> Starlette:
    """Return the conductor's app. ``tend`` starts its background work, ``close`` ends it.

    It answers on loopback and to the names of ``hosts``.
    """

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await tend()
        try:
            yield
        finally:
            await close()

    answers = Answers(desk)
    table: list[tuple[str, str, Handler]] = [
        ("GET", "/health", answers.health),
        ("GET", "/faults/kinds", answers.kinds),
        ("GET", "/faults", answers.faults),
        ("POST", "/faults", answers.light),
        ("POST", "/faults/reset", answers.reset),
        ("DELETE", "/faults/{fault_id}", answers.put_out),
        ("GET", "/drills", answers.drills),
        ("POST", "/drills/runs", answers.start),
        ("GET", "/drills/runs", answers.runs),
        ("GET", "/drills/runs/{run_id}", answers.run),
        ("POST", "/drills/runs/{run_id}/abort", answers.abort),
        ("GET", "/alerts", answers.alerts),
        ("GET", "/journal", answers.journal),
        ("GET", "/notifications", answers.notifications),
        ("GET", "/traffic", answers.traffic),
        ("PUT", "/traffic", answers.set_traffic),
        ("POST", "/webhook/alertmanager", answers.webhook),
    ]
    return Starlette(
        routes=[Route(path, handler, methods=[method]) for method, path, handler in table],
        middleware=[Middleware(Gate, token=token, hosts=hosts)],
        exception_handlers={FaultError: _error, StackError: _error, HTTPException: _http_error},
        lifespan=lifespan,
    )


def _json(body: bytes, status: int = 200) -> Response:
    return Response(body, status, media_type="application/json")


def _model(model: BaseModel, status: int = 200) -> Response:
    return _json(model.model_dump_json().encode(), status)


def _actor(request: Request) -> str:
    return unquote(request.headers.get(ACTOR_HEADER, ""))[:80].strip() or "unknown"


def _limit(request: Request, default: int) -> int:
    text = request.query_params.get("limit", str(default))
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MAX_LIMIT:
        raise HTTPException(422, f"limit: expected a whole number from 1 to {MAX_LIMIT}, got {text!r:.40}")
    return int(text)


async def _body(request: Request, most: int) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise HTTPException(413, f"the body is longer than {most} bytes")
    return bytes(body)


async def _read(request: Request, model: type[M]) -> M:
    try:
        return model.model_validate_json(await _body(request, MAX_BODY_BYTES))
    except ValidationError as error:
        found = error.errors(include_url=False)
        problems = (f"{'.'.join(map(str, one['loc'])) or 'body'}: {one['msg']}" for one in found)
        raise HTTPException(422, "; ".join(problems)) from None


async def _error(_: Request, error: Exception) -> Response:
    if isinstance(error, ControlRefused):
        known = 400 <= error.status < 500 and error.status not in {401, 403}
        return refusal(error.status if known else 502, error.kind, str(error))
    status, kind = next((entry for cls, entry in _STATUS.items() if isinstance(error, cls)), (500, "internal"))
    return refusal(status, kind, str(error))


async def _http_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    kinds = {404: "not_found", 405: "method_not_allowed", 413: "payload_too_large"}
    detail = f"no such page: {request.url.path}" if error.status_code == 404 else error.detail
    return refusal(error.status_code, kinds.get(error.status_code, "invalid_input"), detail)
