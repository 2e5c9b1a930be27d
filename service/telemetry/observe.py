"""The outermost middleware: ids, server span, request metrics and request logs of everything that passes.

Pure ASGI. State lives in one ``Exchange`` per call; the status is 500 until an answer says otherwise, and what happened
is recorded in ``finally``. Requests to ``/metrics``, ``/health`` and ``/ready`` get their ids and are otherwise not
observed: they are not traffic.

A client that is gone before its answer begins makes the status 499, as nginx has it, unless the service itself failed
(a 5xx stays one). Nobody receives that status; it is what is counted, logged and traced.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import CoroutineType

from opentelemetry.trace import INVALID_SPAN, Span, Status, StatusCode
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.clock import Clock, nanoseconds
from service.errors import CallerGone, ErrorType, error_body, error_type_of
from service.ids import IdSource, valid_request_id
from service.telemetry.logs import Log
from service.telemetry.metrics import Metrics, exemplar_of
from service.telemetry.tracing import Tracing

QUIET = frozenset({"/metrics", "/health", "/ready"})
CLIENT_CLOSED_REQUEST = 499
_SCOPE_KEY = "firedrill.exchange"


@dataclass(slots=True)
class Exchange:
    """One request and what becomes of it.

    ``received`` is whether the app has read the body to its end, ``gone`` whether it was told that the client left.
    """

    request_id: str
    endpoint: str
    method: str
    trace_id: str = ""
    span_id: str = ""
    status: int = 500
    answering: bool = False
    received: bool = False
    gone: bool = False
    error_type: str | None = None


def exchange_of(scope: Scope) -> Exchange:
    """Return the exchange that a request belongs to."""
    exchange: Exchange = scope[_SCOPE_KEY]
    return exchange


class ObserveMiddleware:
    """Observes every HTTP request around ``app``."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        labels: Callable[[Scope], tuple[str, str]],
        metrics: Metrics,
        tracing: Tracing,
        log: Log,
        clock: Clock,
        ids: IdSource,
        debug: bool = False,
    ) -> None:
        self._app, self._labels, self._metrics, self._tracing = app, labels, metrics, tracing
        self._log, self._clock, self._ids, self._debug = log, clock, ids, debug

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, observed."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        carrier, offered = _headers(scope)
        request_id = offered if offered and valid_request_id(offered) else self._ids.request_id()
        method, endpoint = self._labels(scope)
        exchange = Exchange(request_id, endpoint, method)
        scope[_SCOPE_KEY] = exchange
        if exchange.endpoint in QUIET:
            exchange.trace_id = _trace_id(carrier) or f"{self._ids.generate_trace_id():032x}"
            await self._guarded(exchange, INVALID_SPAN, scope, receive, send)
        else:
            await self._observed(exchange, carrier, scope, receive, send)

    async def _observed(
        self, exchange: Exchange, carrier: dict[str, str], scope: Scope, receive: Receive, send: Send
    ) -> None:
        started = self._clock.perf()
        client = scope.get("client")
        client_ip = client[0] if client else ""
        active = self._tracing.server(
            f"{exchange.method} {exchange.endpoint}",
            carrier,
            {
                "request.id": exchange.request_id,
                "http.request.method": exchange.method,
                "http.route": exchange.endpoint,
                "url.path": scope["path"],
                "client.address": client_ip,
            },
        )
        with active as span:
            context = span.get_span_context()
            trace_id = context.trace_id or self._ids.generate_trace_id()
            exchange.trace_id, exchange.span_id = f"{trace_id:032x}", f"{context.span_id:016x}"
            log = self._log.bind(
                request_id=exchange.request_id,
                trace_id=exchange.trace_id,
                span_id=exchange.span_id,
                method=scope["method"],
                path=scope["path"],
                client_ip=client_ip,
            )
            log.info("request_received")
            try:
                await self._guarded(exchange, span, scope, receive, send)
            finally:
                seconds = self._clock.perf() - started
                self._record(exchange, span, seconds)
                event = log.info if exchange.status < 500 else log.error
                event(
                    "request_completed" if exchange.status < 500 else "request_failed",
                    status_code=exchange.status,
                    duration_ms=round(seconds * 1000, 3),
                )

    async def _guarded(self, exchange: Exchange, span: Span, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the app; answer 500 for an exception that nobody answered, and let one in mid-answer break it off."""
        wire = _Wire(exchange, receive, send)
        try:
            await self._app(scope, wire.receive, wire.send)
        except (ClientDisconnect, CallerGone):
            exchange.status, exchange.error_type = CLIENT_CLOSED_REQUEST, None
        except Exception as error:
            self._log.error(
                "unexpected_error",
                request_id=exchange.request_id,
                trace_id=exchange.trace_id,
                span_id=exchange.span_id,
                path=scope["path"],
                error=f"{type(error).__name__}: {error}",
                exc_info=error,
            )
            exchange.error_type = ErrorType.INTERNAL
            if exchange.answering:
                exchange.status = 500
                raise
            span.record_exception(error, timestamp=nanoseconds(self._clock.time()))
            message = (
                f"{type(error).__name__}: {error}" if self._debug else "something broke; the log has the request id"
            )
            await _answer(wire.send, error_body(ErrorType.INTERNAL, message, exchange.request_id, scope["path"]))
        except BaseException:
            exchange.status, exchange.error_type = 500, ErrorType.INTERNAL
            raise

    def _record(self, exchange: Exchange, span: Span, seconds: float) -> None:
        """Count the exchange and finish what its span says."""
        status = exchange.status
        self._metrics.http(exchange.method, exchange.endpoint, status, seconds, exemplar_of(span.get_span_context()))
        span.set_attribute("http.response.status_code", status)
        if status >= 400:
            error_type = exchange.error_type or error_type_of(status)
            self._metrics.http_error(exchange.method, exchange.endpoint, error_type)
            span.set_attribute("error.type", error_type)
            if status >= 500:
                span.set_status(Status(StatusCode.ERROR, error_type))


class _Wire:
    """The messages of one exchange on their way: what they tell is noted, the answer gets the ids."""

    __slots__ = ("_exchange", "_receive", "_send")

    def __init__(self, exchange: Exchange, receive: Receive, send: Send) -> None:
        self._exchange, self._receive, self._send = exchange, receive, send

    async def receive(self) -> Message:
        """Pass a message of the client on."""
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self._exchange.gone = True
        elif not message.get("more_body", False):
            self._exchange.received = True
        return message

    async def send(self, message: Message) -> None:
        """Pass a part of the answer on."""
        if message["type"] == "http.response.start":
            exchange = self._exchange
            exchange.answering, exchange.status = True, message["status"]
            if exchange.status < 500 and (exchange.gone or (exchange.received and _has_left(self._receive))):
                exchange.status, exchange.error_type = CLIENT_CLOSED_REQUEST, None
            message["headers"] = [
                *message.get("headers", ()),
                (b"x-request-id", exchange.request_id.encode("ascii")),
                (b"x-trace-id", exchange.trace_id.encode("ascii")),
            ]
        await self._send(message)


def _has_left(receive: Receive) -> bool:
    """Return whether the client has closed its connection, without waiting for it.

    ``receive`` either has its message at once, after a body that was read whole that can only be the disconnect, or it
    would wait for the end of the answer; then it is not waited for.
    """
    asking = receive()
    if not isinstance(asking, CoroutineType):
        return False
    try:
        asking.send(None)
    except StopIteration as said:
        return bool(said.value["type"] == "http.disconnect")
    asking.close()
    return False


def _headers(scope: Scope) -> tuple[dict[str, str], str | None]:
    """Return the trace headers and the offered request id."""
    carrier: dict[str, str] = {}
    offered = None
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            offered = value.decode("latin-1")
        elif name == b"traceparent":
            carrier["traceparent"] = value.decode("latin-1")
        elif name == b"tracestate":
            carrier["tracestate"] = value.decode("latin-1")
    return carrier, offered


def _trace_id(carrier: dict[str, str]) -> str | None:
    """Return the trace id of a well-formed ``traceparent``."""
    parts = carrier.get("traceparent", "").split("-")
    well_formed = len(parts) == 4 and len(parts[1]) == 32 and set(parts[1]) <= set("0123456789abcdef")
    return parts[1] if well_formed and parts[1].strip("0") else None


async def _answer(send: Send, body: bytes) -> None:
    """Answer 500 with ``body``."""
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode("ascii"))]
    await send({"type": "http.response.start", "status": 500, "headers": headers})
    await send({"type": "http.response.body", "body": body})
