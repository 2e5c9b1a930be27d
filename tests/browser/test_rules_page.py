"""The rules page as a person uses it: upload a file, check it, read the verdicts, take them along; a second window."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from stack.endpoints import PORTS
from stack.home import cache_dir
from tests.levels import thorough
from tests.ports import free_endpoints
from tests.unit.faults.small_sweeps import RULES

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
ROOT = Path(__file__).resolve().parents[2]
SOON_MS = 60_000
DONE_MS = 120_000
ASKED = "/rules?rules-for=10%20min&rules-faults=error%20(exception)"


@pytest.fixture(scope="module")
def panel(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve the panel alone: this page needs no stack. Results of other runs are not known to it."""
    home, cache = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("cache")
    (home / "artifacts").symlink_to(trained)
    if (cache_dir() / "programs").is_dir():
        (cache / "programs").symlink_to(cache_dir() / "programs")
    endpoints = free_endpoints(*PORTS)
    environment = {
        **os.environ,
        "FIREDRILL_HOME": str(home),
        "FIREDRILL_CACHE": str(cache),
        "FIREDRILL_PORT_OFFSET": str(endpoints.offset),
        "PYTHONPATH": str(ROOT),
    }
    log = home / "panel.txt"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "panel.serve"], env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    url = endpoints.url("panel")
    try:
        deadline = time.monotonic() + 60.0
        while True:
            assert process.poll() is None, log.read_text(encoding="utf-8")
            assert time.monotonic() < deadline, log.read_text(encoding="utf-8")
            try:
                httpx.get(f"{url}/_stcore/health").raise_for_status()
                break
            except httpx.HTTPError:
                time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(30)


def opened(browser: Browser, address: str, *, width: int = 1280) -> Page:
    """Open an address in a window of its own."""
    page = browser.new_context(viewport={"width": width, "height": 900}).new_page()
    page.goto(address)
    return page


def step(page: Page, name: str) -> None:
    """Go to a step of the page."""
    page.get_by_role("radio", name=name, exact=True).click()


@thorough
def test_upload_check_verdicts_download(chromium: Browser, panel: str, tmp_path: Path) -> None:
    """Verdicts, chart and matrix of an uploaded file; another window sees them, on a phone too; the JSON is theirs."""
    rules = tmp_path / "mine.yml"
    rules.write_text(RULES, encoding="utf-8")
    page = opened(chromium, f"{panel}{ASKED}")
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    expect(page.get_by_text("firedrill.yml", exact=True).first).to_be_visible(timeout=SOON_MS)
    with page.expect_file_chooser(timeout=SOON_MS) as chooser:
        page.get_by_role("button", name="Upload", exact=True).click()
    chooser.value.set_files(rules)
    expect(page.get_by_text("mine.yml", exact=True).first).to_be_visible(timeout=SOON_MS)
    expect(page).to_have_url(re.compile(r"[?&]rules=[0-9a-f]{16}"))

    step(page, "Check")
    expect(page.get_by_text(re.compile("Tries 2 worlds"))).to_be_visible(timeout=SOON_MS)
    page.get_by_role("button", name="Check", exact=True).click()
    table = page.get_by_role("table").filter(has_text="Without a fault")
    expect(table.get_by_text("▲ false alarm").first).to_be_visible(timeout=DONE_MS)
    expect(table.get_by_role("row").filter(has_text="NotOurs")).to_contain_text("– not covered")
    expect(page.locator(".js-plotly-plot").first).to_be_visible(timeout=SOON_MS)

    step(page, "Matrix")
    grid = page.get_by_role("region", name="alerts and faults")
    expect(grid.get_by_role("row").filter(has_text="Slow")).to_contain_text("quiet", timeout=SOON_MS)
    address = page.url

    phone = opened(chromium, address, width=390)
    expect(phone.get_by_role("region", name="alerts and faults")).to_be_visible(timeout=SOON_MS)
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    assert phone.get_by_role("button", name="Check", exact=True).count() == 0

    step(page, "Take along")
    with page.expect_download(timeout=SOON_MS) as download:
        page.get_by_role("button", name="JSON").click()
    assert download.value.suggested_filename == "mine-check.json"
    told = json.loads(download.value.path().read_text(encoding="utf-8"))
    assert {one["place"]["rule"]: one["verdict"] for one in told["alerts"]}["Errors"] == "fires"
    page.screenshot(path=tmp_path / "last.png", full_page=True)
    for window in (page, phone):
        window.context.close()
    assert not errors
