"""The range from a zoom, the trace behind a point of a chart, and pages taken by the command line, on a whole stack."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.levels import thorough
from tests.live.conftest import LiveStack

pytestmark = [pytest.mark.live, pytest.mark.browser, pytest.mark.timeout(240)]
SOON_MS = 60_000


def png_size(content: bytes) -> tuple[int, int]:
    """Return width and height of a PNG, as its header says them."""
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", content[16:24])
    return width, height


@thorough
def test_a_zoom_becomes_the_range_of_every_page(page: Page) -> None:
    """A stretch that is dragged over can be taken as the range: it stands in the address, here and on the next page."""
    chart = page.locator(".fd-chart[data-drawn=true]").first
    expect(chart).to_be_visible(timeout=SOON_MS)
    button = chart.get_by_role("button", name="Use this range")
    expect(button).to_be_hidden()
    box = chart.locator(".nsewdrag").first.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 24, steps=5)
    page.mouse.up()
    expect(button).to_be_visible(timeout=SOON_MS)
    button.click()
    expect(page).to_have_url(re.compile("from=.*to="), timeout=SOON_MS)
    start = page.get_by_label("From", exact=True)
    expect(start).to_have_value(re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"), timeout=SOON_MS)
    chosen = start.input_value()
    page.get_by_role("navigation").get_by_role("link", name="Alerts").click()
    expect(page.get_by_label("From", exact=True)).to_have_value(chosen, timeout=SOON_MS)
    expect(page).to_have_url(re.compile("from=.*to="), timeout=SOON_MS)


@thorough
def test_a_point_leads_to_its_trace(page: Page) -> None:
    """A point on the latency row opens its trace, by the pointer; the list of them by the keyboard."""
    chart = page.locator(".js-plotly-plot").first
    points = chart.locator(".scatterlayer .points path.point")
    expect(points.first).to_be_visible(timeout=SOON_MS)
    page.get_by_role("button", name="Traces of this chart").press("Enter")
    expect(page.get_by_role("link", name=re.compile(r"\d\d:\d\d:\d\d · .* · [0-9a-f]{8}")).first).to_be_visible(
        timeout=SOON_MS
    )
    page.keyboard.press("Escape")
    box = points.first.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(page).to_have_url(re.compile("trace=[0-9a-f]{32}"), timeout=SOON_MS)


@thorough
def test_pages_by_the_command_line(stack: LiveStack, tmp_path: Path) -> None:
    """A page in both looks has two files of the asked width; one with a query and a range too; others are refused."""
    out = tmp_path / "shots"
    done = stack.cli("screenshot", "overview", "--theme", "both", "--out", str(out))
    assert done.returncode == 0, done.stderr
    phone = stack.cli("screenshot", "alerts?alert=HighLatency", "--phone", "--last", "15m", "--out", str(out))
    assert phone.returncode == 0, phone.stderr
    sizes = {each.name: png_size(each.read_bytes()) for each in out.iterdir()}
    assert {name: width for name, (width, _) in sorted(sizes.items())} == {
        "alerts-last-15m-alert-HighLatency-phone-light.png": 390,
        "overview-dark.png": 1280,
        "overview-light.png": 1280,
    }
    assert all(height > 600 for _, height in sizes.values())
    refused = stack.cli("screenshot", "nowhere", "--out", str(out))
    assert refused.returncode == 2
    assert "no page 'nowhere'" in refused.stderr
    assert "Traceback" not in refused.stderr
