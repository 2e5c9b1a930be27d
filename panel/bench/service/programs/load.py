"""``python -m panel.bench.service.programs.load``: a closed loop of connections, each asking again once it is answered.

Reads a ``Job`` as JSON from standard input and writes a ``Result``. Requests are bytes made beforehand; an answer is
parsed as far as its status and its end.
"""

from __future__ import annotations

import asyncio
import sys
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import cycle

import httptools
from pydantic import Base64Bytes, BaseModel

from stack.endpoints import HOST

GRACE_S = 30.0


class Job(BaseModel):
    """What to send: each connection sends all of ``requests`` in turn, over and over, for ``seconds``.

    With ``seconds`` 0 they are sent once, divided among the connections.
    """

    port: int
    connections: int
    seconds: float
    requests: list[Base64Bytes]

    @classmethod
    def of(cls, port: int, requests: Iterable[bytes], *, connections: int, seconds: float) -> Job:
        """Return the job of sending ``requests`` as they are."""
        encoded = [b64encode(request) for request in requests]
        return cls(port=port, connections=connections, seconds=seconds, requests=encoded)


class Result(BaseModel):
    """What came of it: answers by status (0: the connection was closed without one), and how long it took."""

    statuses: dict[int, int]
    seconds: float


class Connection(asyncio.Protocol):
    """One connection: one request at a time until ``requests`` ends or the time is over."""

    def __init__(self, requests: Iterator[bytes], until: float, statuses: Counter[int]) -> None:
        self._requests, self._until, self._statuses = requests, until, statuses
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._asked = False
        self.over = False
        self.ended = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask the first time."""
        if isinstance(transport, asyncio.Transport):
            self._transport = transport
            self._ask()

    def data_received(self, data: bytes) -> None:
        """Parse."""
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Count a request that got no answer."""
        if self._asked:
            self._statuses[0] += 1
        if not self.ended.done():
            self.ended.set_result(None)

    def on_message_complete(self) -> None:
        """Count the answer and ask again; a server that wants to close is left to do so."""
        self._asked = False
        self._statuses[self._parser.get_status_code()] += 1
        if self._parser.should_keep_alive():
            self._ask()
        elif self._transport is not None:
            self._transport.close()

    def _ask(self) -> None:
        request = next(self._requests, None) if time.perf_counter() < self._until else None
        if self._transport is None:
            return
        if request is None:
            self.over = True
            self._transport.close()
        else:
            self._asked = True
            self._transport.write(request)


async def run(job: Job) -> Result:
    """Do ``job``; a connection that the server closes is replaced."""
    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    statuses: Counter[int] = Counter()
    until = started + (job.seconds or GRACE_S)
    shared = iter(job.requests)

    async def connection(number: int) -> None:
        shift = number * len(job.requests) // job.connections
        requests = cycle(job.requests[shift:] + job.requests[:shift]) if job.seconds else shared
        over = False
        while not over:
            _, protocol = await loop.create_connection(lambda: Connection(requests, until, statuses), HOST, job.port)
            await asyncio.wait_for(protocol.ended, job.seconds + GRACE_S)
            over = protocol.over

    await asyncio.gather(*(connection(number) for number in range(job.connections)))
    return Result(statuses=dict(statuses), seconds=time.perf_counter() - started)


if __name__ == "__main__":
    sys.stdout.write(asyncio.run(run(Job.model_validate_json(sys.stdin.buffer.read()))).model_dump_json())
