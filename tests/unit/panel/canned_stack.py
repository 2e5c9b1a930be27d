"""A small stack with known answers: real HTTP servers that speak as the parts of a real one do."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import canned_logs
from canned_service import CannedService
from pydantic import BaseModel

from faults.base import FaultKind, FaultRecord, Target
from faults.drills.evidence import Evidence
from faults.drills.reasons import Why
from faults.drills.wire import (
    AlertStatus,
    DrillInfo,
    DrillRun,
    JournalEntry,
    Notification,
    ResetCheck,
    ResetProof,
    TrafficSettings,
    TrafficStatus,
)
from stack.endpoints import HOST, PORTS

Answer = tuple[int, object] | tuple[int, object, Mapping[str, str]]
"""Status, content (text as it is, all else as JSON), and headers where there are any."""
SPEAKING = ("conductor", "prometheus", "tracestore")
"""The sources whose freshness every page tells."""
SERVERS = (*SPEAKING, "service")
Labelled = tuple[dict[str, str], list[tuple[float, float]]]
_BY = re.compile(r"\s*(?:sum|avg|max|min|count)\s*by\s*\(\s*(\w+)")


def fault(
    fault_id: str, name: str, lit_at: float, ttl_s: float, *, ended_at: float | None = None, hits: int = 0
) -> FaultRecord:
    """Return a fault as the control endpoint would show it."""
    return FaultRecord(
        id=fault_id, kind=name, parameters={}, target=Target(model="iris"), probability=1.0, ttl_s=ttl_s, seed=7,
        state="active" if ended_at is None else "ended", started_at=lit_at, ends_at=lit_at + ttl_s, ended_at=ended_at,
        end_reason=None if ended_at is None else "expired", injections=hits,
    )  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """One request: ``query`` holds the parameters of the address and of a form, ``body`` a JSON body, ``raw`` any."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Mapping[str, object]
    raw: str = ""


@dataclass
class World:
    """What the canned servers say; tests change it and look at the page again."""

    now: float = field(default_factory=time.time)
    kinds: list[FaultKind] = field(default_factory=list)
    faults: list[FaultRecord] = field(default_factory=list)
    alerts: list[AlertStatus] = field(default_factory=list)
    drills: list[DrillInfo] = field(default_factory=list)
    runs: list[DrillRun] = field(default_factory=list)
    notifications: list[Notification] = field(default_factory=list)
    reasons: list[Why] = field(default_factory=list)
    entries: list[JournalEntry] = field(default_factory=list)
    kept: list[Evidence] = field(default_factory=list)
    unproven: tuple[str, ...] = ()
    traffic: TrafficStatus = field(
        default_factory=lambda: TrafficStatus(
            settings=TrafficSettings(), since=0.0, sent=0, in_flight=0, statuses={}, latency_s={}, late_share=0.0
        )
    )
    traces: list[dict[str, object]] = field(default_factory=list)
    logs: list[dict[str, object]] = field(default_factory=list)
    value: Callable[[str, float], float | None] = lambda _query, _at: None
    seen_active: dict[str, tuple[float, float]] = field(default_factory=dict)
    seen_alerts: dict[tuple[str, str], tuple[float, float]] = field(default_factory=dict)
    """When Prometheus saw an alert (by name) in a state (``pending`` or ``firing``)."""
    exemplars: list[tuple[float, float, str]] = field(default_factory=list)
    """Time, value and trace of each exemplar of whatever is asked for."""
    labels: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """The values of labels: ``sum by (x) (…)`` answers one series for each value of ``x``."""
    service: CannedService = field(default_factory=CannedService)
    models: tuple[str, ...] = ()
    up: bool | None = None
    refuse: tuple[int, str] | None = None
    failing: frozenset[str] = frozenset()
    asked: list[Asked] = field(default_factory=list)

    def conduct(self, asked: Asked) -> Answer:
        """Answer as the conductor does."""
        self.asked.append(asked)
        if asked.method == "POST" and self.refuse:
            return self.refuse[0], {"error": {"type": "refused", "message": self.refuse[1]}}
        if asked.method == "GET":
            known: dict[str, object] = {
                "/faults/kinds": self.kinds,
                "/faults": self.faults,
                "/drills": self.drills,
                "/drills/runs": self.runs,
                "/alerts": self.alerts,
                "/notifications": self.notifications,
                "/traffic": self.traffic,
                "/journal": [each for each in self.entries if asked.query.get("actor", each.actor) == each.actor],
                **{f"/drills/runs/{run.id}": run for run in self.runs},
                **{f"/drills/runs/{one.run.id}/evidence": one for one in self.kept},
                **{f"/alerts/{one.alert}/why": one for one in self.reasons},
            }
            if asked.path in known:
                return 200, known[asked.path]
        elif asked.path == "/faults":
            lit = fault("new1", str(asked.body["kind"]), time.time(), float(str(asked.body["ttl_s"])))
            self.faults.insert(0, lit)
            return 201, lit
        elif asked.path == "/traffic" or asked.path.startswith("/faults/"):
            return 200, self._sent(asked) if asked.path == "/traffic" else self._put_out(asked)
        elif asked.path == "/drills/runs" or asked.path.endswith("/abort"):
            named = [run for run in self.runs if run.name == asked.body.get("name")]
            return 201, (named or self.runs)[0]
        return 404, {"error": {"type": "not_found", "message": f"there is no {asked.path}"}}

    def _sent(self, asked: Asked) -> TrafficStatus:
        self.traffic = self.traffic.model_copy(update={"settings": TrafficSettings.model_validate(asked.body)})
        return self.traffic

    def _put_out(self, asked: Asked) -> object:
        burning = [each for each in self.faults if each.state == "active"]
        chosen = burning if asked.path == "/faults/reset" else [f for f in burning if asked.path.endswith(f.id)]
        now = time.time()
        ended = [f.model_copy(update={"state": "ended", "ended_at": now, "end_reason": "reset"}) for f in chosen]
        self.faults = ended + [each for each in self.faults if each not in chosen]
        if asked.method != "POST":
            return ended[0]
        check = ResetCheck(what="counters", holds=not self.unproven, detail="no fault acts <any more>")
        because = list(self.unproven)
        return ResetProof(proven=not because, ended=ended, checks=[check], because=because, took_s=0.1)

    def monitor(self, asked: Asked) -> Answer:
        """Answer as Prometheus does."""
        self.asked.append(asked)
        if "prometheus" in self.failing:
            return 503, {"status": "error", "errorType": "unavailable", "error": "starting up"}
        query = asked.query
        if asked.path.endswith("/query_exemplars"):
            found = [{"labels": {"trace_id": t}, "value": str(v), "timestamp": at} for at, v, t in self.exemplars]
            return 200, {"status": "success", "data": [{"seriesLabels": {}, "exemplars": found}] if found else []}
        if label := re.fullmatch(r"/api/v1/label/(\w+)/values", asked.path):
            return 200, {"status": "success", "data": list(self.labels.get(label[1], ()))}
        if asked.path.endswith("/query_range"):
            start, end, step = (_seconds(query[name]) for name in ("start", "end", "step"))
            times = [start + i * step for i in range(round((end - start) / step) + 1)]
            return 200, _matrix(self._series(query["query"], times))
        return 200, _vector(self._series(query["query"], [_seconds(query.get("time", str(time.time())))]))

    def _series(self, expr: str, times: list[float]) -> list[Labelled]:
        if "firedrill_fault_active" in expr:
            return [
                ({"kind": name}, [(t, 1.0) for t in times if begun <= t <= ended])
                for name, (begun, ended) in self.seen_active.items()
            ]
        if "ALERTS" in expr:
            return [
                ({"alertname": name, "alertstate": state}, [(t, 1.0) for t in times if begun <= t <= ended])
                for (name, state), (begun, ended) in self.seen_alerts.items()
            ]
        if "model_loaded" in expr:
            return [({"model_name": name}, [(times[-1], 1.0)]) for name in self.models]
        if "(up{" in expr:
            return [] if self.up is None else [({}, [(times[-1], float(self.up))])]
        points = [(t, v) for t in times if (v := self.value(expr, t)) is not None]
        by = _BY.match(expr)
        values = self.labels.get(by[1], ()) if by else ()
        shares = [({by[1]: each}, place) for place, each in enumerate(values, 1)] if by else []
        return [(labels, [(t, v * part) for t, v in points]) for labels, part in shares or [({}, 1)] if points]

    def trace_store(self, asked: Asked) -> Answer:
        """Answer as Jaeger's v1 API does."""
        self.asked.append(asked)
        one = [each for each in self.traces if asked.path == f"/api/traces/{each['traceID']}"]
        if asked.path == "/api/logs/search":
            return 200, canned_logs.page(self.logs, asked.query)
        if asked.path.startswith("/api/traces/") and not one:
            return 404, {"data": None, "errors": [{"code": 404, "msg": "trace not found"}]}
        data: list[object] = list(one or self.traces)
        if asked.path == "/api/logs":
            data = [log for log in self.logs if asked.query.get("traceID") in (None, log["traceID"])]
        elif asked.path == "/api/logs/services":
            data = ["firedrill"] if self.logs else []
        elif asked.path == "/api/services":
            data = ["firedrill"] if self.traces else []
        elif asked.path.startswith("/api/services/"):
            data = ["POST /predict", "model_prediction"]
        elif asked.path == "/api/operations":
            data = [{"name": "POST /predict", "spanKind": "server"}]
        return 200, {"data": data, "total": len(data), "limit": 0, "offset": 0, "errors": None}

    def serve(self, asked: Asked) -> Answer:
        """Answer as the service does."""
        self.asked.append(asked)
        return self.service.answer(asked.method, asked.path, asked.raw)


@contextmanager
def speaking(world: World, silent: frozenset[str] = frozenset()) -> Iterator[int]:
    """Serve ``world`` at every address except the ``silent`` ones; yield the port offset of this stack."""
    answers = dict(zip(SERVERS, (world.conduct, world.monitor, world.trace_store, world.serve), strict=True))
    offset, sockets = _free_offset()
    servers = []
    for name, listener in sockets.items():
        if name in silent:
            continue  # bound and not listening: nobody answers there, and nobody else can take the place
        listener.listen(64)
        server = ThreadingHTTPServer((HOST, 0), _handler(answers[name]), bind_and_activate=False)
        server.socket.close()
        server.socket = listener
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        servers.append(server)
    try:
        yield offset
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()
        for listener in sockets.values():
            listener.close()


def _free_offset() -> tuple[int, dict[str, socket.socket]]:
    """Bind the ports of a stack at some offset, so that nobody else takes them before they are served."""
    for offset in range(20000, 40000, 17):
        sockets: dict[str, socket.socket] = {}
        try:
            for name in SERVERS:
                sockets[name] = socket.socket()
                sockets[name].bind((HOST, PORTS[name] + offset))
        except OSError:
            for each in sockets.values():
                each.close()
            continue
        return offset, sockets
    message = "no free ports for a canned stack"
    raise OSError(message)


def _handler(answer: Callable[[Asked], Answer]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _reply(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode(errors="replace")
            target = urlsplit(self.path)
            is_json = raw.startswith("{")
            query = parse_qs(target.query) | ({} if is_json else parse_qs(raw))
            firsts = {name: values[0] for name, values in query.items()}
            body = json.loads(raw) if is_json else {}
            status, content, *more = answer(Asked(self.command, target.path, firsts, body, raw))
            is_text = isinstance(content, str)
            sent = str(content).encode() if is_text else json.dumps(content, default=_plain).encode()
            self.send_response(status)
            for name, value in (more[0] if more else {}).items():
                self.send_header(name, value)
            self.send_header("Content-Type", "text/plain" if is_text else "application/json")
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        do_GET = do_POST = do_DELETE = do_PUT = _reply  # noqa: N815 - names that http.server calls

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    return Handler


def _plain(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True)
    raise TypeError(type(value))


def _seconds(text: str) -> float:
    return float(re.sub(r"s$", "", text))


def _matrix(series: list[Labelled]) -> object:
    result = [{"metric": labels, "values": [[t, str(v)] for t, v in points]} for labels, points in series if points]
    return {"status": "success", "data": {"resultType": "matrix", "result": result}}


def _vector(series: list[Labelled]) -> object:
    result = [{"metric": labels, "value": [points[-1][0], str(points[-1][1])]} for labels, points in series if points]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}
