"""A virtual world: the service, its traffic, its faults and its scrapers on one loop.

It ends when its scenario does, and leaves nothing behind but what was seen.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from faults.base import FaultRecord
from faults.drills.virtual.clock import LEAD_S, LoopClock
from faults.drills.virtual.columns import Columns
from faults.drills.virtual.conductor import VirtualConductor
from faults.drills.virtual.life import FixedSettings, Given, task_of_its_life
from faults.drills.virtual.outside import OutsideHost
from faults.drills.virtual.scenario import Scenario
from faults.drills.virtual.scrapes import SAMPLES, Scraper, Sources
from faults.drills.virtual.spans import KeptSpan
from faults.drills.virtual.surroundings import Surroundings
from faults.drills.virtual.target import Target
from faults.drills.virtual.timings import TRANSFER, Draws, Timings
from faults.drills.virtual.transport import VirtualTransport
from faults.drills.wire import TrafficStatus
from faults.injector import Injector
from faults.traffic.feed import Feed
from faults.traffic.generator import Generator
from faults.traffic.host import TrafficHost

TELL_EVERY_S = 30.0


@dataclass(frozen=True)
class Course:
    """What came of a world. Times are Unix seconds; one ``Rows`` in ``scrapers`` for each phase."""

    fault_at: float | None
    back_at: float | None
    faults: tuple[FaultRecord, ...]
    scrapers: tuple[Scraper, ...]
    columns: Columns
    traffic: TrafficStatus
    spans: tuple[KeptSpan, ...]


@dataclass(frozen=True)
class Plan:
    """What a world is made of. ``begins_at``: Unix seconds, when the scenario begins; ``phases_s``: of the scrapers."""

    scenario: Scenario
    settings: FixedSettings
    timings: Timings
    surroundings: Surroundings
    begins_at: float
    phases_s: tuple[float, ...]
    scratch: Path
    on_progress: Callable[[float], None]


async def live_through(plan: Plan) -> Course:
    """Run the scenario of ``plan`` from before its beginning to its end, on the running loop, which starts at 0."""
    loop = asyncio.get_running_loop()
    loop.set_task_factory(task_of_its_life)
    scenario, seed = plan.scenario, f"{plan.scenario.seed}"
    clock = LoopClock(loop, plan.begins_at - LEAD_S)
    kept: list[KeptSpan] | None = [] if scenario.traces else None
    given = Given(plan.settings, clock, plan.timings, seed, plan.scratch, kept)
    target = Target(given)
    draws = Draws(plan.timings, f"{seed}/transfer")
    transport = VirtualTransport(target, lambda: draws.seconds(TRANSFER, {}))
    rng = random.Random(f"{seed}/traffic")
    generator = Generator(
        transport,
        scenario.background or scenario.traffic,
        rng=rng,
        wall=clock.time,
        on_unreached=lambda _reason: feed.refresh(),
    )
    feed = Feed(generator, transport.get, url="the service", rng=rng)
    traffic = Injector(TrafficHost(generator), rng=random.Random(f"{seed}/traffic injector"), now=clock.time)
    outside = OutsideHost(target, generator, plan.scratch)
    stack = Injector(outside, rng=random.Random(f"{seed}/stack injector"), now=clock.time)
    conductor = VirtualConductor(scenario, target, clock, traffic=traffic, stack=stack)

    await target.begin()
    await asyncio.sleep(max(0.0, LEAD_S / 2 - loop.time()))
    feeding = asyncio.create_task(feed.run())
    scrapers, columns = _watch(plan, target)
    if scenario.background is not None:
        loop.call_at(LEAD_S + max(0.0, scenario.calm_s - scenario.settling_s), generator.start, scenario.traffic)
    for done_s in range(0, int(scenario.lasts_s) + 1, int(TELL_EVERY_S)):
        loop.call_at(LEAD_S + done_s, plan.on_progress, float(done_s))
    try:
        await asyncio.sleep(LEAD_S + scenario.calm_s - loop.time())
        await conductor.perform()
        await asyncio.sleep(max(0.0, LEAD_S + scenario.lasts_s - loop.time()))
        status = generator.status()
        faults = conductor.records()
    finally:
        feeding.cancel()
        for injector in (traffic, stack):
            await injector.close()
        await generator.stop()
        await target.close()
    plan.on_progress(scenario.lasts_s)
    return Course(conductor.fault_at, target.back_at, faults, scrapers, columns, status, tuple(kept or ()))


def _watch(plan: Plan, target: Target) -> tuple[tuple[Scraper, ...], Columns]:
    """Set the timers of every scrape; return who takes them."""
    scenario, around = plan.scenario, plan.surroundings
    interval_s = scenario.pace.interval_s
    loop = asyncio.get_running_loop()
    columns = Columns(around.job)
    wanted = around.wanted
    sources = Sources(partial(around.readings, columns=columns), wanted, count=wanted(SAMPLES))
    scrapers = []
    for phase_s in plan.phases_s:
        scraper = Scraper(target, columns, sources, wanted=wanted, timeout_s=around.timeout_s, others=around.others)
        scrapers.append(scraper)
        count = int((scenario.lasts_s - phase_s) // interval_s) + 1 if scenario.lasts_s >= phase_s else 0
        for index in range(count):
            at_s = phase_s + index * interval_s
            loop.call_at(LEAD_S + at_s, scraper.scrape, round((plan.begins_at + at_s) * 1000.0))
    return tuple(scrapers), columns
