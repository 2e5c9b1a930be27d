"""Live transport: HTTP/1.1 over a pool of raw asyncio connections.

A request is written once, to a connection that is idle or new, and never retried: what goes wrong is a result. An HTTP
client library costs more than the service it would measure.
"""

from __future__ import annotations

import asyncio
import os
from typing import NamedTuple
from urllib.parse import urlsplit

import httptools

from faults.traffic.errors import BadTrafficStart, NoAnswer, NotSent
from faults.traffic.transport import Request

KEEP_IDLE_S = 4.0
"""An idle connection is not used again after this: servers close theirs after 5 s, and a request must not meet that."""
AGENT = "firedrill-traffic"
INFORMATIONAL = 200


class Answer(NamedTuple):
    """A complete HTTP answer; the body is kept only where it was asked for."""

    status: int
    body: bytes


class Connection(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self, pool: HttpPool) -> None:
        self._pool = pool
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[Answer] | None = None
        self._body: list[bytes] | None = None
        self._framed = False
        self._in_body = False
        self.idle_since = 0.0

    @property
    def closing(self) -> bool:
        """Whether nothing more can be sent."""
        return self._transport is None or self._transport.is_closing()

    def ask(self, data: bytes, *, keep_body: bool = False) -> asyncio.Future[Answer]:
        """Write a request; the future holds the answer or ``NoAnswer``."""
        self._waiter = self._pool.loop.create_future()
        self._body = [] if keep_body else None
        self._framed = self._in_body = False
        if self._transport is None or self.closing:
            self._fail("the connection was closed before the request was written")
        else:
            self._transport.write(data)
        return self._waiter

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    # what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        if isinstance(transport, asyncio.Transport):
            self._transport = transport
            self._pool.opened(self)

    def data_received(self, data: bytes) -> None:
        """Parse what came in; anything that is no HTTP answer ends the connection."""
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(f"not an HTTP answer: {error}")
            self.abort()

    def eof_received(self) -> None:
        """Complete an answer that ends with its connection."""
        if self._in_body and not self._framed:
            self._finish(keep=False)

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave the pool; a request under way has no answer."""
        self._pool.forget(self)
        self._fail(str(exc) if exc else "the connection was closed")

    # what the parser calls

    def on_message_begin(self) -> None:
        """Refuse an answer that nobody asked for."""
        if self._waiter is None:
            self.abort()

    def on_header(self, name: bytes, _value: bytes) -> None:
        """Note whether the answer says where it ends."""
        if name.lower() in {b"content-length", b"transfer-encoding"}:
            self._framed = True

    def on_headers_complete(self) -> None:
        """From here on an unframed answer may end by closing the connection."""
        self._in_body = self._parser.get_status_code() >= INFORMATIONAL

    def on_body(self, data: bytes) -> None:
        """Keep the body where it is wanted."""
        if self._body is not None:
            self._body.append(data)

    def on_message_complete(self) -> None:
        """Answer the waiter, unless this was an informational answer before the real one."""
        if self._in_body:
            self._finish(keep=self._parser.should_keep_alive())

    def _finish(self, *, keep: bool) -> None:
        waiter, self._waiter = self._waiter, None
        self._in_body = False
        if waiter is None:
            return
        if not waiter.done():
            waiter.set_result(Answer(self._parser.get_status_code(), b"".join(self._body or ())))
        if keep and not self.closing:
            self._pool.keep(self)
        else:
            self.abort()

    def _fail(self, reason: str) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_exception(NoAnswer(self._pool.address, reason))


class HttpPool:
    """Connections to one server, the most recently used first. Its user bounds how many requests are in flight."""

    def __init__(self, url: str) -> None:
        """``url`` is the server's base, such as ``http://127.0.0.1:8000``; raise ``BadTrafficStart`` otherwise."""
        parts = urlsplit(url)
        try:
            host, port = parts.hostname, parts.port or 80
        except ValueError:
            host, port = None, 0
        if parts.scheme != "http" or not host or parts.query or parts.fragment:
            raise BadTrafficStart("the service's URL", url, "http://host:port")
        self.url, self.address = url.rstrip("/"), parts.netloc.rpartition("@")[2]
        self._host, self._port, self._base = host, port, parts.path.rstrip("/")
        self._heads: dict[tuple[str, str, str], bytes] = {}
        self._idle: list[Connection] = []
        self._open: set[Connection] = set()
        self.loop: asyncio.AbstractEventLoop = asyncio.get_running_loop()

    async def send(self, request: Request) -> int:
        """Send ``request`` and return the status of its answer; raise ``NotSent`` or ``NoAnswer``."""
        data = self._head(request) + b"%s\r\nContent-Length: %d\r\n\r\n%s" % (
            request.id.encode("ascii"),
            len(request.body),
            request.body,
        )
        return (await self._exchange(data, keep_body=False)).status

    async def get(self, path: str) -> Answer:
        """Fetch ``path`` with its body; raise ``NotSent`` or ``NoAnswer``."""
        head = f"GET {self._base}{path} HTTP/1.1\r\nHost: {self.address}\r\nUser-Agent: {AGENT}\r\n\r\n"
        return await self._exchange(head.encode("ascii"), keep_body=True)

    async def close(self) -> None:
        """Close every connection."""
        for connection in tuple(self._open):
            connection.abort()
        await asyncio.sleep(0)  # the loop then tells each of them that it is lost

    def opened(self, connection: Connection) -> None:
        """Note a new connection."""
        self._open.add(connection)

    def keep(self, connection: Connection) -> None:
        """Take a connection back for the next request."""
        connection.idle_since = self.loop.time()
        self._idle.append(connection)

    def forget(self, connection: Connection) -> None:
        """Drop a connection that has ended."""
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)

    async def _exchange(self, data: bytes, *, keep_body: bool) -> Answer:
        connection = self._take() or await self._connect()
        try:
            return await connection.ask(data, keep_body=keep_body)
        except asyncio.CancelledError:
            connection.abort()
            raise

    def _take(self) -> Connection | None:
        oldest = self.loop.time() - KEEP_IDLE_S
        while self._idle:
            connection = self._idle.pop()
            if connection.idle_since >= oldest and not connection.closing:
                return connection
            connection.abort()
        return None

    async def _connect(self) -> Connection:
        try:
            _, connection = await self.loop.create_connection(lambda: Connection(self), self._host, self._port)
        except OSError as error:
            raise NotSent(self.address, _reason(error)) from error
        return connection

    def _head(self, request: Request) -> bytes:
        key = request.method, request.path, request.content_type
        head = self._heads.get(key)
        if head is None:
            head = self._heads[key] = (
                f"{request.method} {self._base}{request.path} HTTP/1.1\r\nHost: {self.address}\r\n"
                f"User-Agent: {AGENT}\r\nContent-Type: {request.content_type}\r\nX-Request-ID: "
            ).encode("ascii")
        return head


def _reason(error: OSError) -> str:
    """Return the system's words: asyncio replaces them by the address, and name resolution has negative numbers."""
    return os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or str(error)
