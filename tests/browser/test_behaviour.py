"""How the panel behaves: by keyboard and screen reader, on a phone, for several people, over a reload, in time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.levels import ALL_LIVE, thorough
from tests.live.conftest import LiveStack, until

pytestmark = [pytest.mark.live, pytest.mark.browser, pytest.mark.timeout(240)]
SOON_MS = 60_000
PAGES = (
    *("", "predict", "faults", "alerts", "drills", "rules", "traces"),
    *("logs", "dashboards", "slos", "host", "journal", "tour"),
)
LOOKED_AT = ("", "faults", "alerts")
"""The pages that a default run looks at: what all pages share, forms, charts."""
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}
_READY = """() => document.querySelector('h1.fd-heading')?.textContent
    && [...document.querySelectorAll('.fd-chart')].every(chart => chart.dataset.drawn === 'true')"""
_WATCH = """() => {
    const kept = [...document.querySelectorAll(
        'nav, h1, h2, h3, .fd-strip, .fd-chart, .js-plotly-plot, [data-testid="stMain"] button, .fd-cards')];
    window.fd = {kept, shifts: 0, lost: 0, boxes: kept.map(node => JSON.stringify(node.getBoundingClientRect()))};
    new PerformanceObserver(list => list.getEntries().forEach(one => { window.fd.shifts += one.value; }))
        .observe({type: 'layout-shift'});
    new MutationObserver(changes => changes.forEach(change => change.removedNodes.forEach(node => {
        if (node.matches?.('[data-testid="stElementContainer"], [data-testid="stVerticalBlock"]')) window.fd.lost += 1;
    }))).observe(document.body, {subtree: true, childList: true});
}"""
_SEEN = """() => ({
    shifts: window.fd.shifts,
    lost: window.fd.lost,
    gone: window.fd.kept.filter(node => !node.isConnected).map(node => node.outerHTML.slice(0, 90)),
    moved: window.fd.kept.filter((node, at) => JSON.stringify(node.getBoundingClientRect()) !== window.fd.boxes[at])
        .map(node => node.outerHTML.slice(0, 90)),
})"""
_WIDTHS = "[document.documentElement, document.querySelector('[data-testid=\"stMain\"]')].map(box => box.scrollWidth)"
SLOW_MS = 1_500
_SLOW_LINE = f"""
const late = (hear) => hear && ((event) => setTimeout(() => hear.call(event.target, event), {SLOW_MS}));
window.WebSocket = class extends WebSocket {{
    addEventListener(type, hear, ...more) {{
        super.addEventListener(type, type === 'message' ? late(hear) : hear, ...more);
    }}
    set onmessage(hear) {{ super.onmessage = late(hear); }}
}};
"""
_FOCUSED = "() => document.activeElement?.innerText?.trim() || document.activeElement?.getAttribute('aria-label') || ''"


@contextmanager
def window(
    chromium: Browser, stack: LiveStack, path: str = "", size: dict[str, int] = DESK, *, slow: bool = False
) -> Iterator[Page]:
    """Open a page of the panel in a browser of its own; an error of the page fails the test.

    ``slow``: what the panel says arrives late.
    """
    context = chromium.new_context(viewport={"width": size["width"], "height": size["height"]}, color_scheme="light")
    page = context.new_page()
    if slow:
        page.add_init_script(_SLOW_LINE)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{stack.endpoints.url('panel')}/{path}")
    page.wait_for_function(_READY, timeout=SOON_MS)
    yield page
    context.close()
    assert not errors


def barriers(page: Page) -> list[str]:
    """Return what axe-core finds that is serious or critical, with the place where it found it first."""
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']} ({len(one['nodes'])}): {one['nodes'][0]['html'][:160]}"
        for one in found
        if one["impact"] in {"serious", "critical"}
    ]


def tab_to(page: Page, wanted: str, most: int = 80) -> None:
    """Press Tab until what has the focus reads or is called ``wanted``."""
    passed = []
    for _ in range(most):
        page.keyboard.press("Tab")
        passed.append(page.evaluate(_FOCUSED))
        if re.search(wanted, passed[-1]):
            return
    pytest.fail(f"Tab does not reach {wanted!r}, but: {passed}")


@pytest.mark.parametrize("path", [path if path in LOOKED_AT else pytest.param(path, marks=thorough) for path in PAGES])
def test_a_page_has_no_barrier_and_fits_a_phone(chromium: Browser, stack: LiveStack, path: str) -> None:
    """No serious finding of axe-core; on a phone nothing scrolls sideways but what scrolls itself.

    By default every other page is looked at in dark and the rest in light: what they share is seen in both.
    """
    with window(chromium, stack, path) as page:
        for scheme in ("light", "dark") if ALL_LIVE else (SCHEMES[PAGES.index(path) % 2],):
            page.emulate_media(color_scheme=scheme)
            assert barriers(page) == []
        page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
        page.wait_for_function(_READY, timeout=SOON_MS)
        until(lambda: max(page.evaluate(_WIDTHS)) <= PHONE["width"], "the charts to fit a phone")


@thorough
def test_a_fault_by_keyboard_seen_by_another_browser(chromium: Browser, stack: LiveStack) -> None:
    """Past the navigation, a fault is lit and put out by keys alone; who looks elsewhere sees both."""
    with window(chromium, stack, "faults") as page, window(chromium, stack) as other:
        page.keyboard.press("Tab")
        skip = page.get_by_role("link", name="Skip to the content")
        expect(skip).to_be_focused()
        assert skip.bounding_box()["x"] >= 0  # type: ignore[index]
        page.keyboard.press("Enter")
        tab_to(page, "Light the fault")
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none"
        page.keyboard.press("Enter")
        lit = until(lambda: [f for f in stack.conductor().faults() if f.state == "active"], "the fault is lit")
        expect(other.get_by_text(re.compile(f"Active: {lit[0].kind}"))).to_be_visible(timeout=SOON_MS)
        expect(page.get_by_role("button", name="Put out", exact=True)).to_be_visible(timeout=SOON_MS)
        tab_to(page, "^Put out$")
        page.keyboard.press("Enter")
        for each in (page, other):
            expect(each.get_by_text("no fault active", exact=True)).to_be_visible(timeout=SOON_MS)
        assert not [fault for fault in stack.conductor().faults() if fault.state == "active"]


def test_live_parts_change_in_place(chromium: Browser, stack: LiveStack) -> None:
    """Over several refreshes nothing is taken off the page, nothing moves, and the chart's time goes on."""
    with window(chromium, stack) as page:
        chart = page.locator(".js-plotly-plot").first
        end = "node => node.layout.xaxis.range[1]"
        page.wait_for_timeout(2_000)  # what the first refresh may still put in its place
        page.evaluate(_WATCH)
        first = chart.evaluate(end)
        until(lambda: chart.evaluate(end) != first, "the chart goes on")
        later = chart.evaluate(end)
        until(lambda: chart.evaluate(end) != later, "the chart goes on again")
        seen = page.evaluate(_SEEN)
        assert (seen["gone"], seen["lost"], seen["moved"]) == ([], 0, [])
        assert seen["shifts"] < 0.01


@thorough
def test_what_a_panel_is_about_stands_open_over_a_refresh(chromium: Browser, stack: LiveStack) -> None:
    """It is sent when it is asked for, stays while everything around it is drawn anew, and goes when it is closed."""
    with window(chromium, stack, "dashboards") as page:
        chart = page.locator(".js-plotly-plot").first
        end = "node => node.layout.xaxis.range[1]"
        query = page.get_by_test_id("stPopoverBody").get_by_text("http_requests_total").first
        page.get_by_role("button", name="About Request rate", exact=False).first.click()
        expect(query).to_be_visible(timeout=SOON_MS)
        first = chart.evaluate(end)
        until(lambda: chart.evaluate(end) != first, "the charts go on")
        expect(query).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.get_by_test_id("stPopoverBody")).to_have_count(0, timeout=SOON_MS)


@thorough
def test_a_link_in_a_live_part_leads_on_over_a_slow_line(chromium: Browser, stack: LiveStack) -> None:
    """The live part asks again before the next page has come: the page stands there all the same, and goes on."""
    with window(chromium, stack, "logs?text=request_completed", slow=True) as page:
        record = page.locator(".fd-logs details").first
        record.locator("summary").click()
        record.get_by_role("link", name="Open its trace").click()
        expect(page).to_have_url(re.compile("/traces\\?trace=[0-9a-f]{32}$"))
        expect(page.get_by_role("img", name=re.compile("Waterfall of")).first).to_be_visible(timeout=SOON_MS)
        page.wait_for_timeout(3 * SLOW_MS)
        expect(page.get_by_role("img", name=re.compile("Waterfall of")).first).to_be_visible()
        page.get_by_role("link", name="All traces").click()
        page.locator("a[data-follow]").first.click()
        expect(page.locator('[data-testid="stMain"] h3').first).to_be_visible(timeout=SOON_MS)


def test_a_reload_brings_back_page_filters_and_range(chromium: Browser, stack: LiveStack) -> None:
    """What was chosen stands in the address: the same page with the same choice comes back from it."""
    with window(chromium, stack, "traces") as page:
        page.get_by_text("Only errors").click()
        expect(page).to_have_url(re.compile("errors"), timeout=SOON_MS)
        address = page.url
        page.reload()
        page.wait_for_function(_READY, timeout=SOON_MS)
        assert page.url == address
        expect(page.get_by_label("Only errors")).to_be_checked()
