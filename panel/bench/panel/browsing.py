"""How quick the panel is in Chromium: until the first useful picture of Overview, and from page to page."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence

from playwright.sync_api import BrowserContext, Page, ViewportSize

from panel.bench.figures import Figure
from panel.bench.panel.ground import Ground

ROUNDS = 5
BEFORE = 2
"""So many visits after the first one are not counted: a browser keeps compiled what it has seen more than once."""
VISITS = 3
MOST_PAINT_S = 3.0
MOST_CHANGE_S = 1.0
PATIENCE_MS = 30_000
WINDOW = ViewportSize(width=1280, height=900)
WIDE = ViewportSize(width=1920, height=1080)
"""Here the navigation shows all pages at once."""
USEFUL = """() => {
    const tile = document.querySelector('[data-testid="stMetricValue"]');
    const line = document.querySelector('.js-plotly-plot .scatterlayer path.js-line');
    return !!line && !!tile && /\\d/.test(tile.innerText);
}"""
"""Overview is useful once a line of its chart is drawn and a tile shows a number."""
_HERE = """(title) => {
    const heading = document.querySelector('h1.fd-heading');
    const seen = (chart) => chart.getBoundingClientRect().top < window.innerHeight;
    const charts = [...document.querySelectorAll('.fd-chart')].filter(seen);
    return heading?.textContent === title && charts.every(chart => chart.dataset.drawn === 'true')
        && !document.querySelector('[data-testid="stMain"] [data-stale="true"]');
}"""
"""A page has come once its heading, drawn last, is its own, the charts in sight are drawn and nothing old is left."""


def measure_browsing(
    say: Callable[[str], None], ground: Ground, context: BrowserContext, paths: Sequence[str]
) -> list[Figure]:
    """Return the time of the first useful paint of Overview, and of the change to each of the pages at ``paths``.

    ``context`` is a browser that was never here, and keeps what it fetches and compiles.
    """
    say("Overview in Chromium, from the address to the first chart")
    context.set_default_timeout(PATIENCE_MS)
    cold_s, *known = [_paint_s(context, ground.url) for _ in range(1 + BEFORE + ROUNDS)]
    warm = known[BEFORE:]
    say("from page to page")
    changes = _changes_s(context, ground.url, paths)
    worst = max(changes, key=lambda name: statistics.median(changes[name]))
    every = [took for times in changes.values() for took in times]
    told = "; ".join(f"{name} {statistics.median(times):.2f} s" for name, times in changes.items())
    return [
        Figure(
            f"first useful paint of Overview, warm, median of {ROUNDS}",
            round(statistics.median(warm), 2),
            "s",
            MOST_PAINT_S,
        ),
        Figure("first useful paint of Overview in a browser that was never here", round(cold_s, 2), "s"),
        Figure(
            "change of page, median of all pages", round(statistics.median(every), 2), "s", MOST_CHANGE_S, note=told
        ),
        Figure(
            f"change of page, the slowest page's median ({worst})",
            round(statistics.median(changes[worst]), 2),
            "s",
            MOST_CHANGE_S,
        ),
    ]


def _paint_s(context: BrowserContext, url: str) -> float:
    page = context.new_page()
    began = time.monotonic()
    page.goto(url)
    page.wait_for_function(USEFUL, timeout=PATIENCE_MS, polling="raf")
    took = time.monotonic() - began
    page.close()
    return took


def _changes_s(context: BrowserContext, url: str, paths: Sequence[str]) -> dict[str, list[float]]:
    """Return how long each page took to come, by its title; every page is visited once unmeasured."""
    page = context.new_page()
    page.set_viewport_size(WIDE)
    titles = []
    for path in paths:
        page.goto(f"{url}/{path}")
        page.wait_for_function("!!document.querySelector('h1.fd-heading')?.textContent", timeout=PATIENCE_MS)
        titles.append(page.locator("h1.fd-heading").inner_text())
    times: dict[str, list[float]] = {title: [] for title in titles}
    for _ in range(VISITS):
        for title in titles:  # from the last page to the first, which is Overview, and so on
            times[title].append(_change_s(page, title))
    page.close()
    return times


def _change_s(page: Page, title: str) -> float:
    link = page.get_by_role("navigation").get_by_role("link", name=title).first
    began = time.monotonic()
    link.click()
    page.wait_for_function(_HERE, arg=title, timeout=PATIENCE_MS, polling="raf")
    return time.monotonic() - began
