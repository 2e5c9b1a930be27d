"""Counters equal requests sent, whatever the clients do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mixed_clients
import pytest
from mixed_clients import MANNERS, differences, run, service
from service_bench import Bench
from starlette.types import Message

from tests.levels import thorough

BODY = b'{"features": [[5.1, 3.5, 1.4, 0.2]]}'


@thorough
def test_counters_equal_requests_sent(trained: Path, tmp_path: Path) -> None:
    """900 requests of fifteen manners, of which one in seven hangs up, are each counted once, where they belong."""
    with service(trained, tmp_path) as (port, _, output):
        tally = asyncio.run(run(port, 900, seed=7))
        assert differences(port, tally) == []
        assert set(tally.sent) == {(manner.method, manner.endpoint) for _, manner in MANNERS.values()}
        assert tally.left.total() > 60
        statuses = mixed_clients.counted(port, "http_requests_total", "status")
        assert statuses["499",] >= 30
        assert not [status for status, number in statuses.items() if number and int(status[0]) >= 500]
        errors = mixed_clients.counted(port, "http_errors_total", "error_type")
        assert errors["client_disconnected",] == statuses["499",]
    assert "Traceback" not in output.read_text()


class Caller:
    """One request by hand, with the messages of a client that leaves when told."""

    def __init__(self, messages: list[Message]) -> None:
        self.messages, self.sent = messages, list[Message]()
        self.answered = asyncio.Event()

    async def receive(self) -> Message:
        """Give the next message, or wait for the end of the answer."""
        if self.messages:
            return self.messages.pop(0)
        await self.answered.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Keep a part of the answer."""
        self.sent.append(message)
        if message["type"] == "http.response.body" and not message.get("more_body"):
            self.answered.set()

    async def call(self, app: Any) -> None:
        """Post a prediction."""
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "POST",
            "path": "/predict",
            "raw_path": b"/predict",
            "query_string": b"",
            "root_path": "",
            "scheme": "http",
            "headers": [(b"content-type", b"application/json")],
            "client": (mixed_clients.HOST, 1),
            "server": (mixed_clients.HOST, 2),
        }
        await app(scope, self.receive, self.send)


WHOLE: Message = {"type": "http.request", "body": BODY, "more_body": False}
PART: Message = {"type": "http.request", "body": BODY[:9], "more_body": True}
GONE: Message = {"type": "http.disconnect"}


@pytest.mark.parametrize(
    ("messages", "status"),
    [([WHOLE], "200"), ([GONE], "499"), ([PART, GONE], "499"), ([WHOLE, GONE], "499")],
    ids=["stays", "before the body", "in mid-body", "before the answer"],
)
def test_a_client_that_left_is_a_499(make: Callable[..., Bench], messages: list[Message], status: str) -> None:
    """The counter, the error type and the span say so, and a client that stays gets its 200."""
    bench = make()

    async def scenario() -> Caller:
        async with bench.client():
            caller = Caller(list(messages))
            await caller.call(bench.app)
            return caller

    caller = asyncio.run(scenario())
    labels = {"method": "POST", "endpoint": "/predict"}
    assert bench.value("http_requests_total", status=status, **labels) == 1
    span = bench.spans()["POST /predict"]
    assert span.attributes is not None
    assert str(span.attributes["http.response.status_code"]) == status
    assert span.status.is_unset
    if status == "200":
        assert caller.sent[0]["status"] == 200
    else:
        assert bench.value("http_errors_total", error_type="client_disconnected", **labels) == 1
        assert bench.value("http_requests_total", status="200", **labels) == 0


def test_a_failure_stays_one_though_the_client_has_left(make: Callable[..., Bench]) -> None:
    """A 5xx is the service's own fault, and hanging up does not hide it."""
    bench = make()

    async def break_it(stage: str, _call: object) -> None:
        if stage == "model_prediction":
            raise RuntimeError("broken")

    bench.seams.stages.append(break_it)

    async def scenario() -> None:
        async with bench.client():
            await Caller([WHOLE, GONE]).call(bench.app)

    asyncio.run(scenario())
    assert bench.value("http_requests_total", method="POST", endpoint="/predict", status="500") == 1
    assert bench.value("http_requests_total", method="POST", endpoint="/predict", status="499") is None
