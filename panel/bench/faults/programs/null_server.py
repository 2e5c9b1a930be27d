"""``python -m panel.bench.faults.programs.null_server PORT``: answers 200 to everything at once, and does nothing else.

It says that it serves one small model, so that the traffic generator has something to send. What is late against it
is the generator's own doing.
"""

from __future__ import annotations

import asyncio
import json
import sys

import httptools

from stack.endpoints import HOST

FEATURE = {"name": "length", "minimum": 0.0, "maximum": 8.0, "mean": 4.0, "std": 1.0}
INFO = json.dumps(
    {"default": "iris", "models": [{"name": "iris", "features": [FEATURE] * 4, "examples": [[4.0] * 4]}]}
).encode()


class Null(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._path = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Parse."""
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        """Note what is asked for."""
        self._path = url

    def on_message_complete(self) -> None:
        """Answer."""
        body = INFO if self._path == b"/model-info" else b"{}"
        if self._transport is not None:
            self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


async def serve(port: int) -> None:
    """Serve until killed."""
    server = await asyncio.get_running_loop().create_server(Null, HOST, port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
