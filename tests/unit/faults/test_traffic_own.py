"""The generator on an app that is not the service: it sends the requests that were named, as they stand."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable

import pytest

from faults.drills.wire import TrafficSettings
from faults.traffic.errors import BadTrafficSettings
from faults.traffic.generator import Generator
from faults.traffic.own import OwnFeed
from faults.traffic.pool import HttpPool
from stack.endpoints import HOST
from stack.own.app import AppRequest

BOOKS = AppRequest(method="GET", path="/books?page=1")
ORDER = AppRequest(method="POST", path="/orders", body='{"book": 1}')
NOTE = AppRequest(method="PUT", path="/note", body="hello")
Seen = list[tuple[bytes, bytes, bytes]]


def with_app(scenario: Callable[[str, Seen], Awaitable[None]]) -> None:
    """Run ``scenario`` against a server that notes request line, content type and body of what comes in."""

    async def run() -> None:
        seen: Seen = []

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                while head := await reader.readuntil(b"\r\n\r\n"):
                    line, *rest = head.decode().strip().split("\r\n")
                    headers = dict(each.lower().split(": ", 1) for each in rest)
                    body = await reader.readexactly(int(headers.get("content-length", "0")))
                    seen.append((line.encode(), headers["content-type"].encode(), body))
                    writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
            except asyncio.IncompleteReadError:
                writer.close()

        server = await asyncio.start_server(answer, HOST, 0)
        async with server:
            await scenario(f"http://{HOST}:{server.sockets[0].getsockname()[1]}", seen)

    asyncio.run(run())


def test_named_requests_are_sent_as_they_stand() -> None:
    """Method, path, body and a content type that fits it; a request that is named twice comes twice as often."""

    async def scenario(url: str, seen: Seen) -> None:
        pool = HttpPool(url)
        generator = Generator(pool, TrafficSettings(rate=500.0), rng=random.Random(4), wall=time.time)
        feed = OwnFeed(generator, [BOOKS, BOOKS, ORDER, NOTE])
        feeding = asyncio.create_task(feed.run())
        async with asyncio.timeout(20):
            while generator.status().statuses.get("204", 0) < 200:  # noqa: ASYNC110 - the generator tells nobody
                await asyncio.sleep(0.02)
        status = generator.status()
        feeding.cancel()
        await generator.stop()
        await pool.close()
        assert set(seen) == {
            (b"GET /books?page=1 HTTP/1.1", b"text/plain; charset=utf-8", b""),
            (b"POST /orders HTTP/1.1", b"application/json", b'{"book": 1}'),
            (b"PUT /note HTTP/1.1", b"text/plain; charset=utf-8", b"hello"),
        }
        shares = [sum(line.startswith(name) for line, _, _ in seen) / len(seen) for name in (b"GET", b"POST", b"PUT")]
        assert shares == pytest.approx([0.5, 0.25, 0.25], abs=0.15)
        assert status.settings.models == {"GET /books?page=1": 2.0, "POST /orders": 1.0, "PUT /note": 1.0}
        assert status.waits_for == ""

    with_app(scenario)


def feed_of(*requests: AppRequest) -> OwnFeed:
    """Return the feed of a generator that sends nothing."""
    pool = HttpPool("http://127.0.0.1:9")
    return OwnFeed(Generator(pool, TrafficSettings(), rng=random.Random(4), wall=time.time), requests)


def test_a_drill_that_says_only_a_rate_gets_all_requests() -> None:
    """The default mix of models means the named requests here; a mix of them is taken as it is."""

    async def run() -> None:
        feed = feed_of(BOOKS, ORDER)
        whole = await feed.check(TrafficSettings(rate=20))
        assert (whole.rate, whole.models) == (20, {BOOKS.name: 1.0, ORDER.name: 1.0})
        some = TrafficSettings(rate=20, models={ORDER.name: 3.0})
        assert await feed.check(some) == some

    asyncio.run(run())


@pytest.mark.parametrize(
    ("requests", "settings", "says"),
    [
        ([BOOKS], TrafficSettings(models={"GET /pots": 1}), "GET /books?page=1"),
        ([BOOKS], TrafficSettings(models={BOOKS.name: 0}), "at least one weight"),
        ([BOOKS], TrafficSettings(ood_share=0.5), "ood_share"),
        ([], TrafficSettings(rate=5), "--app-traffic"),
    ],
)
def test_what_cannot_be_sent_is_refused(requests: list[AppRequest], settings: TrafficSettings, says: str) -> None:
    """Nothing is sent in the place of what was asked for."""

    async def run() -> None:
        with pytest.raises(BadTrafficSettings, match=says.replace("?", r"\?")):
            await feed_of(*requests).check(settings)
        if not requests:
            assert (await feed_of().check(TrafficSettings(rate=0))).rate == 0

    asyncio.run(run())
