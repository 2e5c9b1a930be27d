"""Tests of the event loop whose time jumps."""

from __future__ import annotations

import asyncio
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faults.drills.virtual.errors import NothingAhead, ThreadAsked
from faults.drills.virtual.loop import MOST_TIMERS, VirtualLoop


def loop_runner() -> asyncio.Runner:
    """Return a runner on a fresh virtual loop."""
    return asyncio.Runner(loop_factory=VirtualLoop)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(0.0, 100.0), st.booleans()), max_size=40))
def test_timers_fire_at_their_times_in_the_order_of_the_asking(asked: list[tuple[float, bool]]) -> None:
    """Callbacks come by time, those of one time as they were asked for, and cancelled ones never."""
    fired: list[tuple[float, int]] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        for index, (when, cancelled) in enumerate(asked):
            timer = loop.call_at(when, lambda index=index: fired.append((loop.time(), index)))  # type: ignore[misc]
            if cancelled:
                timer.cancel()
        await asyncio.sleep(200.0)

    with loop_runner() as runner:
        runner.run(main())
    expected = sorted((when, index) for index, (when, cancelled) in enumerate(asked) if not cancelled)
    assert [index for _, index in fired] == [index for _, index in expected]
    assert [at for at, _ in fired] == pytest.approx([when for when, _ in expected], abs=1e-8)


def test_hours_pass_at_once() -> None:
    """Waiting costs no real time, and the loop's clock shows all of it."""

    async def main() -> float:
        await asyncio.sleep(36_000.0)
        return asyncio.get_running_loop().time()

    began = time.monotonic()
    with loop_runner() as runner:
        assert runner.run(main()) == 36_000.0
    assert time.monotonic() - began < 60.0


def test_a_world_that_stands_still_says_so() -> None:
    """A task that waits for what nobody will do is a clear error, not a hang."""

    async def main() -> None:
        await asyncio.sleep(5.0)
        await asyncio.Event().wait()

    with loop_runner() as runner, pytest.raises(NothingAhead, match="stands still at 5 s"):
        runner.run(main())


def test_threads_are_refused() -> None:
    """Work for a thread is an error that names it."""

    async def main() -> None:
        await asyncio.to_thread(time.sleep, 0.0)

    with loop_runner() as runner, pytest.raises(ThreadAsked):
        runner.run(main())


def test_many_cancelled_timers_are_swept_out_and_harm_nothing() -> None:
    """Timeouts that never fire do not pile up, and those that shall fire still do."""

    async def main() -> None:
        for _ in range(3 * MOST_TIMERS):
            async with asyncio.timeout(1000.0):
                await asyncio.sleep(0.001)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.0):
                await asyncio.sleep(2.0)

    with loop_runner() as runner:
        loop = runner.get_loop()
        runner.run(main())
        assert isinstance(loop, VirtualLoop)
        assert len(loop._timers) <= MOST_TIMERS + 1


def test_a_callback_that_breaks_stops_nothing() -> None:
    """What a callback raises goes to the exception handler; the loop goes on."""
    told: list[str] = []

    async def main() -> str:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _loop, context: told.append(str(context["exception"])))
        loop.call_later(1.0, lambda: 1 // 0)
        await asyncio.sleep(2.0)
        return "went on"

    with loop_runner() as runner:
        assert runner.run(main()) == "went on"
    assert told == ["integer division or modulo by zero"]
