"""What carries requests in a virtual world: calls of the app in this very process, with what live sockets do to them.

A service that is gone refuses, one that dies leaves its callers without an answer, one that hangs has them wait; a
caller that gives up is gone for the service too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from starlette.types import Message

from faults.drills.virtual.loop import wait
from faults.drills.virtual.target import Target
from faults.traffic.errors import NoAnswer, NotSent
from faults.traffic.pool import Answer
from faults.traffic.transport import Request

ADDRESS = "127.0.0.1:8000"
CLIENT, SERVER = ("127.0.0.1", 50000), ("127.0.0.1", 8000)


class Call:
    """One request on its way: what the app receives and sends."""

    __slots__ = ("_body", "_gone", "_keep", "_parts", "_read", "answer", "status")

    def __init__(self, body: bytes, answer: asyncio.Future[Answer], *, keep: bool) -> None:
        self._body, self._keep = body, keep
        self._read, self.status = False, 0
        self._gone: asyncio.Future[None] | None = None
        self._parts: list[bytes] = []
        self.answer = answer

    async def receive(self) -> Message:
        """Give the app the body, then the end of the connection when it comes."""
        if not self._read:
            self._read = True
            return {"type": "http.request", "body": self._body, "more_body": False}
        if not self.answer.done():
            self._gone = asyncio.get_running_loop().create_future()
            self.answer.add_done_callback(self._tell)
            await self._gone
        return {"type": "http.disconnect"}

    def _tell(self, _answer: asyncio.Future[Answer]) -> None:
        if self._gone is not None and not self._gone.done():
            self._gone.set_result(None)

    async def send(self, message: Message) -> None:
        """Take a part of the answer."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            return
        if self._keep:
            self._parts.append(message.get("body", b""))
        if not message.get("more_body", False) and not self.answer.done():
            self.answer.set_result(Answer(self.status, b"".join(self._parts)))


class VirtualTransport:
    """The transport of the traffic generator, and of whoever asks for a page."""

    def __init__(self, target: Target, transfer_s: Callable[[], float]) -> None:
        """``transfer_s`` draws what passes between caller and app, there and back."""
        self._target, self._transfer_s = target, transfer_s

    async def send(self, request: Request) -> int:
        """Send ``request`` and return the status of its answer; raise ``NotSent`` or ``NoAnswer``."""
        headers = [
            (b"host", b"127.0.0.1:8000"),
            (b"content-type", request.content_type.encode("ascii")),
            (b"x-request-id", request.id.encode("ascii")),
        ]
        return (await self._exchange(request.method, request.path, headers, request.body, keep=False)).status

    async def get(self, path: str) -> Answer:
        """Fetch ``path`` with its body; raise ``NotSent`` or ``NoAnswer``."""
        return await self._exchange("GET", path, [(b"host", b"127.0.0.1:8000")], b"", keep=True)

    async def _exchange(
        self, method: str, path: str, headers: list[tuple[bytes, bytes]], body: bytes, *, keep: bool
    ) -> Answer:
        target = self._target
        await wait(self._transfer_s())
        if target.unreachable_because:
            raise NotSent(ADDRESS, target.unreachable_because)
        loop = asyncio.get_running_loop()
        call = Call(body, loop.create_future(), keep=keep)
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode("ascii"),
            "query_string": b"",
            "root_path": "",
            "headers": headers,
            "client": CLIENT,
            "server": SERVER,
            "state": {},
        }

        def broke_off(task: asyncio.Task[Any]) -> None:
            if not call.answer.done():
                how = "the connection was lost" if task.cancelled() else "the answer broke off"
                call.answer.set_exception(NoAnswer(ADDRESS, how))

        target.serve(lambda life: life.app(scope, call.receive, call.send)).add_done_callback(broke_off)
        answer = await call.answer
        if target.hangs:  # written by a process that was stopped before it could send it
            await target.awake()
        return answer
