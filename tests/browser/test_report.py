"""A report in real Chromium: it asks for nothing, says nothing on the console, and can be read by anyone."""

from __future__ import annotations

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from faults.drills.report.batch import batch_of
from faults.drills.report.compare_pages import compare_html
from faults.drills.report.html import html
from tests.levels import thorough
from tests.unit.faults.sample_evidence import NASTY, evidence_of, outcome, run_of

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


def pages(folder: Path) -> list[Path]:
    """Write a report with markup in its texts, and a comparison; return both files."""
    second = run_of("failed", run_id="other", title=NASTY, outcomes=[outcome(verdict="late", detail=NASTY)])
    first, other = evidence_of(), evidence_of(second, words=NASTY, for_s=30.0)
    written = {"report.html": html(batch_of([first, other], "Two")), "compare.html": compare_html(first, other)}
    for name, text in written.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in written]


@pytest.mark.parametrize(
    ("scheme", "width"),
    [("light", 1280), *(pytest.param(*one, marks=thorough) for one in (("dark", 1280), ("light", 360)))],
)
def test_a_report_stands_by_itself(chromium: Browser, tmp_path: Path, scheme: str, width: int) -> None:
    """One request for the file alone, no error, nothing wider than the window, and no barrier that axe knows of."""
    context = chromium.new_context(
        viewport={"width": width, "height": 900}, color_scheme="dark" if scheme == "dark" else "light"
    )
    page = context.new_page()
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    for path in pages(tmp_path):
        asked.clear()
        page.goto(path.as_uri())
        assert [url for url in asked if not url.startswith("data:")] == [path.as_uri()]
        assert said == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator("svg.picture").count() >= 2
    context.close()
    seen = chromium.new_context(bypass_csp=True, color_scheme="dark" if scheme == "dark" else "light")
    looking = seen.new_page()
    for path in pages(tmp_path):
        looking.goto(path.as_uri())
        found = Axe().run(looking).response["violations"]
        assert [(one["id"], one["nodes"][0]["html"]) for one in found] == []
    seen.close()
