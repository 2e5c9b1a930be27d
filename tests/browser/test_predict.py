"""Predict in a real browser on a real stack: pushed out of distribution, flagged, traced, logged; and the way there."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.levels import thorough
from tests.live.conftest import LiveStack

pytestmark = [pytest.mark.live, pytest.mark.browser, pytest.mark.timeout(240)]
SOON_MS = 60_000


@thorough
def test_a_request_pushed_out_of_distribution_is_flagged_traced_and_logged(page: Page, stack: LiveStack) -> None:
    """The slider says what leaves the range; the answer, its drift flag, its trace and its logs are of this request.

    The address keeps the model, the slider and the attempt over a reload, and leads on to the logs of the trace.
    """
    url = stack.endpoints.url("panel")
    page.goto(f"{url}/predict?model=iris")
    expect(page.get_by_text("In distribution: every value")).to_be_visible(timeout=SOON_MS)
    slider = page.get_by_role("slider", name=re.compile("Push out of distribution"))
    slider.focus()
    page.keyboard.press("End")
    expect(page.get_by_text("Out of distribution: 4 of 4 values")).to_be_visible(timeout=SOON_MS)
    expect(page).to_have_url(re.compile("push=5"), timeout=SOON_MS)
    page.get_by_role("button", name="Predict once").click()
    expect(page.get_by_text("✓ 200").first).to_be_visible(timeout=SOON_MS)
    expect(page.get_by_text("drift flagged")).to_be_visible(timeout=SOON_MS)
    expect(page.locator(".js-plotly-plot").first).to_be_visible(timeout=SOON_MS)
    request = page.get_by_text(re.compile("panel-[0-9a-f]+-1")).first.inner_text()
    request_id = re.search("panel-[0-9a-f]+-1", request)
    assert request_id is not None
    trace_id = re.search(r"trace ([0-9a-f]{32})", page.get_by_text(re.compile("spans · trace")).inner_text())
    assert trace_id is not None
    page.reload()
    expect(page.get_by_text("drift flagged")).to_be_visible(timeout=SOON_MS)
    expect(page.get_by_text(request_id[0]).first).to_be_visible(timeout=SOON_MS)
    page.goto(f"{url}/logs?request={request_id[0]}")
    records = page.locator(".fd-logs details")
    expect(records.first).to_be_visible(timeout=SOON_MS)
    record = records.filter(has_text="request_completed")
    expect(record).to_have_count(1, timeout=SOON_MS)
    record.locator("summary").click()
    expect(record.get_by_text(trace_id[1])).to_be_visible()
    record.get_by_role("link", name="Open its trace").click()
    expect(page).to_have_url(re.compile(f"traces.*trace={trace_id[1]}"), timeout=SOON_MS)
    expect(page.get_by_text("POST /predict/{model}").first).to_be_visible(timeout=SOON_MS)


@thorough
def test_lists_hold_still_under_the_pointer(page: Page, stack: LiveStack) -> None:
    """While the pointer is over the traces none of them moves; the page says that newer ones wait; then they come."""
    page.goto(f"{stack.endpoints.url('panel')}/traces")
    first = page.locator(".fd-steady-body tbody tr code").first
    expect(first).to_be_visible(timeout=SOON_MS)
    first.hover()
    before = first.inner_text()
    newer = page.get_by_role("button", name=re.compile("Newer ones"))
    expect(newer).to_be_visible(timeout=SOON_MS)
    assert first.inner_text() == before
    newer.click()
    expect(first).not_to_have_text(before, timeout=SOON_MS)
