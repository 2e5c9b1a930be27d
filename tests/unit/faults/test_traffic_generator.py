"""The generator: on a loop whose time jumps, where every number is exact, and against a real server that stalls."""

from __future__ import annotations

import asyncio
import math
import random
import selectors
import time
from collections.abc import Awaitable, Callable, Coroutine

import pytest
from tiny_service import MODEL_INFO, TinyService

from faults.drills.wire import TrafficSettings
from faults.traffic.errors import NoAnswer, NotSent
from faults.traffic.generator import Generator
from faults.traffic.inputs import ModelInfo, make_inputs
from faults.traffic.pool import HttpPool
from faults.traffic.transport import Request, Transport

INPUTS = {
    model.name: inputs
    for model in ModelInfo.model_validate(MODEL_INFO).models
    if (inputs := make_inputs(model, random.Random(5)))
}
IRIS = {"iris": 1.0}


class JumpingSelector(selectors.SelectSelector):
    """Never waits: time moves on instead."""

    now = 1000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Move time by ``timeout``."""
        self.now += timeout or 0.0
        return super().select(0)


class JumpingLoop(asyncio.SelectorEventLoop):
    """A loop on the selector's time."""

    def __init__(self) -> None:
        self.jumping = JumpingSelector()
        super().__init__(self.jumping)

    def time(self) -> float:
        """Return virtual seconds."""
        return self.jumping.now


def run_virtually(main: Coroutine[None, None, None]) -> None:
    """Run ``main`` on a loop whose time jumps."""
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        runner.run(main)


class Scripted:
    """A transport within the process: the given coroutine function answers."""

    def __init__(self, script: Callable[[Request], Awaitable[int]]) -> None:
        self.script = script
        self.sent: list[tuple[float, Request]] = []

    async def send(self, request: Request) -> int:
        """Note the time and answer as scripted."""
        self.sent.append((asyncio.get_running_loop().time(), request))
        return await self.script(request)


def make_generator(
    transport: Transport, *, seed: int = 1, timeout_s: float = 30.0, max_in_flight: int = 500
) -> Generator:
    """Return a generator that has inputs and waits for its start."""
    generator = Generator(
        transport,
        TrafficSettings(rate=0.0),
        rng=random.Random(seed),
        wall=lambda: 5.0,
        timeout_s=timeout_s,
        max_in_flight=max_in_flight,
    )
    generator.use(INPUTS, "")
    return generator


async def at_once(_request: Request) -> int:
    """Answer 200."""
    return 200


def test_an_hour_of_traffic_takes_the_loops_time_alone() -> None:
    """3,600 virtual seconds at 5/s send about 18,000 requests, none late, in little real time."""

    async def hour() -> None:
        generator = make_generator(Scripted(at_once))
        generator.start(TrafficSettings(rate=5.0, models=IRIS), lasting_s=3600.0)
        await generator.finish()
        status = generator.status()
        assert status.sent == pytest.approx(18_000, abs=5 * math.sqrt(18_000))
        assert status.statuses == {"200": status.sent}
        assert (status.late_share, status.in_flight, status.since) == (0.0, 0, 5.0)

    began = time.monotonic()
    run_virtually(hour())
    assert time.monotonic() - began < 20.0


def test_a_seed_repeats_starts_and_requests() -> None:
    """Two generators with one seed send the same requests at the same times; another seed does not."""

    async def sent(seed: int) -> list[tuple[float, Request]]:
        transport = Scripted(at_once)
        generator = make_generator(transport, seed=seed)
        generator.start(TrafficSettings(rate=20.0, ood_share=0.3), lasting_s=30.0)
        await generator.finish()
        return transport.sent

    async def compare() -> None:
        began = asyncio.get_running_loop().time()
        first = await sent(3)
        shift = asyncio.get_running_loop().time() - began
        second, other = await sent(3), await sent(4)
        assert len(first) > 400
        assert [request for _, request in first] == [request for _, request in second]
        assert [at for at, _ in second] == pytest.approx([at + shift for at, _ in first], abs=1e-6)
        assert [request for _, request in first] != [request for _, request in other]

    run_virtually(compare())


def test_a_stall_shows_in_full_because_starts_do_not_wait() -> None:
    """While one answer takes 10 s, others start on time, and each waits for what is left of the stall."""

    async def stall() -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + 10.0

        async def after(_request: Request) -> int:
            await asyncio.sleep(max(0.001, until - loop.time()))
            return 200

        generator = make_generator(Scripted(after))
        generator.start(TrafficSettings(rate=10.0, models=IRIS), lasting_s=10.0)
        await generator.finish()
        latency = generator.status().latency_s
        assert latency["p50"] == pytest.approx(5.0, abs=1.5)  # a closed loop would have reported 10 s once
        assert latency["max"] == pytest.approx(10.0, abs=1.0)
        assert generator.status().late_share == 0.0

    run_virtually(stall())


def test_a_blocked_generator_reports_late_starts_and_their_latency() -> None:
    """What keeps the generator itself from starting is late, and is part of the latency."""

    async def blocked() -> None:
        generator = make_generator(Scripted(at_once))
        generator.start(TrafficSettings(rate=100.0, models=IRIS), lasting_s=2.0)
        await asyncio.sleep(0.5)
        loop = asyncio.get_running_loop()
        assert isinstance(loop, JumpingLoop)
        loop.jumping.now += 1.0  # as if the process had stood still for a second
        await generator.finish()
        assert generator.status().late_share == pytest.approx(0.5, abs=0.15)
        assert generator.status().latency_s["max"] == pytest.approx(1.0, abs=0.1)

    run_virtually(blocked())


def test_what_finds_no_room_is_counted_as_dropped() -> None:
    """With every place taken, due requests are dropped in plain sight and never start."""

    async def full() -> None:
        async def forever(_request: Request) -> int:
            await asyncio.sleep(1e6)
            return 200

        transport = Scripted(forever)
        generator = make_generator(transport, max_in_flight=7, timeout_s=1e5)
        generator.start(TrafficSettings(rate=50.0, models=IRIS), lasting_s=4.0)
        await asyncio.sleep(5.0)
        status = generator.status()
        assert (status.sent, status.in_flight, len(transport.sent)) == (7, 7, 7)
        assert status.statuses["dropped"] == pytest.approx(200 - 7, abs=70)
        await generator.stop()
        assert generator.in_flight == 0

    run_virtually(full())


def test_time_limit_refusal_and_broken_answers_are_errors() -> None:
    """Each way of getting no answer counts as an error; only requests that reached the service have a latency."""

    async def failing() -> None:
        reasons: list[str] = []
        reached: list[int] = []
        outcome: list[Exception | None] = [NotSent("here", "refused")]

        async def fail(_request: Request) -> int:
            if outcome[0] is None:
                return 200
            if isinstance(outcome[0], TimeoutError):
                await asyncio.sleep(1e3)
            raise outcome[0]

        generator = Generator(
            Scripted(fail),
            TrafficSettings(rate=0.0),
            rng=random.Random(1),
            wall=time.time,
            timeout_s=2.0,
            on_unreached=reasons.append,
            on_reached=lambda: reached.append(1),
        )
        generator.use(INPUTS, "")
        expected = {"NotSent": 0, "NoAnswer": 1, "TimeoutError": 1}
        for error in (NotSent("here", "refused"), NoAnswer("here", "reset"), TimeoutError()):
            outcome[0] = error
            generator.start(TrafficSettings(rate=10.0, models=IRIS), lasting_s=1.0)
            await generator.finish()
            status = generator.status()
            assert status.statuses == {"error": status.sent}
            assert status.sent > 0
            assert bool(status.latency_s) == expected[type(error).__name__]
        assert status.latency_s["p50"] == pytest.approx(2.0, rel=0.02)
        outcome[0] = None
        generator.start(TrafficSettings(rate=10.0, models=IRIS), lasting_s=1.0)
        await generator.finish()
        assert reasons == ["nothing accepts connections at here (refused)"]
        assert reached == [1]

    run_virtually(failing())


def test_new_settings_begin_new_counts_that_old_requests_do_not_enter() -> None:
    """An answer to a request of the settings before does not count for the settings after."""

    async def change() -> None:
        async def slow(_request: Request) -> int:
            await asyncio.sleep(3.0)
            return 200

        generator = make_generator(Scripted(slow))
        generator.start(TrafficSettings(rate=20.0, models=IRIS))
        await asyncio.sleep(2.0)
        assert generator.in_flight > 20
        generator.start(TrafficSettings(rate=0.0, models=IRIS))
        assert not generator.sending
        await asyncio.sleep(5.0)
        status = generator.status()
        assert (status.sent, status.in_flight, status.statuses) == (0, 0, {})

    run_virtually(change())


def test_without_inputs_nothing_is_scheduled_and_it_says_what_lacks() -> None:
    """Traffic begins by itself with the first inputs, and goes on with part of the mix."""

    async def wait() -> None:
        transport = Scripted(at_once)
        generator = Generator(transport, TrafficSettings(rate=50.0), rng=random.Random(1), wall=time.time)
        generator.start(generator.settings)
        await asyncio.sleep(1.0)
        assert (generator.status().sent, generator.sending) == (0, False)
        assert generator.waits_for == "inputs for iris, churn: the service has not described its models yet"
        generator.use({"churn": INPUTS["churn"]}, "iris is not loaded")
        await asyncio.sleep(1.0)
        assert {request.model for _, request in transport.sent} == {"churn"}
        assert generator.waits_for == "inputs for iris: iris is not loaded"
        generator.use(INPUTS, "")
        await asyncio.sleep(1.0)
        assert {request.model for _, request in transport.sent} == {"churn", "iris"}
        assert generator.waits_for == ""
        generator.use({}, "gone")
        sent = len(transport.sent)
        await asyncio.sleep(1.0)
        assert len(transport.sent) == sent
        await generator.stop()

    run_virtually(wait())


def test_a_real_stall_shows_and_traffic_goes_on_while_the_service_is_away() -> None:
    """Against real sockets: a stall of 0.5 s is in the quantiles; a stopped server means errors; back means answers."""

    async def live() -> None:
        async with TinyService() as service:
            pool = HttpPool(service.url)
            generator = make_generator(pool)
            generator.start(TrafficSettings(rate=100.0, models=IRIS))
            await asyncio.sleep(0.2)
            service.running.clear()
            await asyncio.sleep(0.5)
            service.running.set()
            await asyncio.sleep(0.2)
            latency = generator.status().latency_s
            assert latency["max"] == pytest.approx(0.5, abs=0.15)
            assert latency["p90"] > 0.2
        generator.start(TrafficSettings(rate=200.0, models=IRIS))
        await asyncio.sleep(0.3)
        away = generator.status().statuses
        assert away["error"] > 10
        assert "200" not in away
        async with TinyService(port=service.port):
            generator.start(TrafficSettings(rate=201.0, models=IRIS))
            await asyncio.sleep(0.3)
            assert generator.status().statuses["200"] > 10
            await generator.stop()
            await pool.close()

    asyncio.run(live())
