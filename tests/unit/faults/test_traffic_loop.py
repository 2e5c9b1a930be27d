"""The live generator's event loop: timers to the microsecond, and every request accounted for."""

from __future__ import annotations

import asyncio
import random
import time

import pytest
from tiny_service import MODEL_INFO, answer

from faults.drills.wire import TrafficSettings
from faults.traffic.generator import Generator
from faults.traffic.inputs import ModelInfo, make_inputs
from faults.traffic.loop import run
from faults.traffic.pool import HttpPool


async def lateness() -> list[float]:
    """Return by how many seconds 200 timers between whole milliseconds were late."""
    loop, found = asyncio.get_running_loop(), list[float]()
    for _ in range(200):
        due = loop.time() + 0.0021
        reached = asyncio.Event()
        loop.call_at(due, reached.set)
        await reached.wait()
        found.append(loop.time() - due)
    return found


def test_timers_are_never_early_and_finer_than_the_usual_loops() -> None:
    """Side by side with asyncio's own loop, whose waits end at whole milliseconds."""
    ours, usual = sorted(run(lateness())), sorted(asyncio.run(lateness()))
    assert ours[0] >= 0.0
    assert ours[40] < usual[40]


def test_the_loop_still_sees_what_arrives_while_it_waits() -> None:
    """Data, other threads and the end of a long timer all wake it."""

    async def woken(port: int) -> float:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        began = time.monotonic()
        writer.write(b"ping")
        async with asyncio.timeout(10.0):
            assert await reader.read(4) == b"ping"
            assert await asyncio.to_thread(lambda: 5) == 5
        writer.close()
        return time.monotonic() - began

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.read(4))
        writer.close()

    async def main() -> float:
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        async with server:
            return await woken(server.sockets[0].getsockname()[1])

    assert run(main()) < 5.0


class Null(asyncio.Protocol):
    """Answers each packet, which is one request here."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer."""
        assert data.startswith(b"POST /predict/")
        self.transport.write(answer())


def test_every_scheduled_request_is_sent_and_answered() -> None:
    """What the schedule holds is what the server sees, and what is counted."""

    async def main() -> Generator:
        server = await asyncio.get_running_loop().create_server(Null, "127.0.0.1", 0)
        pool = HttpPool(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        generator = Generator(pool, TrafficSettings(rate=0.0), rng=random.Random(2), wall=time.time)
        models = ModelInfo.model_validate(MODEL_INFO).models
        generator.use({model.name: made for model in models if (made := make_inputs(model, random.Random(1)))}, "")
        generator.start(TrafficSettings(rate=200.0), lasting_s=1.0)
        await generator.finish()
        await pool.close()
        server.close()
        return generator

    status = run(main()).status()
    assert status.statuses == {"200": status.sent}
    assert status.sent == pytest.approx(200, abs=60)
