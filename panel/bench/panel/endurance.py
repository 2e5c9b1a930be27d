"""Whether the browser's memory stays level while Overview refreshes by itself, and what a refresh costs the browser.

What is measured is the JavaScript heap after a forced collection, and the nodes of the document. Thirty minutes at two
seconds are 900 refreshes. By default fewer are watched, at a faster refresh, and the growth for each is projected to
those 900; ``--long`` takes the thirty minutes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from playwright.sync_api import Browser, CDPSession

from panel.bench.figures import Figure
from panel.bench.panel.browsing import PATIENCE_MS, USEFUL, WINDOW
from panel.bench.panel.ground import Ground

HALF_HOUR_S = 1800.0
REFRESHES = 900
SHORT_S = 120.0
FAST_S = 0.25
SLOW_S = 2.0
SETTLES = 0.25
"""Share of the time at the beginning that is not counted: caches fill, code is compiled."""
SAMPLES = 24
MOST_MB = 5.0


@dataclass(frozen=True)
class Sample:
    """The page at one moment: seconds since the beginning, heap in bytes, nodes, seconds spent in tasks."""

    at_s: float
    heap_bytes: float
    nodes: float
    tasks_s: float


def measure_endurance(say: Callable[[str], None], ground: Ground, browser: Browser, *, long: bool) -> list[Figure]:
    """Watch Overview; return the growth of heap and document over 900 refreshes, and the cost of one."""
    seconds = HALF_HOUR_S if long else SHORT_S
    say(f"Overview in Chromium for {seconds / 60:.0f} min at a refresh of {ground.refresh_s:g} s")
    page = browser.new_page(viewport=WINDOW)
    page.goto(ground.url)
    page.wait_for_function(USEFUL, timeout=PATIENCE_MS)
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    session.send("HeapProfiler.enable")
    began = time.monotonic()
    samples = []
    for number in range(1, SAMPLES + 1):
        page.wait_for_timeout(max(0.0, began + seconds * number / SAMPLES - time.monotonic()) * 1000)
        samples.append(_sample(session, began))
    page.close()
    counted = [one for one in samples if one.at_s >= SETTLES * seconds]
    return figures(counted, ground.refresh_s, long=long)


def figures(samples: Sequence[Sample], refresh_s: float, *, long: bool) -> list[Figure]:
    """Return the figures of ``samples`` that were taken at a refresh of ``refresh_s`` seconds."""
    watched = (samples[-1].at_s - samples[0].at_s) / refresh_s
    how = "measured for 30 min" if long else f"projected from {watched:.0f} refreshes of {refresh_s:g} s"
    heap = slope([(one.at_s, one.heap_bytes) for one in samples]) * refresh_s * REFRESHES
    nodes = slope([(one.at_s, one.nodes) for one in samples]) * refresh_s * REFRESHES
    tasks_s = (samples[-1].tasks_s - samples[0].tasks_s) / watched
    return [
        Figure(f"growth of the browser's heap in 30 min of Overview, {how}", round(heap / 1e6, 2), "MB", MOST_MB),
        Figure(f"growth of its document, {how}", round(nodes), "nodes"),
        Figure("the browser's heap at the end", round(samples[-1].heap_bytes / 1e6, 1), "MB"),
        Figure("a live refresh of Overview: the browser's main thread", round(tasks_s * 1000, 1), "ms"),
    ]


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Return the slope of the straight line of least squares through ``points``; 0 where they are fewer than two."""
    if len(points) < 2:
        return 0.0
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0


def _sample(session: CDPSession, began: float) -> Sample:
    session.send("HeapProfiler.collectGarbage")
    found = {one["name"]: float(one["value"]) for one in session.send("Performance.getMetrics")["metrics"]}
    return Sample(time.monotonic() - began, found["JSHeapUsedSize"], found["Nodes"], found["TaskDuration"])
