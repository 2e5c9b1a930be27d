"""The live transport against a real server that keeps, closes, chunks, breaks off and talks nonsense."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from tiny_service import Behaviour, Seen, TinyService, answer, answer_at_once

from faults.traffic import pool as pool_module
from faults.traffic.errors import BadTrafficStart, NoAnswer, NotSent
from faults.traffic.pool import HttpPool
from faults.traffic.transport import Request

REQUEST = Request("iris", "/predict/iris", b'{"features":[[1.0]]}', "traffic-1")


def with_pool(use: Callable[[TinyService, HttpPool], Awaitable[None]], behaviour: Behaviour = answer_at_once) -> None:
    """Run ``use`` with a real server and a pool to it."""

    async def run() -> None:
        async with TinyService(behaviour) as service:
            pool = HttpPool(service.url)
            try:
                async with asyncio.timeout(10.0):
                    await use(service, pool)
            finally:
                await pool.close()

    asyncio.run(run())


def test_requests_one_after_another_share_a_connection() -> None:
    """A kept connection is used again, and the request arrives as it was meant."""

    async def use(service: TinyService, pool: HttpPool) -> None:
        assert [await pool.send(REQUEST) for _ in range(5)] == [200] * 5
        assert service.connections == 1
        seen = service.seen[0]
        assert (seen.method, seen.path, seen.body) == ("POST", "/predict/iris", REQUEST.body)
        assert seen.headers["host"] == service.url.removeprefix("http://")
        assert seen.headers["user-agent"] == "firedrill-traffic"
        assert seen.headers["content-type"] == "application/json"
        assert seen.headers["x-request-id"] == "traffic-1"
        assert "traceparent" not in seen.headers

    with_pool(use)


def test_requests_at_once_get_a_connection_each() -> None:
    """A request never waits behind another one."""

    async def use(service: TinyService, pool: HttpPool) -> None:
        all_here = asyncio.Barrier(4)  # no request is answered before all four have arrived

        def together(seen: Seen, writer: asyncio.StreamWriter) -> None:
            async def reply() -> None:
                await all_here.wait()
                answer_at_once(seen, writer)

            replies.append(asyncio.create_task(reply()))

        replies: list[asyncio.Task[None]] = []
        service.behaviour = together
        assert await asyncio.gather(*(pool.send(REQUEST) for _ in range(4))) == [200] * 4
        assert service.connections == 4

    with_pool(use)


def chunked(_seen: Seen, writer: asyncio.StreamWriter) -> None:
    """Answer in chunks, the last one later."""
    writer.write(b"HTTP/1.1 503 Full\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
    asyncio.get_running_loop().call_later(0.01, writer.write, b"3\r\nabc\r\n0\r\n\r\n")


def closing(_seen: Seen, writer: asyncio.StreamWriter) -> None:
    """Answer and say that the connection ends."""
    writer.write(answer(headers="Connection: close\r\n"))
    writer.close()


def unframed(_seen: Seen, writer: asyncio.StreamWriter) -> None:
    """Answer with a body that ends with the connection."""
    writer.write(b"HTTP/1.1 200 OK\r\n\r\nuntil the end")
    writer.close()


def informed(_seen: Seen, writer: asyncio.StreamWriter) -> None:
    """Send an informational answer first."""
    writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + answer(status=202))


@pytest.mark.parametrize(
    ("behaviour", "status", "connections"),
    [(chunked, 503, 1), (closing, 200, 3), (unframed, 200, 3), (informed, 202, 1)],
)
def test_every_way_to_end_an_answer_is_understood(behaviour: Behaviour, status: int, connections: int) -> None:
    """Chunks, closing and informational answers give the right status, and the connection is kept only if it may be."""

    async def use(service: TinyService, pool: HttpPool) -> None:
        assert [await pool.send(REQUEST) for _ in range(3)] == [status] * 3
        assert service.connections == connections

    with_pool(use, behaviour)


def broken_off(_seen: Seen, writer: asyncio.StreamWriter) -> None:
    """Promise more than is sent."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")
    writer.close()


def vanishing(_seen: Seen, writer: asyncio.StreamWriter) -> None:
    """Close without a word."""
    writer.transport.abort()


def nonsense(_seen: Seen, writer: asyncio.StreamWriter) -> None:
    """Speak another protocol."""
    writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")


def switching(_seen: Seen, writer: asyncio.StreamWriter) -> None:
    """Switch protocols, which nobody asked for."""
    writer.write(b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nabc")


@pytest.mark.parametrize("behaviour", [broken_off, vanishing, nonsense, switching])
def test_an_incomplete_answer_is_no_answer_and_is_not_retried(behaviour: Behaviour) -> None:
    """Each request reaches the server once, whatever becomes of it, and the next one gets a new connection."""

    async def use(service: TinyService, pool: HttpPool) -> None:
        for sent in (1, 2):
            with pytest.raises(NoAnswer, match=pool.address):
                await pool.send(REQUEST)
            assert (len(service.seen), service.connections) == (sent, sent)

    with_pool(use, behaviour)


def test_an_answer_that_nobody_asked_for_ends_the_connection() -> None:
    """A second answer to one request is not taken for the answer to the next."""

    def twice(_seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(answer() + answer(status=500))

    async def use(service: TinyService, pool: HttpPool) -> None:
        assert [await pool.send(REQUEST) for _ in range(3)] == [200] * 3
        assert service.connections == 3

    with_pool(use, twice)


def test_a_closed_idle_connection_is_not_used() -> None:
    """The server may close what is idle; the next request does not notice."""

    async def use(service: TinyService, pool: HttpPool) -> None:
        writers: list[asyncio.StreamWriter] = []

        def remember(seen: Seen, writer: asyncio.StreamWriter) -> None:
            writers.append(writer)
            answer_at_once(seen, writer)

        service.behaviour = remember
        await pool.send(REQUEST)
        writers[0].close()
        await asyncio.sleep(0.05)
        assert await pool.send(REQUEST) == 200
        assert service.connections == 2

    with_pool(use)


def test_a_long_idle_connection_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that a server is about to close is left alone."""
    monkeypatch.setattr(pool_module, "KEEP_IDLE_S", 0.01)

    async def use(service: TinyService, pool: HttpPool) -> None:
        await pool.send(REQUEST)
        await asyncio.sleep(0.03)
        await pool.send(REQUEST)
        assert service.connections == 2

    with_pool(use)


def test_giving_up_closes_the_connection() -> None:
    """A cancelled request's connection does not stay open, and is not used for the next one."""

    async def use(service: TinyService, pool: HttpPool) -> None:
        service.running.clear()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(pool.send(REQUEST), 0.05)
        await asyncio.sleep(0)
        assert not pool._open
        service.running.set()
        assert await pool.send(REQUEST) == 200
        assert service.connections == 2

    with_pool(use)


def test_nobody_listening_is_not_sent() -> None:
    """A refused connection is told apart from a missing answer, with the address."""

    async def run() -> None:
        async with TinyService() as service:
            pool = HttpPool(service.url)
        with pytest.raises(NotSent, match=f"{pool.address}.*refused"):
            await pool.send(REQUEST)

    asyncio.run(run())


def test_get_returns_the_body() -> None:
    """A body is kept where it is asked for."""

    async def use(service: TinyService, pool: HttpPool) -> None:
        got = await pool.get("/model-info")
        assert got.status == 200
        assert b"sepal_length" in got.body

    with_pool(use)


@pytest.mark.parametrize("url", ["https://127.0.0.1:1", "127.0.0.1:8000", "http://", "http://h:99999", "http://h/?q=1"])
def test_a_url_that_cannot_be_used_is_named(url: str) -> None:
    """Only plain HTTP base URLs are taken."""

    async def run() -> None:
        with pytest.raises(BadTrafficStart, match="expected http://host:port"):
            HttpPool(url)

    asyncio.run(run())
