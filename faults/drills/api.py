"""The conductor's HTTP API. It reads requests, calls the parts, and maps errors to statuses, in this one place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from pydantic import BaseModel, JsonValue, TypeAdapter
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from faults.base import FaultKind, FaultRecord, FaultRequest
from faults.client import SILENT_HEADER
from faults.drills.alerts import AlertBoard
from faults.drills.asked import actor_of, body_of, limit_of, read, since_of
from faults.drills.control import TrafficControl
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
from faults.drills.extinguisher import Extinguisher, summary
from faults.drills.fires import Fires
from faults.drills.heartbeat import guarded
from faults.drills.journal import Journal
from faults.drills.places import Places
from faults.drills.runs import Runs
from faults.drills.shelf import NoEvidence, Shelf
from faults.drills.webhook import read_notifications
from faults.drills.why import why
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

MAX_WEBHOOK_BYTES = 8 * 1024 * 1024
_STATUS: dict[type[Exception], tuple[int, str]] = {
    BadDrill: (422, "invalid_drill"),
    BadNotification: (400, "invalid_notification"),
    UnknownDrill: (404, "unknown_drill"),
    UnknownRun: (404, "unknown_run"),
    NoEvidence: (404, "no_evidence"),
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

Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class Desk:
    """What the API answers from."""

    runs: Runs
    control: Places
    traffic: TrafficControl
    fires: Fires
    journal: Journal
    board: AlertBoard
    extinguisher: Extinguisher
    now: Callable[[], float]
    started_at: float
    shelf: Shelf


class Answers:
    """The handlers, one for each route."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def health(self, _: Request) -> Response:
        """Say that the conductor runs, and which drill."""
        running = self._desk.runs.running
        return _model(ConductorHealth(started_at=self._desk.started_at, running=running.id if running else None))

    async def kinds(self, _: Request) -> Response:
        """Return every kind of fault, and why some are unavailable."""
        return _json(_KINDS.dump_json(list(await self._desk.control.kinds()), by_alias=True))

    async def faults(self, _: Request) -> Response:
        """Return the faults of all places; those of a silent one as last heard of, with a header that says so."""
        seen = await self._desk.control.look()
        if seen.silent and not seen.records:
            raise next(iter(seen.silent.values()))
        answer = _json(_RECORDS.dump_json(list(seen.records)))
        answer.headers.update({SILENT_HEADER: ",".join(seen.silent)} if seen.silent else {})
        return answer

    async def light(self, request: Request) -> Response:
        """Light a fault."""
        wanted = await read(request, FaultRequest)
        record = await self._desk.control.light(guarded(wanted))
        facts: dict[str, JsonValue] = {"kind": record.kind, "parameters": record.parameters, "ttl_s": record.ttl_s}
        self._desk.journal.write(actor_of(request), "fault_lit", record.id, facts)
        return _model(record, 201)

    async def put_out(self, request: Request) -> Response:
        """Put a fault out."""
        record = await self._desk.control.put_out(request.path_params["fault_id"])
        facts = {"kind": record.kind, "end_reason": record.end_reason}
        self._desk.journal.write(actor_of(request), "fault_put_out", record.id, facts)
        return _model(record)

    async def reset(self, request: Request) -> Response:
        """Put every fault out, and prove it."""
        proof = await self._desk.extinguisher.put_out(actor_of(request))
        self._desk.journal.write(actor_of(request), "faults_reset", "all", summary(proof))
        return _model(proof)

    async def drills(self, _: Request) -> Response:
        """Return the library."""
        return _json(_DRILLS.dump_json(self._desk.runs.drills()))

    async def start(self, request: Request) -> Response:
        """Start a drill."""
        start = await read(request, DrillStart)
        return _model(await self._desk.runs.start(start, actor_of(request)), 201)

    async def check(self, request: Request) -> Response:
        """Say whether a drill could run here, and start nothing."""
        return _model(await self._desk.runs.check(await read(request, DrillStart)))

    async def runs(self, request: Request) -> Response:
        """Return the newest runs."""
        return _json(_RUNS.dump_json(self._desk.runs.runs(limit_of(request, 20))))

    async def run(self, request: Request) -> Response:
        """Return one run."""
        return _model(self._desk.runs.run(request.path_params["run_id"]))

    async def evidence(self, request: Request) -> Response:
        """Return what was kept of one run; the run itself as the journal has it now."""
        run_id: str = request.path_params["run_id"]
        run = self._desk.runs.run(run_id)
        kept = await asyncio.to_thread(self._desk.shelf.get, run_id)
        return _model(kept.model_copy(update={"run": run}))

    async def abort(self, request: Request) -> Response:
        """Abort a run."""
        return _model(await self._desk.runs.abort(request.path_params["run_id"], actor_of(request)))

    async def alerts(self, _: Request) -> Response:
        """Return every alerting rule."""
        return _json(_ALERTS.dump_json(await self._desk.board.statuses()))

    async def why(self, request: Request) -> Response:
        """Say why an alert has not fired, or not reached the webhook."""
        return _model(await why(self._desk.board, request.path_params["alert"]))

    async def journal(self, request: Request) -> Response:
        """Return the newest lines of the journal, of one actor and since a time where that is asked."""
        since, actor = since_of(request), request.query_params.get("actor", "")
        return _json(_ENTRIES.dump_json(self._desk.journal.entries(limit_of(request, 100), since=since, actor=actor)))

    async def notifications(self, request: Request) -> Response:
        """Return the newest notifications."""
        return _json(_NOTIFICATIONS.dump_json(self._desk.journal.notifications(limit_of(request, 100))))

    async def traffic(self, _: Request) -> Response:
        """Return what is sent."""
        return _model(await self._desk.traffic.status())

    async def set_traffic(self, request: Request) -> Response:
        """Change what is sent; a drill under way then no longer puts its own settings back."""
        wanted = await read(request, TrafficSettings)
        status = await self._desk.traffic.apply(wanted)
        self._desk.fires.keep_traffic()
        self._desk.journal.write(actor_of(request), "traffic_set", "traffic", wanted.model_dump(mode="json"))
        return _model(status)

    async def webhook(self, request: Request) -> Response:
        """Take what Alertmanager delivers; what is something else is refused, and stands in the journal."""
        at = self._desk.now()
        try:
            notifications = read_notifications(await body_of(request, MAX_WEBHOOK_BYTES), at)
        except BadNotification as error:
            self._desk.journal.write(actor_of(request), "notification_refused", "webhook", {"reason": str(error)})
            raise
        for notification in notifications:
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
        ("POST", "/drills/check", answers.check),
        ("POST", "/drills/runs", answers.start),
        ("GET", "/drills/runs", answers.runs),
        ("GET", "/drills/runs/{run_id}", answers.run),
        ("GET", "/drills/runs/{run_id}/evidence", answers.evidence),
        ("POST", "/drills/runs/{run_id}/abort", answers.abort),
        ("GET", "/alerts", answers.alerts),
        ("GET", "/alerts/{alert:path}/why", answers.why),
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
