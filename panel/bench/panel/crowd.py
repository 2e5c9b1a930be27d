"""What many viewers cost: the panel's processor time, and the questions that Prometheus gets.

Viewers speak Streamlit's protocol from this process and draw nothing (see ``viewer``); what is counted is the panel's
process alone, and Prometheus's own count of queries. What the stack costs and asks with nobody looking is taken off.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from panel.bench.figures import Figure
from panel.bench.panel.ground import Ground
from panel.bench.panel.viewer import Crowd, look

SECONDS = 24.0
SETTLE_S = 6.0
FEW, MANY = 2, 20
MOST_CORES = 1.0
MOST_REFRESH_MS = 100.0
MOST_RATIO = 1.05
"""No more queries; one refresh more or less at the ends of the counted time is no difference."""


@dataclass(frozen=True)
class Load:
    """What was used in a stretch of time, per second."""

    cores: float
    queries: float
    crowd: Crowd


def measure_crowd(say: Callable[[str], None], ground: Ground, pages: Sequence[str]) -> list[Figure]:
    """Return the figures of one, two and twenty viewers of Overview, and of twenty spread over ``pages``."""
    loads = {}
    for many in (0, 1, FEW, MANY):
        say(f"{many} viewers of Overview")
        loads[many] = _load(ground, [""] * many)
    say(f"{MANY} viewers, spread over all pages")
    spread = _load(ground, [pages[place % len(pages)] for place in range(MANY)])
    idle, one, few, all_ = (loads[many] for many in (0, 1, FEW, MANY))
    every = f"{ground.refresh_s:g} s refresh"
    few_asked, all_asked = ((load.queries - idle.queries) * ground.refresh_s for load in (few, all_))

    def refresh_ms(load: Load, viewers: int) -> float:
        return round((load.cores - idle.cores) * ground.refresh_s / viewers * 1000, 1)

    return [
        Figure(f"{MANY} viewers of Overview, {every}: the panel", round(all_.cores, 2), "cores", MOST_CORES),
        Figure(f"{MANY} viewers, spread over all pages: the panel", round(spread.cores, 2), "cores", MOST_CORES),
        Figure(
            f"queries that {MANY} viewers of Overview cost Prometheus, of those that {FEW} cost",
            round(all_asked / few_asked, 3) if few_asked > 0 else None,
            "ratio",
            MOST_RATIO,
            note="" if few_asked > 0 else f"{FEW} viewers cost no query",
        ),
        Figure("queries for each refresh of Overview", round(all_asked, 1), "queries"),
        Figure("a live refresh of Overview: the panel, for one viewer", refresh_ms(one, 1), "ms", MOST_REFRESH_MS),
        Figure(f"a live refresh of Overview: the panel, for each of {MANY} viewers", refresh_ms(all_, MANY), "ms"),
        Figure(f"a live refresh is answered, {MANY} viewers, median", _wait_ms(all_.crowd, 0.5), "ms"),
        Figure(f"a live refresh is answered, {MANY} viewers, 95 of 100", _wait_ms(all_.crowd, 0.95), "ms"),
        Figure("sent for each live refresh of Overview", _kilobytes(one, ground.refresh_s), "kB"),
        Figure("memory of the panel after all these viewers", round(ground.memory_bytes() / 1e6), "MB"),
    ]


def _load(ground: Ground, pages: Sequence[str]) -> Load:
    return asyncio.run(_watched(ground, pages))


async def _watched(ground: Ground, pages: Sequence[str]) -> Load:
    """Count from when all viewers have settled until they leave."""
    counts: list[tuple[float, float, float]] = []

    def count() -> None:
        counts.append((time.monotonic(), ground.cpu_s(), ground.queries()))

    async def counted() -> Crowd:
        if not pages:
            await asyncio.to_thread(count)
            await asyncio.sleep(SECONDS)
            await asyncio.to_thread(count)
            return Crowd(0, 0, ())
        return await look(ground.url, pages, spread_s=ground.refresh_s, settle_s=SETTLE_S, seconds=SECONDS, count=count)

    crowd = await counted()
    (began, cpu_0, queries_0), (ended, cpu_1, queries_1) = counts
    took = ended - began
    return Load((cpu_1 - cpu_0) / took, (queries_1 - queries_0) / took, crowd)


def _wait_ms(crowd: Crowd, share: float) -> float | None:
    """Return the time within which a ``share`` of the refreshes was answered."""
    waits = sorted(crowd.waits_s)
    return round(waits[min(len(waits) - 1, int(len(waits) * share))] * 1000) if waits else None


def _kilobytes(load: Load, refresh_s: float) -> float:
    return round(load.crowd.received_bytes / SECONDS * refresh_s / 1000, 1)
