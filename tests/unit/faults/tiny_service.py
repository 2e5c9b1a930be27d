"""A tiny real HTTP server that answers, stalls and misbehaves as a test of the traffic generator asks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

IRIS: dict[str, object] = {
    "name": "iris",
    "features": [
        {"name": "sepal_length", "minimum": 4.3, "maximum": 7.9, "mean": 5.84, "std": 0.83},
        {"name": "petal_width", "minimum": 0.1, "maximum": 2.5, "mean": 1.2, "std": 0.76},
    ],
    "examples": [[5.1, 0.2], [6.3, 1.5], [7.1, 2.1]],
}
CHURN: dict[str, object] = {
    "name": "churn",
    "features": [
        {"name": "months", "minimum": 1, "maximum": 72, "mean": 32.0, "std": 24.0},
        {"name": "balance", "minimum": -50.0, "maximum": 50.0, "mean": 0.0, "std": 12.5},
    ],
    "examples": [[3, -10.5], [40, 0.25], [60, 11.0]],
}
MODEL_INFO = {"default": "iris", "models": [IRIS, CHURN]}


@dataclass(frozen=True)
class Seen:
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


def answer(body: bytes = b"{}", *, status: int = 200, headers: str = "") -> bytes:
    """Return a complete HTTP answer with a length."""
    return f"HTTP/1.1 {status} Any\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


Behaviour = Callable[[Seen, asyncio.StreamWriter], None]


def answer_at_once(_seen: Seen, writer: asyncio.StreamWriter) -> None:
    """Answer 200 and keep the connection."""
    writer.write(answer())


class TinyService:
    """``async with TinyService() as service``: listens on a free loopback port until left."""

    def __init__(self, behaviour: Behaviour = answer_at_once, *, port: int = 0) -> None:
        self.behaviour, self.port = behaviour, port
        self.info: object = MODEL_INFO
        self.seen: list[Seen] = []
        self.connections = 0
        self.running = asyncio.Event()
        self.running.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """Base URL."""
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Close the port and every connection."""
        assert self._server is not None
        self._server.close()
        for writer in tuple(self._writers):
            writer.transport.abort()
        await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        try:
            while seen := await self._read(reader):
                await self.running.wait()
                if seen.path == "/model-info":
                    writer.write(answer(json.dumps(self.info).encode()))
                else:
                    self.seen.append(seen)
                    self.behaviour(seen, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    @staticmethod
    async def _read(reader: asyncio.StreamReader) -> Seen | None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii")
        except asyncio.IncompleteReadError:
            return None
        first, *lines = head.strip().split("\r\n")
        method, path, _ = first.split(" ")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        return Seen(method, path, headers, await reader.readexactly(int(headers.get("content-length", "0"))))
