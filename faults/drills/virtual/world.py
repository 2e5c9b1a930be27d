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
from faults.drills.virtual.spans import Shelf
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

    scenario: Scenario
    fault_at: float | None
    back_at: float | None
    faults: tuple[FaultRecord, ...]
    scrapers: tuple[Scraper, ...]
    columns: Columns
    traffic: TrafficStatus
    shelf: Shelf | None


@dataclass(frozen=True)
class Parting:
    """Where worlds that were one so far part: ``after_s`` seconds of the scenario, before its calm is over."""

    after_s: float
    choose: Callable[[], Scenario]
    """Says, there and then, how this one goes on: as any scenario with the same traffic, watched in the same way."""


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
    parting: Parting | None = None


async def live_through(plan: Plan) -> Course:
    """Run the scenario of ``plan`` from before its beginning to its end, on the running loop, which starts at 0."""
    loop = asyncio.get_running_loop()
    loop.set_task_factory(task_of_its_life)
    scenario, seed = plan.scenario, f"{plan.scenario.seed}"
    clock = LoopClock(loop, plan.begins_at - LEAD_S)
    shelf = Shelf(open_=not scenario.schedule) if scenario.traces else None
    given = Given(plan.settings, clock, plan.timings, seed, plan.scratch, shelf)
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

    await target.begin()
    await asyncio.sleep(max(0.0, LEAD_S / 2 - loop.time()))
    feeding = asyncio.create_task(feed.run())
    scrapers, columns = _watch(plan, target)
    _plan_scrapes(plan, scrapers, to_s=scenario.lasts_s)
    if scenario.background is not None:
        loop.call_at(LEAD_S + max(0.0, scenario.calm_s - scenario.settling_s), generator.start, scenario.traffic)
    for done_s in range(0, int(scenario.lasts_s) + 1, int(TELL_EVERY_S)):
        loop.call_at(LEAD_S + done_s, plan.on_progress, float(done_s))
    try:
        if plan.parting is not None:
            scenario = await _parted(plan.parting, plan, scrapers)
        if plan.parting is None or scenario.calm_s > plan.parting.after_s:
            await asyncio.sleep(LEAD_S + scenario.calm_s - loop.time())
        conductor = VirtualConductor(scenario, target, clock, traffic=traffic, stack=stack, shelf=shelf)
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
    return Course(scenario, conductor.fault_at, target.back_at, faults, scrapers, columns, status, shelf)


async def _parted(parting: Parting, plan: Plan, scrapers: tuple[Scraper, ...]) -> Scenario:
    """Wait until worlds part; return how this one goes on, watched to its end."""
    loop = asyncio.get_running_loop()
    await asyncio.sleep(LEAD_S + parting.after_s - loop.time())
    scenario = parting.choose()
    _plan_scrapes(plan, scrapers, after_s=plan.scenario.lasts_s, to_s=scenario.lasts_s)
    return scenario


def _watch(plan: Plan, target: Target) -> tuple[tuple[Scraper, ...], Columns]:
    """Return who takes the scrapes, one for each phase, and the table that they fill."""
    around = plan.surroundings
    columns = Columns(around.job)
    wanted = around.wanted
    sources = Sources(partial(around.readings, columns=columns), wanted, count=wanted(SAMPLES))
    scrapers = tuple(
        Scraper(target, columns, sources, wanted=wanted, timeout_s=around.timeout_s, others=around.others)
        for _ in plan.phases_s
    )
    return scrapers, columns


def _plan_scrapes(plan: Plan, scrapers: tuple[Scraper, ...], *, to_s: float, after_s: float = -1.0) -> None:
    """Set the timers of every scrape that is due after ``after_s`` and not after ``to_s``, seconds of the scenario."""
    loop = asyncio.get_running_loop()
    interval_s = plan.scenario.pace.interval_s
    for phase_s, scraper in zip(plan.phases_s, scrapers, strict=True):
        count = int((to_s - phase_s) // interval_s) + 1 if to_s >= phase_s else 0
        for at_s in (phase_s + index * interval_s for index in range(count)):
            if at_s > after_s:
                loop.call_at(LEAD_S + at_s, scraper.scrape, round((plan.begins_at + at_s) * 1000.0))
