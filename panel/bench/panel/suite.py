"""All figures of the panel, in one run: in Chromium, and with many viewers at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from tempfile import TemporaryDirectory

from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import sync_playwright

from panel.app import VIEWS
from panel.bench.figures import Figure
from panel.bench.panel.browsing import WINDOW, measure_browsing
from panel.bench.panel.crowd import measure_crowd
from panel.bench.panel.endurance import FAST_S, SLOW_S, measure_endurance
from panel.bench.panel.ground import ground
from panel.commands.console import CommandError
from panel.views import overview
from stack.browser import LAUNCH_FLAGS, install_chromium

REFRESH_S = 2.0


def measure(say: Callable[[str], None], *, long: bool = False) -> Iterator[Figure]:
    """Measure on stacks of the benchmark's own; ``long``: watch the browser's memory for half an hour.

    Raise ``CommandError`` where something did not work.
    """
    try:
        yield from _measured(say, long=long)
    except PlaywrightError as problem:
        raise CommandError(f"the benchmark's browser: {problem}") from problem


def _measured(say: Callable[[str], None], *, long: bool) -> Iterator[Figure]:
    program = install_chromium(say)
    paths = ["", *(view.__name__.rpartition(".")[2] for view in VIEWS if view is not overview)]
    with ground(say, REFRESH_S) as slow:
        yield from measure_crowd(say, slow, paths)
        with _profile() as profile, sync_playwright() as playwright:
            context = playwright.chromium.launch_persistent_context(
                profile, executable_path=str(program), args=list(LAUNCH_FLAGS), viewport=WINDOW
            )
            yield from measure_browsing(say, slow, context, paths)
            context.close()
    with ground(say, SLOW_S if long else FAST_S) as fast, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(program), args=list(LAUNCH_FLAGS))
        yield from measure_endurance(say, fast, browser, long=long)
        browser.close()


def _profile() -> TemporaryDirectory[str]:
    """Return a folder for a browser that keeps what it fetches and compiles, as everybody's does."""
    return TemporaryDirectory(prefix="firedrill-bench-browser-", ignore_cleanup_errors=True)
