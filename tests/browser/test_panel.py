"""The panel as a person uses it: light a fire, watch the alarm ring and stop, read the trace."""

from __future__ import annotations

import os
import re
import signal

import pytest
from playwright.sync_api import Page, expect

from panel import theme
from tests.levels import thorough
from tests.live.conftest import LiveStack

pytestmark = [pytest.mark.live, pytest.mark.browser, pytest.mark.timeout(240)]
SOON_MS = 60_000
RINGS_MS = 90_000


def visit(page: Page, name: str) -> None:
    """Go to a page by the navigation, as a person does."""
    page.get_by_role("navigation").get_by_role("link", name=name).click()


def badge(state: str) -> str:
    """Return an alert's state as the panel writes it: a sign and the word."""
    look = theme.look(theme.ALERT_LOOKS, state)
    return f"{look.symbol} {look.word}"


def test_overview_shows_the_stack_and_live_signals(page: Page) -> None:
    """Every component is ready, and the charts and tiles have values."""
    for title in ("ML service", "Prometheus", "Alertmanager", "Trace store", "Drill conductor", "Traffic generator"):
        expect(page.get_by_text(title, exact=True).first).to_be_visible(timeout=SOON_MS)
    expect(page.locator(".js-plotly-plot").first).to_be_visible(timeout=SOON_MS)
    expect(page.get_by_test_id("stMetricValue").first).to_have_text(re.compile(r"\d"), timeout=SOON_MS)


def test_fault_alert_and_trace_from_the_panel(page: Page, stack: LiveStack) -> None:
    """Click a fault on, see its alert fire and be delivered, put it out, see it resolve, open the trace it left."""
    visit(page, "Faults")
    page.get_by_role("radiogroup", name="Kind").get_by_role("radio", name="Error").click()
    expect(page.get_by_text("Requests fail with a status code")).to_be_visible(timeout=SOON_MS)
    page.get_by_role("button", name="Light the fault").click()
    expect(page.get_by_text(re.compile("Is it really active")).first).to_be_visible(timeout=SOON_MS)
    expect(page.get_by_text(re.compile(r"[1-9]\d* hits")).first).to_be_visible(timeout=SOON_MS)
    visit(page, "Alerts")
    alert = page.locator("[class*='st-key-alert-HighErrorRate']")
    delivered = page.get_by_role("table").filter(has_text="Receiver")
    expect(alert.get_by_text(badge("pending"))).to_be_visible(timeout=SOON_MS)
    expect(alert.get_by_text(badge("firing"))).to_be_visible(timeout=RINGS_MS)
    expect(delivered.get_by_text(badge("firing")).first).to_be_visible(timeout=SOON_MS)
    visit(page, "Overview")
    page.get_by_role("button", name="Put every fault out").click()
    expect(page.get_by_text(re.compile("put out 1 fault")).first).to_be_visible(timeout=SOON_MS)
    assert not [fault for fault in stack.conductor().faults() if fault.state == "active"]
    visit(page, "Alerts")
    expect(alert.get_by_text(badge("inactive"))).to_be_visible(timeout=RINGS_MS)
    expect(delivered.get_by_text("✓ resolved").first).to_be_visible(timeout=RINGS_MS)
    visit(page, "Traces")
    page.get_by_label("Hit by a fault").click()
    page.get_by_role("option", name="error", exact=True).click()
    expect(page.get_by_text("✓ ok")).to_have_count(0, timeout=SOON_MS)  # until then the list is the unfiltered one
    page.get_by_role("link").filter(has_text="POST /predict").first.click()
    expect(page.locator(".js-plotly-plot").first).to_be_visible(timeout=SOON_MS)
    expect(page.get_by_text("fault.injected").first).to_be_visible(timeout=SOON_MS)
    assert "trace=" in page.url


@thorough
def test_a_drill_from_the_panel_and_its_report(page: Page, stack: LiveStack) -> None:
    """Run a drill with a seed, see it end, and take its report along: the file is the one of this run."""
    visit(page, "Drills")
    seed = page.get_by_label("Seed", exact=True)
    expect(seed).to_be_visible(timeout=SOON_MS)
    seed.fill("7")
    seed.press("Enter")
    card = page.locator("[class*='st-key-run-late-metrics']")
    expect(card.get_by_role("button", name="Run")).to_be_enabled(timeout=SOON_MS)
    card.get_by_role("button", name="Run").click()
    expect(page).to_have_url(re.compile("run="), timeout=SOON_MS)
    expect(page.get_by_text("seed 7")).to_be_visible(timeout=SOON_MS)
    report = page.get_by_role("button", name="HTML")
    expect(report).to_be_visible(timeout=RINGS_MS)
    run = stack.conductor().runs(limit=1)[0]
    assert (run.name, run.seed) == ("late-metrics", 7)
    expect(page.get_by_role("cell", name="resolution delivered").first).to_be_visible(timeout=SOON_MS)
    with page.expect_download(timeout=SOON_MS) as download:
        report.click()
    text = download.value.path().read_text(encoding="utf-8")
    assert download.value.suggested_filename == f"late-metrics-{run.id}.html"
    assert run.title in text
    assert run.id in text


@thorough
def test_why_an_alert_has_not_fired(page: Page) -> None:
    """From the list of alerts to one of them: the reason, its value against the threshold, and the curve."""
    visit(page, "Alerts")
    card = page.locator("[class*='st-key-alert-HighLatency']")
    expect(card.get_by_text(badge("inactive"))).to_be_visible(timeout=SOON_MS)
    card.get_by_role("link", name="Why?").click()
    expect(page).to_have_url(re.compile("alert=HighLatency"), timeout=SOON_MS)
    expect(page.get_by_text("Why has it not fired?")).to_be_visible(timeout=SOON_MS)
    expect(page.get_by_text(re.compile(r"Value now .* must be > 1")).first).to_be_visible(timeout=SOON_MS)
    expect(page.locator(".js-plotly-plot").first).to_be_visible(timeout=SOON_MS)


@thorough
def test_dead_source_is_named_with_what_to_do(page: Page, stack: LiveStack) -> None:
    """While Prometheus is down the panel says so instead of drawing nothing; it recovers by itself."""
    expect(page.locator(".js-plotly-plot").first).to_be_visible(timeout=SOON_MS)
    os.kill(stack.component("prometheus")["pid"], signal.SIGSTOP)
    try:
        expect(page.get_by_text(re.compile("Prometheus is (stale|unreachable)")).first).to_be_visible(timeout=RINGS_MS)
        expect(page.get_by_text(re.compile("firedrill (up|status)")).first).to_be_visible()
    finally:
        os.kill(stack.component("prometheus")["pid"], signal.SIGCONT)
    expect(page.get_by_text(re.compile("Prometheus is (stale|unreachable)"))).to_have_count(0, timeout=RINGS_MS)
