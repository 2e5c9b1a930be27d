"""How soon a fault that was lit shows in the panel's chart, seen by a real browser."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from playwright.sync_api import Page, sync_playwright

from faults.base import FaultRequest
from panel.bench.figures import Figure
from panel.bench.workplace import workplace
from panel.commands.console import CommandError
from panel.queries import SIGNALS
from stack.browser import LAUNCH_FLAGS, install_chromium

TURNS = 3
SEEN = 0.05
"""From this error share on the chart shows the fault."""
PATIENCE_S = 30.0
_LAST_VALUE = """(row) => {
    const chart = document.querySelector('.js-plotly-plot');
    const values = chart && chart.data[row] ? Array.from(chart.data[row].y).filter(v => v !== null && !isNaN(v)) : [];
    return values.length ? values[values.length - 1] : null;
}"""


def measure(say: Callable[[str], None]) -> list[Figure]:
    """Light an error fault several times; return the median time until the chart of the error share has risen."""
    row = next(index for index, signal in enumerate(SIGNALS) if signal.key == "errors")
    with workplace() as place, sync_playwright() as playwright:
        place.up()
        browser = playwright.chromium.launch(executable_path=str(install_chromium(say)), args=list(LAUNCH_FLAGS))
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(place.endpoints.url("panel"))
        conductor = place.conductor()
        times = []
        for turn in range(TURNS):
            say(f"fault to chart, turn {turn + 1} of {TURNS}")
            _until(page, row, lambda value: value is not None and value < SEEN, "a quiet chart")
            started = time.monotonic()
            conductor.light(FaultRequest(kind="error", parameters={"status": 500}, ttl_s=60.0), actor="bench")
            _until(page, row, lambda value: value is not None and value >= SEEN, "the fault in the chart")
            times.append(time.monotonic() - started)
            conductor.reset(actor="bench")
        browser.close()
    return [
        Figure(
            "fault lit until it shows in the panel's chart, median of 3", round(statistics.median(times), 2), "s", 3.0
        )
    ]


def _until(page: Page, row: int, good: Callable[[float | None], bool], what: str) -> None:
    """Look at the chart until its last value is good; raise ``CommandError`` when it takes too long."""
    deadline = time.monotonic() + PATIENCE_S
    while not good(page.evaluate(_LAST_VALUE, row)):
        if time.monotonic() > deadline:
            raise CommandError(f"the benchmark waited {PATIENCE_S:.0f} s in vain for {what}")
        page.wait_for_timeout(20)
