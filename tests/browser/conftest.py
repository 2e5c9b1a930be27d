"""Real Chromium on the panel of a real stack."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from stack.browser import LAUNCH_FLAGS, install_chromium
from stack.errors import StackError
from tests.live.conftest import LiveStack, programs, pytest_runtest_teardown, stack

__all__ = ["programs", "pytest_runtest_teardown", "stack"]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Start Chromium; without one these tests are skipped, but fail with CI=true.

    For a module only: as long as Playwright runs, no other test of this process can start an event loop.
    """
    try:
        program = install_chromium()
    except StackError as problem:
        if os.environ.get("CI", "").lower() == "true":
            raise
        pytest.skip(str(problem))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(program), args=list(LAUNCH_FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser, stack: LiveStack, tmp_path: Path) -> Iterator[Page]:
    """Open the panel in a fresh window; a page's own errors fail the test that saw them."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    window = context.new_page()
    errors: list[str] = []
    window.on("pageerror", lambda error: errors.append(str(error)))
    window.goto(stack.endpoints.url("panel"))
    yield window
    window.screenshot(path=tmp_path / "last.png", full_page=True)
    context.close()
    assert not errors
