"""What an attached injector costs a request while no fault burns.

The same small app is called with and without the middleware, in blocks that take turns, in this process and without a
network; and the seams are called as the service calls them for one prediction.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Scope

from faults.injector import Injector
from faults.middleware import FaultMiddleware, HttpCall
from panel.bench.figures import Figure

ROUNDS = 41
CALLS = 500
MOST_US = 5.0
_STAGES = ("preprocess", "queue", "model_prediction")
_SPANS = 5
"""Spans of one prediction: the server's, its stages and the drift check."""
_CALL = HttpCall("/predict", "iris")


@dataclass(frozen=True)
class Answered:
    """What a model answered, for the seam."""

    values: tuple[float, ...] = (0.0,)
    classes: tuple[str, ...] = ("setosa",)
    confidence: tuple[float, ...] = (0.9,)


async def _predict(_: Request) -> Response:
    return PlainTextResponse("1")


def _caller(app: ASGIApp) -> Callable[[], Awaitable[None]]:
    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(_: Message) -> None:
        return

    async def call() -> None:
        scope: Scope = {
            "type": "http",
            "method": "GET",
            "path": "/predict",
            "root_path": "",
            "query_string": b"",
            "headers": [(b"host", b"127.0.0.1")],
        }
        await app(scope, receive, send)

    return call


def _seams(injector: Injector) -> Callable[[], Awaitable[None]]:
    rows, answered = [[5.8, 3.0, 4.3, 1.3]], Answered()

    async def call() -> None:
        for stage in _STAGES:
            await injector.stage(stage, _CALL)
        injector.inputs(_CALL, rows, ())
        injector.predictions(_CALL, answered)
        for _ in range(_SPANS):
            injector.span()

    return call


async def _nothing() -> None:
    return


async def _block_us(call: Callable[[], Awaitable[None]]) -> float:
    """Return the time of one call in µs, over a block of calls."""
    started = time.perf_counter()
    for _ in range(CALLS):
        await call()
    return (time.perf_counter() - started) / CALLS * 1e6


async def _measure(rounds: int) -> list[Figure]:
    injector = Injector()
    plain = Starlette(routes=[Route("/predict", _predict)])
    sides = (_caller(plain), _caller(FaultMiddleware(plain, injector)), _seams(injector), _nothing)
    for call in sides:
        await _block_us(call)
    times = [[await _block_us(call) for call in sides] for _ in range(rounds)]
    bare = statistics.median(each[0] for each in times)
    middleware = statistics.median(each[1] - each[0] for each in times)
    seams = statistics.median(each[2] - each[3] for each in times)
    ratio = statistics.median((each[1] + each[2] - each[3]) / each[0] for each in times)
    return [
        Figure(
            "time that an attached injector without a fault adds to a request", _us(middleware + seams), "µs", MOST_US
        ),
        Figure("of it: the middleware, on any ASGI app", _us(middleware), "µs"),
        Figure("of it: the service's seams of one prediction", _us(seams), "µs"),
        Figure("a request to a bare Starlette app with it, of one without", round(ratio, 3), "ratio"),
        Figure("a request to a bare Starlette app without it", _us(bare), "µs"),
    ]


def _us(value: float) -> float:
    return round(value, 2)


def measure(say: Callable[[str], None], *, rounds: int = ROUNDS) -> list[Figure]:
    """Return what it adds, in µs and as a ratio: medians over rounds in which all sides take turns."""
    say("an attached injector without a fault")
    return asyncio.run(_measure(rounds))
