"""The generator: starts requests when they are due and counts what becomes of them.

It reads the running loop's clock alone, draws from the random source it is given and starts no thread, so the same
object runs on live sockets and on a loop whose time jumps.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable, Mapping

from faults.drills.wire import TrafficSettings, TrafficStatus
from faults.traffic.arrivals import Arrivals
from faults.traffic.errors import NoAnswer, NotSent
from faults.traffic.inputs import Mix, ModelInputs
from faults.traffic.meter import Meter
from faults.traffic.transport import Request, Transport

MAX_RATE = 5000.0
"""Requests per second beyond which no fault multiplies the rate: what settings may ask for at most, too."""
TIMEOUT_S = 30.0
MAX_IN_FLIGHT = 500
BURST = 500
"""Requests that are started in one go when behind schedule, before other tasks get their turn."""


class Generator:
    """Open-loop load. ``start``, ``use`` and ``stop`` are called on the event loop."""

    def __init__(
        self,
        transport: Transport,
        settings: TrafficSettings,
        *,
        rng: random.Random,
        wall: Callable[[], float],
        timeout_s: float = TIMEOUT_S,
        max_in_flight: int = MAX_IN_FLIGHT,
        on_unreached: Callable[[str], None] = lambda _reason: None,
        on_reached: Callable[[], None] = lambda: None,
    ) -> None:
        """``wall`` tells Unix seconds. The callbacks say when the service stops accepting connections, and is back."""
        self.settings = settings
        self.meter = Meter()
        self.since = wall()
        self.reason = "the service has not described its models yet"
        self._transport, self._wall = transport, wall
        self._timeout_s, self._max_in_flight = timeout_s, max_in_flight
        self._on_unreached, self._on_reached = on_unreached, on_reached
        self._seeds = random.Random(rng.getrandbits(64))
        self._mix_rng = random.Random(rng.getrandbits(64))
        self._inputs: Mapping[str, ModelInputs] = {}
        self._mix: Mix | None = None
        self._arrivals: Arrivals | None = None
        self._factors: dict[object, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._reached = True
        self._over = asyncio.Event()
        self._over.set()

    @property
    def sending(self) -> bool:
        """Whether requests are scheduled now."""
        return not self._over.is_set()

    @property
    def ready(self) -> bool:
        """Whether there are inputs for at least one model of the mix."""
        return self._mix is not None

    @property
    def waits_for(self) -> str:
        """What it lacks to send the whole mix, and why; empty where nothing lacks."""
        lacking = [name for name, weight in self.settings.models.items() if weight > 0.0 and name not in self._inputs]
        return f"inputs for {', '.join(lacking)}: {self.reason}" if lacking else ""

    @property
    def factor(self) -> float:
        """By how much faults multiply the rate of the settings now."""
        return math.prod(self._factors.values())

    @property
    def rate(self) -> float:
        """Requests per second that are sent now: the settings' rate, and what faults make of it."""
        asked = self.settings.rate * self.factor
        return min(asked, max(MAX_RATE, self.settings.rate))

    @property
    def in_flight(self) -> int:
        """Requests that were started and have not ended."""
        return len(self._tasks)

    def use(self, inputs: Mapping[str, ModelInputs], reason: str) -> None:
        """Draw from ``inputs`` from now on; ``reason`` says why others lack. Counts and schedule go on."""
        self._inputs, self.reason = inputs, reason
        self._remix()
        if self._mix is None:
            self.pause()
        elif self._arrivals is None:
            self._schedule(math.inf)

    def start(self, settings: TrafficSettings, *, lasting_s: float = math.inf) -> None:
        """Begin anew with ``settings`` and fresh counts; the schedule ends after ``lasting_s`` seconds."""
        self.settings, self.meter, self.since = settings, Meter(), self._wall()
        self._remix()
        self._schedule(lasting_s)

    async def finish(self) -> None:
        """Return once the schedule has ended and every request with it."""
        await self._over.wait()
        if self._tasks:
            await asyncio.wait(tuple(self._tasks))

    def multiply(self, holder: object, factor: float) -> None:
        """Send ``factor`` times as much for ``holder``, from now on and whatever the settings; counts go on."""
        self._factors[holder] = factor
        self._change_rate()

    def leave_alone(self, holder: object) -> None:
        """Take the factor of ``holder`` back; harmless where it has none."""
        if self._factors.pop(holder, None) is not None:
            self._change_rate()

    def pause(self) -> None:
        """Schedule nothing more; requests under way go on."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._arrivals = None
        self._over.set()

    async def stop(self) -> None:
        """Schedule nothing more and give up what is under way."""
        self.pause()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def status(self) -> TrafficStatus:
        """Return what was sent since ``start``."""
        return TrafficStatus(
            settings=self.settings,
            since=self.since,
            sent=self.meter.sent,
            in_flight=self.in_flight,
            statuses=self.meter.statuses(),
            latency_s=self.meter.quantiles(),
            late_share=self.meter.late_share,
            waits_for=self.waits_for,
            factor=self.factor,
        )

    def _remix(self) -> None:
        weights = self.settings.models
        known = any(weight > 0.0 and name in self._inputs for name, weight in weights.items())
        self._mix = Mix(self._mix_rng, self._inputs, weights, self.settings.ood_share) if known else None

    def _schedule(self, lasting_s: float) -> None:
        self.pause()
        if self._mix is None:
            return
        self._over.clear()
        now = asyncio.get_running_loop().time()
        rng = random.Random(self._seeds.getrandbits(64))
        self._arrivals = Arrivals(rng, self.rate, now, now + lasting_s)
        self._tick()

    def _change_rate(self) -> None:
        """Go on with the schedule at the rate of this moment."""
        if self._arrivals is None:
            return
        self._tick()  # what is due by now was due at the rate before
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._over.clear()
        self._arrivals.change_rate(self.rate, asyncio.get_running_loop().time())
        self._tick()

    def _tick(self) -> None:
        """Start what is due and set the timer for the next."""
        arrivals, mix = self._arrivals, self._mix
        if arrivals is None or mix is None:
            return
        loop = asyncio.get_running_loop()
        now = loop.time()
        for _ in range(BURST):
            if arrivals.due > now:
                break
            self._begin(loop, mix.draw(), arrivals.due)
            arrivals.advance()
        if self._timer is not None:
            self._timer.cancel()
        if arrivals.due < math.inf:
            self._timer = loop.call_at(arrivals.due, self._tick)
        else:
            self._over.set()

    def _begin(self, loop: asyncio.AbstractEventLoop, request: Request, due: float) -> None:
        if len(self._tasks) >= self._max_in_flight:
            self.meter.dropped()
            return
        task = loop.create_task(self._carry(loop, request, due, self.meter))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry(self, loop: asyncio.AbstractEventLoop, request: Request, due: float, meter: Meter) -> None:
        """Send one request and count it where its settings are counted."""
        meter.started(loop.time() - due)
        try:
            async with asyncio.timeout(self._timeout_s):
                status = await self._transport.send(request)
        except NotSent as error:
            meter.unsent()
            if self._reached:
                self._reached = False
                self._on_unreached(str(error))
        except (NoAnswer, TimeoutError):
            meter.unanswered(loop.time() - due)
        else:
            meter.answered(status, loop.time() - due)
            if not self._reached:
                self._reached = True
                self._on_reached()
